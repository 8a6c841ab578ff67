package paste

import "strings"

// The scanners look at the head of a string and give what is left behind it; ok is false if it begins otherwise.

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// digits skips from lo to hi digits.
func digits(s string, lo, hi int) (rest string, ok bool) {
	n := 0
	for n < len(s) && n < hi && isDigit(s[n]) {
		n++
	}
	return s[n:], n >= lo
}

// name skips a name: letters, digits and the signs that containers, units and loggers have in theirs.
func name(s string) (found, rest string, ok bool) {
	n := 0
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n]) || s[n] >= 0x80 || n > 0 && strings.IndexByte("._-/@+", s[n]) >= 0 || s[n] == '_') {
		n++
	}
	return s[:n], s[n:], n > 0
}

// form skips what a form describes: "9" is a digit, all else is itself.
func form(s, f string) (rest string, ok bool) {
	if len(s) < len(f) {
		return s, false
	}
	for i := range len(f) {
		if f[i] == '9' && !isDigit(s[i]) || f[i] != '9' && f[i] != s[i] {
			return s, false
		}
	}
	return s[len(f):], true
}

// fraction skips the part of a second behind a time.
func fraction(s string) (rest string, n int) {
	if len(s) < 2 || s[0] != '.' && s[0] != ',' || !isDigit(s[1]) {
		return s, 0
	}
	for n = 1; n < len(s) && isDigit(s[n]); n++ {
	}
	return s[n:], n - 1
}

// zone skips a time's zone: "Z", "+01:00", "+0100", " UTC", " +0100".
func zone(s string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(s, "Z"); ok {
		return rest, true
	}
	for _, f := range []string{"+99:99", "-99:99", "+9999", "-9999", " +9999", " -9999", " UTC", " GMT", " CET", " CEST"} {
		if rest, ok = form(s, f); ok {
			return rest, true
		}
	}
	return s, false
}

// stamp skips a date with a time. frac is the number of digits of its fraction, zoned says whether it names its zone with a letter or an offset.
func stamp(s string) (found, rest string, frac int, zoned, ok bool) {
	rest, ok = form(s, "9999-99-99")
	if !ok {
		if rest, ok = form(s, "9999/99/99"); !ok {
			return "", s, 0, false, false
		}
	}
	if rest == "" || rest[0] != 'T' && rest[0] != ' ' {
		return "", s, 0, false, false
	}
	if rest, ok = form(rest[1:], "99:99:99"); !ok {
		return "", s, 0, false, false
	}
	rest, frac = fraction(rest)
	rest, zoned = zone(rest)
	return s[:len(s)-len(rest)], rest, frac, zoned, true
}

// syslogStamp skips "Nov 28 10:00:00".
func syslogStamp(s string) (found, rest string, ok bool) {
	if len(s) < 15 || !isLetter(s[0]) || !isLetter(s[1]) || !isLetter(s[2]) || s[3] != ' ' {
		return "", s, false
	}
	rest = strings.TrimLeft(s[4:], " ")
	if rest, ok = digits(rest, 1, 2); !ok || rest == "" || rest[0] != ' ' {
		return "", s, false
	}
	if rest, ok = form(rest[1:], "99:99:99"); !ok {
		return "", s, false
	}
	rest, _ = fraction(rest)
	return s[:len(s)-len(rest)], rest, true
}

func isBlank(s string) bool {
	for i := range len(s) {
		if s[i] != ' ' && s[i] != '\t' {
			return strings.TrimSpace(s[i:]) == ""
		}
	}
	return true
}

// indent is the number of spaces and tabs at the head of s.
func indent(s string) int {
	n := 0
	for n < len(s) && (s[n] == ' ' || s[n] == '\t') {
		n++
	}
	return n
}

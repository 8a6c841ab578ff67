package paste

import "strings"

// record is the head of a line that a logging library wrote.
type record struct {
	time, level string
	rest        string // behind the head
}

// parseRecord reads the head of a logging form: a time, a level, a logger's name, in the orders in which libraries write them.
func parseRecord(s string) (r record, ok bool) {
	if len(s) < 4 {
		return r, false
	}
	rest := s
	if c := rest[0]; !isDigit(c) && !isLetter(c) && c != '[' && c != '<' {
		return r, false
	}
	named := false
	for range 6 { // the fields of a head
		if rest == "" {
			break
		}
		next, field := recordField(rest, &r, named)
		if next == rest {
			break
		}
		named = named || field
		rest = next
	}
	if r.level == "" && r.time == "" {
		return record{}, false
	}
	if r.level == "" && rest == s {
		return record{}, false
	}
	r.rest = rest
	return r, r.level != "" || len(rest) < len(s)
}

// recordField takes one field off the head; named says that the name of the logger was seen.
func recordField(s string, r *record, named bool) (rest string, name bool) {
	if r.time == "" {
		if after, at, ok := recordTime(s); ok {
			r.time = at
			return separator(after), false
		}
	}
	if r.level == "" {
		if level, after, ok := levelAt(s, r.time != "" && !named); ok {
			r.level = level
			return separator(after), false
		}
	}
	if r.time == "" && r.level == "" || named && r.level != "" {
		return s, false
	}
	if n, after, ok := loggerAt(s, r.level != ""); ok {
		return separator(after), !n
	}
	return s, false
}

// recordTime reads a time, in brackets or without.
func recordTime(s string) (rest, at string, ok bool) {
	open := s
	if s[0] == '[' || s[0] == '<' {
		open = s[1:]
	}
	at, rest, _, _, ok = stamp(open)
	if !ok {
		switch rest, ok = form(open, "99:99:99"); {
		case ok:
			rest, _ = fraction(rest)
			at = open[:len(open)-len(rest)]
		default:
			if rest, ok = form(open, "99-99 99:99:99"); !ok { // vLLM
				return s, "", false
			}
			rest, _ = fraction(rest)
			at = open[:len(open)-len(rest)]
		}
	}
	if len(open) < len(s) {
		if end := strings.IndexAny(rest[:min(len(rest), 60)], "]>"); end == 0 {
			rest = rest[1:]
		} else if end > 0 && strings.HasPrefix(rest, ": ") { // Celery: "[2026-02-10 09:20:31,507: ERROR/MainProcess]"
			return strings.TrimPrefix(rest[2:], " "), at, true
		} else {
			return s, "", false
		}
	}
	if rest != "" && strings.IndexByte(" |-:]\t[", rest[0]) < 0 {
		return s, "", false
	}
	return rest, at, true
}

var levels = []string{
	"DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL", "TRACE", "SUCCESS", "NOTICE", "EXCEPTION", "SEVERE",
	"ERRO", "CRIT", "EMERG", "ALERT", "ERR",
}

func isLevel(s string) bool {
	for _, l := range levels {
		if len(s) == len(l) && strings.EqualFold(s, l) {
			return true
		}
	}
	return false
}

// levelAt reads a level's name, in brackets or without. A lower-case word without brackets counts only right behind a time: "error: no
// such file" is no record.
func levelAt(s string, timed bool) (level, rest string, ok bool) {
	t := s
	bracket := byte(0)
	if t != "" && (t[0] == '[' || t[0] == '<') {
		bracket = t[0]
		t = t[1:]
	}
	n := 0
	for n < len(t) && isLetter(t[n]) {
		n++
	}
	if n < 3 || n > 9 || !isLevel(t[:n]) {
		return "", s, false
	}
	level, rest = t[:n], t[n:]
	if bracket != 0 {
		rest = strings.TrimLeft(rest, " ")
		if rest == "" || rest[0] != ']' && rest[0] != '>' {
			return "", s, false
		}
		return level, rest[1:], true
	}
	if level != strings.ToUpper(level) && (!timed || level != strings.ToLower(level)) {
		return "", s, false
	}
	if after, is := strings.CutPrefix(rest, "/"); is { // "ERROR/MainProcess]"
		if end := strings.IndexByte(after[:min(len(after), 60)], ']'); end > 0 {
			return level, after[end+1:], true
		}
	}
	if rest != "" && strings.IndexByte(" :|]\t-", rest[0]) < 0 {
		return "", s, false
	}
	return level, strings.TrimPrefix(rest, "]"), true
}

// loggerAt reads what may stand between time, level and message: "name: ", "[123] ", "[core.py:578] ", "mod:fn:12 - ", "(name) ", "123 ".
// number says that it was a process's or a thread's number, of which there may be several.
func loggerAt(s string, levelled bool) (number bool, rest string, ok bool) {
	if s == "" {
		return false, s, false
	}
	if s[0] == '[' || s[0] == '(' {
		end := strings.IndexAny(s[:min(len(s), 100)], "])")
		if end < 0 || strings.Contains(s[1:end], "[") {
			return false, s, false
		}
		return true, s[end+1:], true
	}
	n := 0
	for n < len(s) && n < 100 && (isLetter(s[n]) || isDigit(s[n]) || strings.IndexByte("._-:/<>", s[n]) >= 0) {
		n++
	}
	word := s[:n]
	if n == 0 || n == len(s) {
		return false, s, false
	}
	rest = s[n:]
	switch {
	case allDigits(word) && rest[0] == ' ' && !levelled:
		return true, rest, true
	case strings.HasSuffix(word, ":") && rest[0] == ' ' && len(word) > 1:
		return false, rest, true
	case strings.HasPrefix(rest, " - ") || strings.HasPrefix(rest, " | ") || strings.HasPrefix(rest, " -- "):
		return false, rest, true
	case levelled && strings.HasPrefix(rest, " ") && strings.HasPrefix(strings.TrimLeft(rest, " "), ": "):
		return false, strings.TrimLeft(rest, " "), true
	case !levelled && strings.HasPrefix(rest, " "): // "2026-… name ERROR msg": only if the level follows
		if _, _, is := levelAt(strings.TrimLeft(rest, " "), true); is {
			return false, rest, true
		}
	}
	if colon := strings.IndexByte(word, ':'); levelled && colon > 0 && colon+1 < len(word) && rest[0] == ' ' && !strings.Contains(word, "//") { // "ERROR:name:msg"
		return false, s[colon:], true
	}
	return false, s, false
}

// separator skips what stands between two fields: spaces, a bar, a dash, a colon.
func separator(s string) string {
	t := s[indent(s):]
	for _, mark := range []string{"|", "- ", "-- ", ":", "– "} {
		if after, ok := strings.CutPrefix(t, mark); ok {
			if mark == ":" && after != "" && after[0] != ' ' && !isLetter(after[0]) {
				break
			}
			return after[indent(after):]
		}
	}
	return t
}

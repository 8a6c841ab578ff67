package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is a mistake in vivarium.toml or in the env_file, told so that a person can mend it. It never holds a value
// of the environment.
type Error struct {
	File    string // absolute
	Line    int    // 0: the file as a whole
	Column  int    // in bytes, from 1; 0: unknown
	Key     string // as in "health.interval", or ""
	Problem string
	Remedy  string

	Cause error // the cause, for errors.Is
}

// Error is one line: "file:line: key: problem; remedy".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		b.WriteString(":" + strconv.Itoa(e.Line))
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Problem)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return Plain(b.String())
}

// Unwrap gives the operating system's error, if that was the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Plain makes one printable line of any text.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}

// Quoted shows a value in an error, cut to a bearable length.
func Quoted(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:79]) + "…"
	}
	return strconv.Quote(s)
}

// nearestKey is the key that was meant, or "": a typo in it, the right word in the wrong section, or without one.
func nearestKey(key string) string {
	if len(key) > 64 {
		return ""
	}
	lower := strings.ToLower(strings.ReplaceAll(key, "-", "_"))
	last := lower[strings.LastIndexByte(lower, '.')+1:]
	var best, home string
	least := 3 // more than two changed letters are another word
	for _, k := range sortedKeys() {
		if len(last) > 3 && home == "" && distance(last, k[strings.LastIndexByte(k, '.')+1:]) < 2 {
			home = k
		}
		if d := distance(lower, k); d < least && d*2 < len(k) {
			best, least = k, d
		}
	}
	if best == "" {
		best = home
	}
	return placed(best)
}

// placed names a key with the section it belongs in.
func placed(key string) string {
	dot := strings.LastIndexByte(key, '.')
	switch {
	case key == "":
		return ""
	case keyRules[key].wants == "a section":
		return "[" + key + "]"
	case dot >= 0:
		return key[dot+1:] + " in [" + key[:dot] + "]"
	}
	return key
}

func sortedKeys() []string {
	keys := make([]string, 0, len(keyRules))
	for k := range keyRules {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { // a key of a section before one of a section within it
		return cmp.Or(cmp.Compare(strings.Count(a, "."), strings.Count(b, ".")), cmp.Compare(a, b))
	})
	return keys
}

// nearest is the word of words that was meant, or "".
func nearest(word string, words ...string) string {
	word = strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
	for _, w := range words {
		if distance(word, strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(w))) < 3 {
			return w
		}
	}
	return ""
}

// distance counts the letters to insert, drop, change or swap with their neighbour that make b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var rows [3][66]int // the row before the last, the last, the present one
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		rows[2][0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[1][j]+1, rows[2][j-1]+1, rows[1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[0][j-2]+1)
			}
			rows[2][j] = d
		}
		rows[0], rows[1] = rows[1], rows[2]
	}
	return rows[1][len(b)]
}

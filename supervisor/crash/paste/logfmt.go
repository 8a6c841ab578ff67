package paste

import "strings"

// logfmt reads a record of key=value fields, as Docker, Ollama and Go's slog write it: time=… level=ERROR msg="…". It is one only with
// a level and a message, and with nothing but fields before them: a sentence in which something equals something is none.
func logfmt(s string) (f fields, ok bool) {
	for rest := s; rest != ""; {
		key, after, is := strings.Cut(rest, "=")
		if !is || key == "" || len(key) > 40 || strings.ContainsAny(key, " \t\"'(){}[],") {
			return f, f.level != "" && f.said
		}
		var value string
		value, rest, is = logfmtValue(after)
		if !is {
			return f, f.level != "" && f.said
		}
		switch {
		case key == "level" || key == "lvl" || key == "severity":
			f.level = value
		case key == "time" || key == "ts" || key == "timestamp" || key == "t":
			f.time = value
		case messageKey(key):
			f.message, f.said = value, true
		case traceKey(key) && strings.Contains(value, traceHeader):
			f.trace = value
		}
	}
	return f, f.level != "" && f.said
}

// logfmtValue reads a value, in quotes or up to the next space.
func logfmtValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, " ")
		return value, strings.TrimLeft(rest, " "), true
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return unescape(s[1:i]), strings.TrimLeft(s[i+1:], " "), true
		}
	}
	return "", s, false
}

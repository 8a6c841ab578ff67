package logfile

import (
	"bytes"
	"strconv"
)

// Level is how bad a line says that things are.
type Level uint8

// The levels. Most of what a program prints has none.
const (
	None Level = iota
	Debug
	Info
	Warning
	Error
	Critical
)

var levelNames = [...]string{"", "debug", "info", "warning", "error", "critical"}

func (l Level) String() string { return levelNames[l] }

// ParseLevel is the reverse of String.
func ParseLevel(s string) (Level, bool) {
	for l, name := range levelNames {
		if name == s {
			return Level(l), true
		}
	}
	return None, false
}

const (
	headLength = 240     // a level stands near the beginning
	jsonLength = 4 << 10 // or anywhere in an object
)

// levelWord is the level that a word names, in small letters.
func levelWord(word []byte) Level {
	if len(word) < 3 || len(word) > 9 {
		return None
	}
	var low [9]byte
	for i, c := range word {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	switch string(low[:len(word)]) {
	case "trace", "debug":
		return Debug
	case "info", "notice", "success":
		return Info
	case "warning", "warn":
		return Warning
	case "error", "err":
		return Error
	case "critical", "fatal", "panic", "alert", "emergency":
		return Critical
	}
	return None
}

// levelOf is the level that a line says it has itself: as Python's logging, uvicorn, gunicorn, loguru, structlog, celery, absl, logfmt and
// JSON loggers write it. The line has no terminal sequences.
func levelOf(text []byte) Level {
	if t := bytes.TrimLeft(text, " "); len(t) > 0 && t[0] == '{' {
		if l := jsonLevel(t[:min(len(t), jsonLength)]); l != None {
			return l
		}
	}
	head := text[:min(len(text), headLength)]
	if l := letterLevel(head); l != None {
		return l
	}
	if l := fieldLevel(head); l != None {
		return l
	}
	if l := wordLevel(head); l != None {
		return l
	}
	return saidLevel(head)
}

// wordLevel looks for the word of a level where a header has it: as the first or second word, or between marks.
func wordLevel(head []byte) Level {
	words := 0
	for i := 0; i < len(head); {
		if !isWord(head[i]) {
			i++
			continue
		}
		from := i
		for i < len(head) && isWord(head[i]) {
			i++
		}
		words++
		word := head[from:i]
		upper := isUpper(word)
		if !upper && !(from > 0 && head[from-1] == '[') {
			continue
		}
		l := levelWord(word)
		if l == None {
			continue
		}
		if upper && (words == 1 || markBefore(head[:from]) || markAfter(head[i:]) || isName(head[:from])) ||
			!upper && bytes.HasPrefix(bytes.TrimLeft(head[i:], " "), []byte{']'}) { // structlog: "[info     ]"
			return l
		}
	}
	return None
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

func isUpper(word []byte) bool {
	for _, c := range word {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// markBefore: what stands before a word is a bracket, a bar, a dash or a number, as in a header.
func markBefore(before []byte) bool {
	t := bytes.TrimRight(before, " \t")
	if len(t) == 0 {
		return true
	}
	c := t[len(t)-1]
	switch c {
	case '[', '(', '<', '|', ']', ')', '>':
		return true
	case '-', ':', ';':
		return len(t) < len(before) // "name - ERROR", but not "NON-ERROR"
	}
	return c >= '0' && c <= '9' && len(t) < len(before)
}

func markAfter(after []byte) bool {
	t := bytes.TrimLeft(after, " ")
	if len(t) == 0 {
		return false
	}
	switch t[0] {
	case ']', '|', '>':
		return true
	case ':', '/', ')':
		return len(t) == len(after)
	case '-':
		return len(t) < len(after) && len(t) > 1 && t[1] == ' '
	}
	return false
}

// isName: one word of small letters, as the name of a logger.
func isName(before []byte) bool {
	t := bytes.TrimRight(before, " ")
	for _, c := range t {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' || c == ':') {
			return false
		}
	}
	return len(t) > 0
}

// letterLevel is that of absl and TensorFlow: "W1128 12:00:00.000000", "2026-11-28 12:00:00.000000: W tensorflow/…".
func letterLevel(head []byte) Level {
	if len(head) > 6 && head[0] >= 'A' && digits(head[1:5]) && head[5] == ' ' {
		return ofLetter(head[0])
	}
	if i := bytes.Index(head, []byte(": ")); i >= 19 && i < 32 && digits(head[:4]) && len(head) > i+3 && head[i+3] == ' ' {
		return ofLetter(head[i+2])
	}
	return None
}

func ofLetter(c byte) Level {
	switch c {
	case 'D':
		return Debug
	case 'I':
		return Info
	case 'W':
		return Warning
	case 'E':
		return Error
	case 'F':
		return Critical
	}
	return None
}

func digits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0
}

// fieldLevel is logfmt's: "level=warning", `lvl="warn"`.
func fieldLevel(head []byte) Level {
	for rest := head; ; {
		i := bytes.IndexByte(rest, '=')
		if i < 0 {
			return None
		}
		name, value := rest[:i], rest[i+1:]
		for _, key := range []string{"level", "lvl", "severity", "levelname"} {
			if bytes.HasSuffix(name, []byte(key)) && (len(name) == len(key) || !isWord(name[len(name)-len(key)-1])) {
				value = bytes.TrimLeft(value, `"'`)
				n := 0
				for n < len(value) && isWord(value[n]) {
					n++
				}
				if l := levelWord(value[:n]); l != None {
					return l
				}
			}
		}
		rest = rest[i+1:]
	}
}

// jsonLevel looks for the usual keys of an object, without reading the rest of it.
func jsonLevel(text []byte) Level {
	for _, key := range []string{`"levelname"`, `"level"`, `"severity"`, `"log.level"`, `"lvl"`, `"levelno"`} {
		i := bytes.Index(text, []byte(key))
		if i < 0 {
			continue
		}
		value := bytes.TrimLeft(text[i+len(key):], " :")
		if len(value) > 0 && value[0] == '{' { // loguru: {"icon": …, "name": "INFO", "no": 20}
			j := bytes.Index(value, []byte(`"name"`))
			if j < 0 {
				continue
			}
			value = bytes.TrimLeft(value[j+len(`"name"`):], " :")
		}
		n := 0
		if len(value) > 0 && value[0] == '"' {
			value = value[1:]
			for n < len(value) && isWord(value[n]) {
				n++
			}
			if l := levelWord(value[:n]); l != None {
				return l
			}
			continue
		}
		for n < len(value) && value[n] >= '0' && value[n] <= '9' {
			n++
		}
		if number, err := strconv.Atoi(string(value[:n])); err == nil {
			return numberLevel(number, key == `"levelno"`)
		}
	}
	return None
}

// numberLevel is Python's where the key is Python's, else that of pino and bunyan.
func numberLevel(n int, python bool) Level {
	if python {
		n += 10
	}
	switch {
	case n >= 60:
		return Critical
	case n >= 50:
		return Error
	case n >= 40:
		return Warning
	case n >= 30:
		return Info
	case n >= 10:
		return Debug
	}
	return None
}

// said is what programs print that log no level, but mean one.
var said = []struct {
	text  string
	first bool // it begins the line
	level Level
}{
	{"Traceback (most recent call last)", false, Error},
	{"Fatal Python error: ", false, Critical},
	{"OMP: Error #", true, Critical},
	{"OMP: Warning #", true, Warning},
	{"OMP: Hint", true, Warning},
	{"libc++abi: ", true, Critical},
	{"terminate called ", true, Critical},
	{"Segmentation fault", true, Critical},
	{"Abort trap: 6", true, Critical},
	{"dyld[", true, Error},
	{"objc[", true, Error},
	{"vivarium: ", true, Warning},
	{"Warning: ", false, Warning},
}

func saidLevel(head []byte) Level {
	for _, s := range said {
		if s.first && bytes.HasPrefix(head, []byte(s.text)) || !s.first && bytes.Contains(head, []byte(s.text)) {
			return s.level
		}
	}
	return None
}

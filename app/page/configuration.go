package page

import (
	"regexp"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
)

// hidden stands for a value that is not shown.
const hidden = "•••"

// hideValues takes the values of variables out of a configuration: only those of the crash environment are shown. The file may be broken,
// which is when one looks at it: where it is not clear what a line is, it is hidden.
func hideValues(lines []string) []string {
	h := hider{known: map[string]bool{}}
	for _, v := range environment.Table() {
		h.known[v.Name] = true
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = h.line(strings.TrimSuffix(l, "\r"))
	}
	for i, l := range mask.Lines(out) {
		if len(out) == len(lines) && i < len(out) {
			out[i] = l
		}
	}
	return out
}

// hider goes through a file line by line.
type hider struct {
	known   map[string]bool
	section bool   // inside [environment]
	depth   int    // of brackets that the value of a variable opened
	quote   string // that ends a text of several lines
}

// keyForm is what is surely a key.
var keyForm = regexp.MustCompile(`^\s*["']?[A-Za-z0-9_.-]+["']?(?:\s*\.\s*["']?[A-Za-z0-9_-]+["']?)*\s*$`)

func (h *hider) line(l string) string {
	t := strings.TrimSpace(l)
	if h.quote != "" || h.depth > 0 {
		h.goesOn(t)
		return hidden
	}
	switch {
	case t == "" || t[0] == '#':
		return mask.Line(l)
	case t[0] == '[':
		name, _, _ := strings.Cut(strings.TrimLeft(t, "[ \t"), "]")
		if h.section = firstKey(name) == "environment"; h.section {
			return upTo(l, "]")
		}
		return mask.Line(l)
	}
	key, value, found := strings.Cut(l, "=")
	if !h.section && firstKey(key) != "environment" {
		return mask.Line(l)
	}
	if !found || !keyForm.MatchString(key) {
		return hidden
	}
	h.goesOn(value)
	if h.known[lastKey(key)] && simple(value) && h.quote == "" {
		return l
	}
	return key + "= " + hidden
}

// goesOn follows a value to its end, which may be on a later line.
func (h *hider) goesOn(s string) {
	for s != "" {
		if h.quote != "" {
			after, ended := afterQuote(s, h.quote)
			if !ended {
				if len(h.quote) == 1 { // such a text ends with its line
					h.quote = ""
				}
				return
			}
			s, h.quote = after, ""
			continue
		}
		switch c := s[0]; {
		case strings.HasPrefix(s, `"""`) || strings.HasPrefix(s, "'''"):
			h.quote, s = s[:3], s[3:]
			continue
		case c == '"' || c == '\'':
			h.quote = s[:1]
		case c == '[' || c == '{':
			h.depth++
		case (c == ']' || c == '}') && h.depth > 0:
			h.depth--
		case c == '#':
			return
		}
		s = s[1:]
	}
	if len(h.quote) == 1 {
		h.quote = ""
	}
}

// afterQuote is what comes after the end of a text. In one with double quotes a backslash takes the meaning from what follows.
func afterQuote(s, quote string) (after string, ended bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && quote[0] == '"' {
			i++
			continue
		}
		if strings.HasPrefix(s[i:], quote) {
			return s[i+len(quote):], true
		}
	}
	return "", false
}

// upTo is the text up to a mark, and the mark: what comes after a header is not shown.
func upTo(l, mark string) string {
	head, _, _ := strings.Cut(l, mark)
	return head + mark
}

// firstKey and lastKey are parts of a dotted key.
func firstKey(key string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(key), ".")
	return strings.Trim(strings.TrimSpace(first), `"'`)
}

func lastKey(key string) string {
	key = strings.TrimSpace(key)
	return strings.Trim(strings.TrimSpace(key[strings.LastIndexByte(key, '.')+1:]), `"'`)
}

// simple: one short text or number and nothing after it.
func simple(value string) bool {
	value = strings.TrimSpace(value)
	if len(value) < 2 || len(value) > 300 {
		return len(value) == 1 && value[0] >= '0' && value[0] <= '9'
	}
	quote := value[0]
	if quote == '"' || quote == '\'' {
		return strings.IndexByte(value[1:], quote) == len(value)-2
	}
	return value == "true" || value == "false" || strings.Trim(value, "0123456789") == ""
}

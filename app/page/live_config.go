package page

import (
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// hidden stands for a value that is not shown.
const hidden = "•••"

// hideValues takes the values of variables out of a configuration: only those of the crash environment are shown. The file may be broken,
// which is when one looks at it: where it is not clear what a line is, it is hidden.
func hideValues(lines []string) []string {
	h := hider{known: map[string]bool{}}
	for _, v := range crash.Table() {
		h.known[v.Name] = true
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = h.line(strings.TrimSuffix(l, "\r"))
	}
	for i, l := range crash.MaskLines(out) {
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
	value   bool   // the value of a variable may go on
	quote   string // that ends a text of several lines
}

func (h *hider) line(l string) string {
	t := strings.TrimSpace(l)
	if h.quote != "" {
		if strings.Contains(t, h.quote) {
			h.quote = ""
		}
		return hidden
	}
	switch {
	case t == "" || t[0] == '#':
		return crash.Mask(l)
	case t[0] == '[' && !(h.value && !strings.Contains(t, "]")):
		name := strings.ToLower(strings.Trim(t, "[] \t"))
		if i := strings.IndexByte(t, ']'); i > 0 {
			name = strings.Trim(t[:i], "[ \t")
		}
		h.section, h.value = firstKey(name) == "environment", false
		if h.section {
			return upTo(l, "]")
		}
		return crash.Mask(l)
	}
	key, value, found := strings.Cut(l, "=")
	variable := lastKey(key)
	if !h.section && (!found || firstKey(key) != "environment") {
		if h.value {
			return hidden
		}
		return crash.Mask(l)
	}
	if !found {
		return hidden
	}
	h.value = true
	for _, q := range []string{`"""`, "'''"} {
		if strings.Count(value, q)%2 == 1 {
			h.quote = q
		}
	}
	if h.known[variable] && simple(value) && h.quote == "" {
		return l
	}
	return key + "= " + hidden
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

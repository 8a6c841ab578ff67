package paste

import (
	"slices"
	"strings"
)

// reader goes over a JSON text that may be cut off anywhere; it builds nothing but what is asked for.
type reader struct {
	s    string
	path []string // the keys above; of a list's element ""
	f    *fields
	at   []int // the number of the element in each list above
}

const (
	deepestJSON = 24
	mostFrames  = 1000 // of one exception
)

// readFields reads a record's fields, as far as they go.
func readFields(s string) (f fields) {
	r := reader{s: s, f: &f}
	r.value("")
	if f.kind == "" && len(f.frames) > 0 {
		f.frames = nil
	}
	return f
}

func (r *reader) space() {
	i := 0
	for i < len(r.s) && (r.s[i] == ' ' || r.s[i] == '\t') {
		i++
	}
	r.s = r.s[i:]
}

// value reads one value under a key; false ends the reading.
func (r *reader) value(key string) bool {
	r.space()
	if r.s == "" {
		return false
	}
	switch r.s[0] {
	case '{', '[':
		if len(r.path) >= deepestJSON {
			return false
		}
		r.path = append(r.path, key)
		ok := r.members(r.s[0] == '{')
		r.path = r.path[:len(r.path)-1]
		return ok
	case '"':
		text, whole := r.str()
		r.field(key, text, true)
		return whole
	}
	n := strings.IndexAny(r.s, ",}] \t")
	if n < 0 {
		n = len(r.s)
	}
	if n == 0 {
		return false
	}
	r.field(key, r.s[:n], false)
	r.s = r.s[n:]
	return true
}

// members reads what stands in an object or a list.
func (r *reader) members(object bool) bool {
	r.s = r.s[1:]
	r.at = append(r.at, 0)
	defer func() { r.at = r.at[:len(r.at)-1] }()
	for {
		r.space()
		if r.s == "" {
			return false
		}
		switch r.s[0] {
		case '}', ']':
			r.s = r.s[1:]
			return true
		case ',':
			r.s = r.s[1:]
			r.at[len(r.at)-1]++
			continue
		}
		key := ""
		if object {
			if r.s[0] != '"' {
				return false
			}
			raw, whole := r.str()
			r.space()
			if !whole || r.s == "" || r.s[0] != ':' {
				return false
			}
			key, r.s = raw, r.s[1:]
		}
		if !r.value(key) {
			return false
		}
	}
}

// str reads a string and leaves its escapes as they are; whole is false if its end is not there.
func (r *reader) str() (raw string, whole bool) {
	for i := 1; i < len(r.s); i++ {
		switch r.s[i] {
		case '\\':
			i++
		case '"':
			raw, r.s = r.s[1:i], r.s[i+1:]
			return raw, true
		}
	}
	raw, r.s = r.s[1:], ""
	return raw, false
}

// field takes one value, if it is of any use.
func (r *reader) field(key, raw string, text bool) {
	f := r.f
	depth := len(r.path)
	above := ""
	if depth > 0 {
		above = r.path[depth-1]
	}
	if depth >= 2 && r.frame(key, raw) {
		return
	}
	switch {
	case key == "role" || key == "content" || key == "prompt" || key == "messages" || key == "choices":
		f.other = f.other || depth <= 4
	case text && strings.Contains(raw, traceHeader) && isTraceField(key):
		own := !messageKey(key)
		if depth > 3 || f.other && !own {
			return
		}
		whole := unescape(raw)
		for strings.Contains(whole, traceHeader+`:\n`) {
			whole = unescape(whole)
		}
		if key == "log" || key == "textPayload" {
			f.message, f.raw = whole, true
			return
		}
		if !own && !strings.Contains(strings.TrimRight(whole, "\r\n"), "\n") { // a traceback of which each line has a record of its own
			f.message = orElse(f.message, strings.TrimRight(whole, "\r\n"))
			return
		}
		at := strings.Index(whole, traceHeader)
		if at >= 0 && (f.trace == "" || own) {
			f.trace, f.within = whole[at:], !own
		}
		if before := strings.TrimSpace(whole[:max(at, 0)]); before != "" && f.message == "" {
			f.message = before
		}
	case key == "" && traceKey(above) && text && depth <= 3:
		f.stack = append(f.stack, unescape(raw))
	case f.level == "" && (key == "level" || key == "severity" || key == "levelname" || key == "log.level" || key == "lvl" || key == "loglevel" || key == "severity_text" || key == "severityText" || key == "status" && text && isLevel(raw) || key == "name" && above == "level"):
		f.level = raw
	case f.time == "" && depth <= 2 && (key == "timestamp" || key == "time" || key == "ts" || key == "@timestamp" || key == "asctime" || key == "date" || key == "datetime"):
		f.time = raw
	case text && (key == "exc_type" || key == "errorType" || (key == "type" || key == "kind" || key == "class") && isExceptionField(above) || key == "error.kind" || key == "error.type" || key == "exception.type"):
		r.exceptionType(unescape(raw))
	case text && (key == "exc_value" || key == "errorMessage" || (key == "message" || key == "value" || key == "msg") && isExceptionField(above) || key == "error.message" || key == "exception.message"):
		if e := r.other(); e != nil {
			e.value = unescape(raw)
		} else if f.value == "" {
			f.value = unescape(raw)
		}
	case text && messageKey(key) && (depth == 1 || depth == 2 && (above == "jsonPayload" || above == "record")):
		if f.message == "" || key == "message" {
			f.message, f.said = unescape(raw), true
			f.raw = key == "log" || key == "textPayload"
		}
	}
}

func isExceptionField(k string) bool {
	return k == "error" || k == "err" || k == "exception" || k == "exc" || k == "exc_info"
}

// inChain reports whether the reader is in another than the first element of a list of exceptions.
func (r *reader) inChain() bool {
	for i, k := range r.path {
		if traceKey(k) && i < len(r.at) && r.at[i] > 0 && i+1 < len(r.path) && r.path[i+1] == "" {
			return true
		}
	}
	return false
}

// inGroup reports whether the reader is in an exception of a group.
func (r *reader) inGroup() bool {
	return slices.Contains(r.path, "exceptions")
}

// other is the exception that is read, if it is another than the record's own; nil if it is that one.
func (r *reader) other() *exception {
	switch f := r.f; {
	case r.inGroup() && len(f.group) > 0:
		return &f.group[len(f.group)-1]
	case !r.inGroup() && r.inChain() && len(f.more) > 0:
		return &f.more[len(f.more)-1]
	}
	return nil
}

func (r *reader) exceptionType(kind string) {
	switch {
	case r.inGroup():
		r.f.group = append(r.f.group, exception{kind: kind})
		return
	case r.inChain():
		r.f.more = append(r.f.more, exception{kind: kind})
		return
	}
	if r.f.kind == "" {
		r.f.kind = kind
	}
}

// frame takes a field of a frame that is data: the elements of a list "frames" or "stacktrace".
func (r *reader) frame(key, raw string) bool {
	list := -1
	for i := len(r.path) - 1; i > 0; i-- {
		if r.path[i] == "" && (r.path[i-1] == "frames" || r.path[i-1] == "stacktrace" || r.path[i-1] == "stack") {
			list = i - 1
			break
		}
	}
	if list < 0 || list+2 != len(r.path) {
		return false
	}
	to := &r.f.frames
	if e := r.other(); e != nil {
		to = &e.frames
	}
	if r.at[list] >= mostFrames {
		return true
	}
	for len(*to) <= r.at[list] {
		*to = append(*to, frame{})
	}
	fr := &(*to)[r.at[list]]
	switch key {
	case "filename", "file", "path", "abs_path":
		fr.file = unescape(raw)
	case "lineno", "line_no":
		fr.line = raw
	case "line":
		if allDigits(raw) {
			fr.line = raw
		} else {
			fr.code = unescape(raw)
		}
	case "name", "function", "func":
		fr.name = unescape(raw)
	case "context_line", "code":
		fr.code = unescape(raw)
	}
	return true
}

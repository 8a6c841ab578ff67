package traceback

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	longestRecord = 256 << 10 // bytes of a JSON line that are decoded
	deepest       = 6         // levels of it that are looked at
)

// recordHints are what a record that tells of an exception holds.
var recordHints = []string{Header, `exc_type`, `"exception"`, `"error.type"`, `"exc_info"`, `"stack_trace"`, `"stacktrace"`}

// record reads a line of JSON that logging wrote: structlog, loguru, python-json-logger and their like.
func (r *reader) record(i int) int {
	l := r.lines[i]
	if len(l) > longestRecord || !slices.ContainsFunc(recordHints, func(h string) bool { return strings.Contains(l, h) }) {
		return 0
	}
	var object map[string]any
	if json.Unmarshal([]byte(l), &object) != nil {
		return 0
	}
	e, ok := exceptionIn(object, 0)
	if !ok {
		return 0
	}
	e.Start, e.Line, e.End, e.Form = i, i, i+1, Record
	e.Level = levelOf(object)
	return r.keep(e, i+1)
}

func levelOf(object map[string]any) string {
	for _, key := range []string{"level", "levelname", "severity", "log.level"} {
		if s, ok := object[key].(string); ok {
			return strings.ToLower(s)
		}
	}
	if inner, ok := object["record"].(map[string]any); ok { // loguru's
		if level, ok := inner["level"].(map[string]any); ok {
			s, _ := level["name"].(string)
			return strings.ToLower(s)
		}
	}
	return ""
}

// exceptionIn looks for an exception in a JSON value: a traceback in a text, or a type and a value.
func exceptionIn(value any, depth int) (e Exception, ok bool) {
	if depth > deepest {
		return e, false
	}
	switch v := value.(type) {
	case string:
		if !strings.Contains(v, Header) {
			return e, false
		}
		found := Find(strings.Split(v, "\n"))
		if len(found) == 0 {
			return e, false
		}
		return found[len(found)-1], true
	case []any: // structlog puts the exception first, and what it was raised from behind it
		for _, one := range v {
			if e, ok := exceptionIn(one, depth+1); ok {
				return e, true
			}
		}
	case map[string]any:
		return exceptionOf(v, depth)
	}
	return e, false
}

// exceptionOf is the exception in an object that has its type and its value, or in one of its members.
func exceptionOf(v map[string]any, depth int) (e Exception, ok bool) {
	for _, keys := range [][2]string{{"exc_type", "exc_value"}, {"type", "value"}, {"error.type", "error.message"}, {"type", "message"}, {"class", "message"}, {"name", "message"}} {
		name, _ := v[keys[0]].(string)
		message, has := v[keys[1]].(string)
		if name == "" || !has || !Strong(name+": x") {
			continue
		}
		e.Name, e.Text = name, name+": "+message
		frames, _ := v["frames"].([]any)
		for _, f := range frames[:min(len(frames), mostFrames)] {
			if m, ok := f.(map[string]any); ok {
				file, _ := m["filename"].(string)
				function, _ := m["name"].(string)
				line, _ := m["lineno"].(float64)
				e.Frames = append(e.Frames, Frame{File: file, Line: strconv.Itoa(int(line)), Function: function})
			}
		}
		return e, true
	}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if e, ok := exceptionIn(v[key], depth+1); ok {
			return e, true
		}
	}
	return e, false
}

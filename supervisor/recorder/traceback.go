package recorder

import (
	"fmt"
	"strings"
)

const (
	mostRaisedLines  = 1000
	mostMessageLines = 50
)

// Traceback is the exception as Python would have printed it: its chain first, then itself, with notes and the members of a group. The source
// lines are missing.
func (r *Raised) Traceback() []string {
	lines := r.traceback("")
	if len(lines) > mostRaisedLines {
		lines = lines[len(lines)-mostRaisedLines:] // its end says what ended the process
	}
	return lines
}

func (r *Raised) traceback(bars string) []string {
	var all []string
	if r.Cause != nil {
		all = append(r.Cause.traceback(bars), bars, bars+"The above exception was the direct cause of the following exception:", bars)
	} else if r.Context != nil {
		all = append(r.Context.traceback(bars), bars, bars+"During handling of the above exception, another exception occurred:", bars)
	}
	add := func(format string, args ...any) { all = append(all, bars+fmt.Sprintf(format, args...)) }
	if len(r.Group) > 0 {
		if bars == "" {
			bars = "  "
			add("+ Exception Group Traceback (most recent call last):")
			bars = "  | "
		} else {
			add("Exception Group Traceback (most recent call last):")
		}
	} else if len(r.Frames) > 0 || r.File == "" {
		add("Traceback (most recent call last):")
	}
	for _, f := range r.Frames {
		add("  File \"%s\", line %d, in %s", f.File, f.Line, f.Function)
	}
	if r.File != "" {
		add("  File \"%s\", line %d", r.File, r.Line)
	}
	message := strings.Split(r.Message, "\n")
	if len(message) > mostMessageLines {
		message = append(message[:mostMessageLines], "…")
	}
	if r.Message == "" {
		add("%s", r.Name())
	} else {
		add("%s: %s", r.Name(), message[0])
	}
	for _, l := range append(message[1:], r.Notes...) {
		add("%s", l)
	}
	return append(all, r.members(bars)...)
}

// members are those of a group, each between lines of its own.
func (r *Raised) members(bars string) []string {
	if len(r.Group) == 0 {
		return nil
	}
	indent := strings.TrimSuffix(bars, "| ")
	var all []string
	for i, m := range r.Group {
		rule := fmt.Sprintf("+---------------- %d ----------------", i+1)
		if i == 0 {
			all = append(all, indent+"+-"+rule)
		} else {
			all = append(all, indent+"  "+rule)
		}
		all = append(all, m.traceback(indent+"  | ")...)
	}
	return append(all, indent+"  +------------------------------------")
}

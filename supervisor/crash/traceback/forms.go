package traceback

import (
	"regexp"
	"strings"
)

// The forms of tools that print tracebacks in a way of their own.

const debuggerHeader = "Exception has occurred: "

var (
	boxFrame       = regexp.MustCompile(`^(.+?):(\d+) in (\S.*)$`)
	notebookHeader = regexp.MustCompile(`^[A-Za-z_][\w.]*\s{4,}Traceback \(most recent call last\)$`)
	notebookFrame  = regexp.MustCompile(`^File (\S.*?):(\d+)(?:, in (.+?)(?:\(.*)?)?$`)
	notebookCell   = regexp.MustCompile(`^Cell (In\s?\[\d+\]), line (\d+)`)
	notebookOld    = regexp.MustCompile(`^([~/<]\S*) in ([\w<>.]+)(?:\(.*)?$`)
)

// isBoxTop: the header stands in the upper edge of a box, drawn with lines or with ASCII.
func isBoxTop(l string, header int) bool {
	left := strings.TrimSpace(l[:header])
	right := strings.TrimSpace(l[header+len(Header):])
	return (strings.HasSuffix(left, "─") || strings.HasSuffix(left, "--")) && (strings.HasPrefix(right, "─") || strings.HasPrefix(right, "--"))
}

// box reads a box of rich: frames and source in it, the exception below.
func (r *reader) box(i int) int {
	e := Exception{Start: i, Line: -1, Form: Box}
	if edge := strings.IndexAny(r.lines[i], "╭+"); edge > 0 {
		e.Prefix = strings.TrimSpace(r.lines[i][:edge])
	}
	path, n := "", i+1
	for ; n < len(r.lines); n++ {
		content, ok := boxContent(r.lines[n])
		if !ok {
			break
		}
		switch m := boxFrame.FindStringSubmatch(path + content); {
		case m != nil && (strings.ContainsAny(m[1], "/\\.") || strings.HasPrefix(m[1], "<")) && !strings.ContainsAny(content[:1], " │❱"):
			if len(e.Frames) < mostFrames {
				e.Frames = append(e.Frames, Frame{m[1], m[2], m[3], n})
			}
			path = ""
		case strings.HasPrefix(content, "/") && !strings.Contains(content, " "): // a long path is broken in two
			path += content
		default:
			path = ""
		}
	}
	for ; n < len(r.lines) && strings.TrimSpace(r.lines[n]) == "" && n < i+mostFrames*8; n++ {
	}
	if n < len(r.lines) && IsException(strings.TrimSpace(r.lines[n])) {
		e.Line = n
		r.message(&e)
		n = e.End
	}
	return r.keep(e, n)
}

// boxContent is what stands between the sides of a box; false: the line is none of it. The lower edge has nothing in it.
func boxContent(l string) (string, bool) {
	t := strings.TrimSpace(l)
	switch {
	case strings.HasPrefix(t, "╰") || strings.HasPrefix(t, "+--"):
		return " ", true
	case strings.HasPrefix(t, "│ "):
		t = t[len("│ "):]
	case strings.HasPrefix(t, "│"):
		t = t[len("│"):]
	case strings.HasPrefix(t, "| "):
		t = t[len("| "):]
	default:
		return "", false
	}
	t = strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(t, "│"), "|"), " ")
	if t == "" {
		t = " "
	}
	return t, true
}

// notebook reads IPython's form: the header has the exception's name, and so has the last line.
func (r *reader) notebook(i int) int {
	name, _, _ := strings.Cut(r.lines[i], " ")
	e := Exception{Start: i, Line: -1, Form: Notebook}
	n := i + 1
	for ; n < len(r.lines) && n-i < 20*mostMessage; n++ {
		l := r.lines[n]
		if rest, ok := strings.CutPrefix(l, name); ok && (rest == "" || rest[0] == ':') {
			e.Line = n
			r.message(&e)
			n = e.End
			break
		}
		switch {
		case len(e.Frames) == mostFrames:
		case notebookFrame.MatchString(l):
			m := notebookFrame.FindStringSubmatch(l)
			e.Frames = append(e.Frames, Frame{m[1], m[2], m[3], n})
		case notebookCell.MatchString(l):
			m := notebookCell.FindStringSubmatch(l)
			e.Frames = append(e.Frames, Frame{m[1], m[2], "", n})
		case notebookOld.MatchString(l):
			m := notebookOld.FindStringSubmatch(l)
			e.Frames = append(e.Frames, Frame{m[1], "", m[2], n})
		}
	}
	return r.keep(e, n)
}

// debugger reads what VS Code copies: the name, the message, the frames with the innermost one first, and often the exception again.
func (r *reader) debugger(i int) int {
	e := Exception{Start: i, Line: i, Form: Debugger}
	e.Name = strings.TrimSpace(strings.TrimPrefix(r.lines[i], debuggerHeader))
	e.Name, _, _ = strings.Cut(e.Name, " ")
	text, n := []string{}, i+1
	for ; n < len(r.lines) && n-i < mostMessage && frameOf(r.lines[n]) == nil && strings.TrimSpace(r.lines[n]) != ""; n++ {
		text = append(text, r.lines[n])
	}
	e.Text, e.End = e.Name+": "+strings.Join(text, "\n"), n
	last := n
	for ; n < len(r.lines) && len(e.Frames) < mostFrames; n++ {
		l := r.lines[n]
		if m := frameOf(l); m != nil {
			e.Frames = append([]Frame{{m[1], m[2], m[3], n}}, e.Frames...)
			last = n + 1
			continue
		}
		if l == "" || l[0] != ' ' && l[0] != '\t' {
			break
		}
	}
	e.End = max(e.End, last)
	if n < len(r.lines) && strings.HasPrefix(r.lines[n], e.Name) {
		e.Line = n
		r.message(&e)
	}
	return r.keep(e, e.End)
}

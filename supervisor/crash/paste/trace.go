package paste

import (
	"cmp"
	"slices"
	"strings"
)

const (
	traceHeader = "Traceback (most recent call last)"
	fatalHeader = "Fatal Python error: "
)

// tracebacks makes the lines of each traceback what Python printed: without the prefix of a logging form, on lines of their own, indented.
func tracebacks(ls []line) []line {
	for i := range ls {
		if r, ok := parseRecord(ls[i].Text); ok {
			ls[i].record = r.rest
			if ls[i].Level == "" {
				ls[i].Level = r.level
			}
			if ls[i].Time == "" {
				ls[i].Time = r.time
			}
		}
	}
	return bySource(ls, func(ls []line) []line {
		ls = separate(ls)
		indentation(ls)
		return ls
	})
}

// bySource lets do work on the lines of each source in one piece; afterwards they are where they were.
func bySource(ls []line, do func([]line) []line) []line {
	if !isMixed(ls) {
		return do(ls)
	}
	for i := range ls {
		ls[i].at = i
	}
	slices.SortStableFunc(ls, func(a, b line) int { return cmp.Compare(a.Source, b.Source) })
	ls = do(ls)
	slices.SortStableFunc(ls, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	return ls
}

// isMixed reports whether the lines are of several sources.
func isMixed(ls []line) bool {
	for i := 1; i < len(ls); i++ {
		if ls[i].Source != ls[0].Source {
			return true
		}
	}
	return false
}

// separate takes what stands before a traceback's lines off, or gives it a line of its own.
func separate(ls []line) []line {
	out := make([]line, 0, len(ls)+8)
	for i := 0; i < len(ls); i++ {
		l := ls[i]
		at, header := anchor(l.Text)
		if at <= 0 || isDrawing(l.Text[:at]) {
			out = append(out, l)
			continue
		}
		if p := sharedPrefix(ls, i, l.Text[:at], header); p != "" {
			for j := len(out) - 1; j >= 0 && i+j-len(out) >= 0; j-- { // what stands above it in the same form
				rest, ok := likePrefix(out[j].Text, p)
				if !ok || !sameSource(out[j], l) {
					break
				}
				out[j].Text = rest
			}
			for ; i < len(ls); i++ {
				rest, ok := likePrefix(ls[i].Text, p)
				if !ok || !sameSource(ls[i], l) {
					break
				}
				ls[i].Text = rest
				out = append(out, ls[i])
			}
			i--
			continue
		}
		if !header || !followedByFrame(ls, i) || isSaid(l.Text[:at]) {
			out = append(out, l)
			continue
		}
		before := l
		before.Text = strings.TrimRight(l.Text[:at], " ")
		l.Text = l.Text[at:]
		bare := strings.HasPrefix(before.record, traceHeader) || strings.HasPrefix(before.record, fatalHeader) || isOnlyPrefix(before.Text)
		if !bare {
			out = append(out, before)
		}
		out = append(out, l)
	}
	return out
}

func sameSource(a, b line) bool { return a.Source == b.Source }

// anchor finds where a traceback's own text begins in a line: its header, or a frame. -1 if it has none.
func anchor(s string) (at int, header bool) {
	if i := strings.Index(s, traceHeader); i >= 0 {
		rest := strings.TrimRight(s[i+len(traceHeader):], " ")
		if rest == ":" || rest == "" {
			return i, true
		}
		return -1, false
	}
	if i := strings.Index(s, fatalHeader); i >= 0 {
		return i, true
	}
	if i := strings.Index(s, `  File "`); i >= 0 && strings.Contains(s[i:], `", line `) {
		return i, false
	}
	return -1, false
}

// isDrawing reports whether what stands before a traceback's text is how Python or a tool draws it: indentation, an exception group's
// bars, a box.
func isDrawing(s string) bool {
	for _, r := range s {
		switch {
		case strings.ContainsRune(" \t|+-*>", r), r >= 0x2500 && r <= 0x257f, r == '❱':
		default:
			return false
		}
	}
	return true
}

// sharedPrefix is what stands before line i and as well before the line after it, or above it: "" if they do not have it in common.
func sharedPrefix(ls []line, i int, before string, header bool) string {
	next := -1
	for j := i + 1; j < len(ls) && j < i+3; j++ {
		if !isBlank(ls[j].Text) && sameSource(ls[j], ls[i]) {
			next = j
			break
		}
	}
	if next < 0 {
		return ""
	}
	rest, ok := likePrefix(ls[next].Text, before)
	if !ok {
		return ""
	}
	if header && !isFrame(rest) && !strings.HasPrefix(rest, "Current thread ") && !strings.HasPrefix(rest, "Thread 0x") && !isBlank(rest) && !strings.HasPrefix(rest, "Python runtime state") {
		return ""
	}
	return before
}

// likePrefix takes a prefix off that is like another: the same but for the numbers in it.
func likePrefix(s, like string) (rest string, ok bool) {
	i, j := 0, 0
	if k, n := indent(s), indent(like); k != n && k < len(s) && n < len(like) && isDigit(s[k]) && isDigit(like[n]) { // numbers set to the right
		i, j = k, n
	}
	for j < len(like) {
		switch {
		case i >= len(s):
			return "", isBlank(like[j:]) // the head alone, without the space at its end
		case isDigit(like[j]):
			if !isDigit(s[i]) {
				return s, false
			}
			for i < len(s) && isDigit(s[i]) {
				i++
			}
			for j < len(like) && isDigit(like[j]) {
				j++
			}
		case s[i] != like[j]:
			return s, false
		default:
			i, j = i+1, j+1
		}
	}
	return s[i:], true
}

func isFrame(s string) bool {
	return strings.HasPrefix(strings.TrimLeft(s, " \t"), `File "`) && strings.Contains(s, `", line `)
}

func followedByFrame(ls []line, i int) bool {
	for j := i + 1; j < len(ls) && j < i+4; j++ {
		t := strings.TrimLeft(ls[j].Text, " \t>")
		if isFrame(t) || strings.HasPrefix(t, "Current thread ") || strings.HasPrefix(t, "Thread 0x") || strings.HasPrefix(t, "Python runtime state") {
			return true
		}
		if !isBlank(t) {
			return false
		}
	}
	return i+1 >= len(ls) || strings.HasPrefix(ls[i].Text[max(0, strings.Index(ls[i].Text, fatalHeader)):], fatalHeader)
}

// isOnlyPrefix reports whether a text is no more than a terminal's echo of Ctrl-C, or a logger's name.
func isOnlyPrefix(s string) bool { return s == "^C" || s == "" }

// speakers are how a conversation, or a form that somebody filled in, names whose words follow.
var speakers = []string{
	"user", "assistant", "human", "ai", "bot", "system", "prompt", "question", "answer", "message", "content", "input", "response", "query", "me", "you",
	"client", "customer", "text", "body", "chat", "q", "a", "tool", "model", "reply", "completion", "instruction",
}

// isSaid reports whether what stands before a traceback says that somebody quotes it: "user: ", "assistant> ", a quotation mark.
func isSaid(before string) bool {
	before = strings.TrimRight(before, " ")
	if before == "" {
		return false
	}
	switch before[len(before)-1] {
	case '"', '\'', '`', '(', '=':
		return true
	case ':', '>', ']':
		word := strings.ToLower(strings.Trim(before[strings.LastIndexAny(before[:len(before)-1], " \t")+1:], ":>[]<|"))
		for _, s := range speakers {
			if word == s {
				return true
			}
		}
	}
	return false
}

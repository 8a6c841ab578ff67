package paste

import "strings"

// indentation gives tracebacks the indentation that Python gave them: none for the header and the exception, two for frames, four for code.
// A copy from a page, a form or a chat may have lost it, or have got more.
func indentation(ls []line) {
	dedentWhole(ls)
	for i := 0; i < len(ls); i++ {
		t := ls[i].Text
		k := indent(t)
		switch rest := t[k:]; {
		case k > 0 && (rest == traceHeader+":" || strings.HasPrefix(rest, fatalHeader)):
			dedentBlock(ls[i:], k)
		case k == 0 && strings.HasSuffix(rest, "(most recent call last):") || strings.HasSuffix(rest, "(most recent call first):"):
			if hang := hanging(ls[i+1:]); hang > 0 {
				dedentBlock(ls[i+1:], hang)
			}
		case k == 2 || !isFrame(rest):
			continue
		case k != 0 && (i == 0 || !reindents(ls[:i])):
			continue
		}
		if k = indent(ls[i].Text); isFrame(ls[i].Text) && k != 2 {
			i += frames(ls[i:]) - 1
		}
	}
}

// hanging is the indentation by which the lines below a header stand below what was before it on its line, as journalctl prints an
// entry of several lines: the exception has it as well. 0 if there is none.
func hanging(ls []line) int {
	if len(ls) == 0 || !isFrame(ls[0].Text) {
		return 0
	}
	k := indent(ls[0].Text)
	if k <= 2 || ls[0].Text[0] == '\t' {
		return 0
	}
	for _, l := range ls[1:min(len(ls), 400)] {
		if n := indent(l.Text); n < k && !isBlank(l.Text) {
			if n == k-2 {
				return n
			}
			return 0
		}
	}
	return 0
}

// reindents reports whether a frame after these lines belongs to a traceback whose header stands at the margin.
func reindents(above []line) bool {
	for j := len(above) - 1; j >= 0 && j >= len(above)-3; j-- {
		if t := above[j].Text; strings.HasPrefix(t, traceHeader) || strings.HasPrefix(t, "Current thread ") || strings.HasPrefix(t, "Thread 0x") || isFrame(t) {
			return true
		}
	}
	return false
}

// dedentWhole takes off what all lines have in common: a code block by indentation.
func dedentWhole(ls []line) {
	common := -1
	for _, l := range ls {
		if isBlank(l.Text) {
			continue
		}
		if k := indent(l.Text); common < 0 || k < common {
			common = k
		}
		if strings.HasPrefix(l.Text[indent(l.Text):], "+ Exception Group Traceback") { // its own two columns
			common = min(common, max(indent(l.Text)-2, 0))
		}
		if common == 0 {
			return
		}
	}
	for i := range ls {
		ls[i].Text = ls[i].Text[min(max(common, 0), indent(ls[i].Text)):]
	}
}

// dedentBlock takes k columns off the lines from a header on, as long as they have them.
func dedentBlock(ls []line, k int) {
	for i := range ls {
		t := ls[i].Text
		switch {
		case isBlank(t):
			ls[i].Text = ""
		case indent(t) < k:
			return
		default:
			ls[i].Text = t[k:]
		}
	}
}

const mostCode = 12 // lines of code below a frame: Python shows a whole statement

// frames indents the frames at the head of ls, and the code below each, and gives the number of lines it went over.
func frames(ls []line) int {
	n := 0
	for n < len(ls) && isFrame(ls[n].Text) {
		ls[n].Text = "  " + module(strings.TrimSpace(ls[n].Text))
		n++
		n += code(ls[n:])
	}
	return n
}

// module gives a frame the "<module>" back that a page took for a tag.
func module(frame string) string {
	if strings.HasSuffix(frame, ", in") && strings.Contains(frame, `", line `) {
		return frame + " <module>"
	}
	return frame
}

// code indents the lines of code below a frame, and gives their number. Which line is the exception's is told by its form.
func code(ls []line) int {
	for n := range min(len(ls), mostCode) {
		t := strings.TrimSpace(ls[n].Text)
		switch {
		case isFrame(t):
			return indentAll(ls[:n])
		case t == "" || strings.HasPrefix(t, traceHeader) || strings.HasPrefix(t, "Current thread ") || strings.HasPrefix(t, "Thread 0x") || strings.HasPrefix(t, "Extension modules:"):
			return indentAll(ls[:n])
		case isException(t) && (n > 0 || !continues(ls[1:])):
			return indentAll(ls[:n])
		}
	}
	return indentAll(ls[:min(len(ls), 1)]) // no end is near: one line, as older versions print
}

// continues reports whether the next line shows that the one before was code.
func continues(ls []line) bool {
	if len(ls) == 0 {
		return false
	}
	t := strings.TrimSpace(ls[0].Text)
	return isFrame(t) || t != "" && strings.Trim(t, "^~ ") == "" || isException(t)
}

func indentAll(ls []line) int {
	for i := range ls {
		t := strings.TrimLeft(ls[i].Text, " \t")
		if strings.HasPrefix(t, "[Previous line repeated") {
			ls[i].Text = "  " + t
			continue
		}
		if indent(ls[i].Text) < 4 {
			ls[i].Text = "    " + t
		}
	}
	return len(ls)
}

// isException reports whether a line names an exception: a class, perhaps in its module, alone or before a colon.
func isException(s string) bool {
	n, _, colon := strings.Cut(s, ":")
	if !colon && strings.ContainsAny(s, " ()=[]{},") {
		return false
	}
	last := n[strings.LastIndexByte(n, '.')+1:]
	if last == "" {
		return false
	}
	for i, r := range n {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
		if !letter && (i == 0 || r != '.' && (r < '0' || r > '9')) {
			return false
		}
	}
	for _, end := range []string{"Error", "Exception", "Warning", "Exit", "Interrupt", "Group", "Timeout", "Expired", "NotFound", "Failed", "Fault"} {
		if strings.HasSuffix(last, end) {
			return true
		}
	}
	return colon && last[0] >= 'A' && last[0] <= 'Z' && last != strings.ToUpper(last)
}

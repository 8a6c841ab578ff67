package traceback

import "strings"

// separator stands for what separates the parts of a group: no message goes on below it.
const separator = "\x00"

// group reads an exception group: every line has a margin that says how deep it is. Below the margin are ordinary tracebacks.
func (r *reader) group(i int) int {
	end := i + 1
	for end < len(r.lines) && margin.MatchString(r.lines[end]) {
		end++
	}
	inner := make([]string, end)
	prefix, _, _ := strings.Cut(r.lines[i], "+ Exception Group ")
	inner[i] = Header + ":"
	for n := i + 1; n < end; n++ {
		inner[n] = withoutMargin(r.lines[n])
	}
	sub := reader{lines: inner}
	for n := i; n < end; {
		header := strings.Index(inner[n], Header)
		next := 0
		switch {
		case header >= 0 && strings.HasSuffix(inner[n], Header+":"):
			next = sub.plain(n, header)
		case n > i && inner[n-1] == separator && len(sub.found) > 0 && Strong(inner[n]): // one that was never raised has no traceback
			e := Exception{Start: n, Line: n}
			sub.message(&e)
			next = sub.keep(e, e.End)
		}
		n = max(next, n+1)
	}
	if len(sub.found) == 0 {
		return end
	}
	e := sub.found[0]
	e.Prefix, e.Start, e.End = strings.TrimSpace(prefix), i, end
	e.Leaves = leaves(sub.found)
	above := Filled(r.lines, i)
	e.Intro = ""
	if above >= 0 {
		e.Intro = r.lines[above]
	}
	r.found = append(r.found, e)
	return end
}

func leaves(found []Exception) (all []Exception) {
	for _, e := range found {
		if !strings.HasSuffix(e.Name, "Group") {
			e.Prefix, e.Intro = "", ""
			all = append(all, e)
		}
	}
	return all
}

// withoutMargin is a line of a group as it would stand outside of it. What separates its parts is one of a kind.
func withoutMargin(l string) string {
	t := strings.TrimLeft(l, " ")
	switch {
	case strings.HasPrefix(t, "+-"):
		return separator
	case strings.HasPrefix(t, "+ Exception Group "):
		return t[len("+ Exception Group "):]
	case strings.HasPrefix(t, "| "):
		t = t[2:]
	case strings.HasPrefix(t, "|"):
		t = t[1:]
	}
	return strings.TrimPrefix(t, "Exception Group ")
}

package crash

import (
	"slices"
	"strings"
)

// raisedWithin is how many of the last lines of output are looked through for the exception.
const raisedWithin = 200

// Unsaid says whether there is an uncaught exception that the output does not show: its hook was replaced, or its stderr was closed.
func Unsaid(e Evidence) bool {
	last := namedBy(e.Raised)
	if last == "" {
		return false
	}
	tail := e.Tail[max(0, len(e.Tail)-raisedWithin):]
	return !slices.ContainsFunc(tail, func(l string) bool { return strings.Contains(l, last) })
}

// output is what it printed, and the exception that it does not show as its last words.
func (e Evidence) output() []string {
	if !Unsaid(e) {
		return e.Tail
	}
	return append(slices.Clone(e.Tail), e.Raised...)
}

// namedBy is the line that names the exception: the one below the last frame, or below the header where there is none.
func namedBy(lines []string) string {
	named := ""
	for i, l := range lines[:max(0, len(lines)-1)] {
		if bare := strings.TrimLeft(l, " |+"); strings.HasPrefix(bare, "File \"") || strings.HasSuffix(bare, "Traceback (most recent call last):") {
			named = strings.Trim(lines[i+1], " |")
		}
	}
	return named
}

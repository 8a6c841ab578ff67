package page

import (
	"slices"
	"strings"
)

const (
	mostLines = 1500 // of the log, shown
	lastLines = 30   // seen at once
	leadLines = 8    // seen above the deciding one
	plainLog  = 60   // lines of the log in the text for an issue
)

// tail is the log's end as it is shown.
type tail struct {
	Lines    []logLine
	Omitted  int // lines above that are not shown
	Deciding int // number of the deciding line, from 1; 0: none
}

// fold is how many of the lines are folded: those above the deciding one, or above the last ones.
func (t tail) fold() int {
	at := len(t.Lines) - lastLines
	if i := slices.IndexFunc(t.Lines, func(l logLine) bool { return l.Deciding }); i >= 0 {
		at = min(i-leadLines, at)
	}
	if at < 4 { // not worth a click
		return 0
	}
	return at
}

// Earlier are the folded lines, Last those that are seen at once.
func (t tail) Earlier() []logLine { return t.Lines[:t.fold()] }
func (t tail) Last() []logLine    { return t.Lines[t.fold():] }

type logLine struct {
	Number   int
	Text     string
	Deciding bool
}

// newTail shows the last lines, and reaches back as far as the deciding one.
func newTail(lines []string, deciding int) tail {
	t := tail{Deciding: deciding + 1}
	from := max(0, len(lines)-mostLines)
	if deciding >= 0 && deciding < from {
		from = max(0, deciding-20)
	}
	to := min(len(lines), from+2*mostLines)
	t.Omitted = from
	for i := from; i < to; i++ {
		t.Lines = append(t.Lines, logLine{Number: i + 1, Text: lines[i], Deciding: i == deciding})
	}
	return t
}

// find is the last line that a verdict's line was taken from, -1 if there is none. The verdict may have cut it.
func find(lines []string, said string) int {
	said, cut := strings.CutSuffix(strings.TrimSpace(said), "…")
	if said == "" {
		return -1
	}
	part := -1
	for i := len(lines) - 1; i >= 0; i-- {
		l := strings.TrimSpace(lines[i])
		switch {
		case l == said || cut && strings.HasPrefix(l, said):
			return i
		case part < 0 && strings.Contains(l, said): // it was printed over a progress bar
			part = i
		}
	}
	return part
}

package page

import "strings"

const (
	mostLines = 1500 // of the log, shown
	plainLog  = 60   // lines of the log in the text for an issue
)

// tail is the log's end as it is shown.
type tail struct {
	Lines    []logLine
	Omitted  int // lines above that are not shown
	Deciding int // number of the deciding line, from 1; 0: none
}

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

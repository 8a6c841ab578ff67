package page

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// stack is one of Python's, as it printed it: a traceback, or a thread in faulthandler's report.
type stack struct {
	Title  string // "Traceback (most recent call last)", "Current thread 0x… (most recent call first)"
	Frames []pythonFrame
	End    string // the line that names the exception; "" of a thread
	from   int    // lines of the tail
	to     int
}

// pythonFrame is one call.
type pythonFrame struct {
	File, Line, Function string
	Code                 string // the source line, where Python printed it
	Own                  bool   // the person's own code
}

const (
	mostStacks = 8   // of a chain, or of threads
	mostFrames = 200 // of one stack, faulthandler itself prints 100
	fewFrames  = 12  // seen at once of a stack without a frame of the person's own
)

var (
	stackHeader = regexp.MustCompile(`^(?:.*\s)?(?:(Exception Group )?Traceback \(most recent call last\)|(?:Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\)):$`)
	frameLine   = regexp.MustCompile(`^\s*File "([^"]+)", line (\d+|\?+)(?:,? in (.+))?$`)
	groupBars   = regexp.MustCompile(`^[ |+-]*[|+][ -]?`) // what stands before the lines of an exception group
	chained     = regexp.MustCompile(`^(?:During handling of the above exception|The above exception was the direct cause)`)
)

// stacks are those that belong to the end: the last chain of tracebacks, outermost cause first, or the last report of faulthandler, the
// current thread first; or the one that deciding, a line of the tail, belongs to. own tells the person's own files.
func stacks(tail []string, deciding int, own func(file string) bool) []stack {
	all := everyStack(tail, own)
	if len(all) == 0 {
		return nil
	}
	last := len(all) - 1
	for i, s := range all {
		if deciding >= s.from && deciding <= s.to {
			last = i
		}
	}
	first := last
	for first > 0 && together(tail, all[first-1], all[first]) {
		first--
	}
	for last+1 < len(all) && all[last].End == "" && together(tail, all[last], all[last+1]) { // the threads of a report
		last++
	}
	found := slices.Clone(all[first : last+1])
	if found[0].Thread() { // faulthandler prints the one that matters last
		slices.SortStableFunc(found, func(a, b stack) int { return cmp.Compare(b.rank(), a.rank()) })
		return found[:min(len(found), mostStacks)]
	}
	return found[max(0, len(found)-mostStacks):]
}

// Thread: it is one of faulthandler's, else a traceback.
func (s stack) Thread() bool { return strings.HasSuffix(s.Title, "first)") }

// shorten takes the home folder out of what a page shows.
func (s *stack) shorten(w Words) {
	s.End = w.short(s.End)
	for i := range s.Frames {
		f := &s.Frames[i]
		f.File, f.Code = w.short(f.File), w.short(f.Code)
	}
}

// rank is how much a thread matters: the current one most, then those in the person's own code.
func (s stack) rank() int {
	switch {
	case strings.HasPrefix(s.Title, "Current thread "):
		return 2
	case slices.ContainsFunc(s.Frames, func(f pythonFrame) bool { return f.Own }):
		return 1
	}
	return 0
}

// cut parts a stack at the person's own code: what their code called is shown, and most of what called it is folded. The folded part of
// a traceback is its beginning, that of a thread its end.
func (s stack) cut() int {
	n := len(s.Frames)
	frames := slices.Clone(s.Frames)
	if !s.Thread() {
		slices.Reverse(frames)
	}
	keep := min(n, fewFrames)
	for i, f := range frames {
		if f.Own {
			keep = min(n, i+3)
		}
	}
	if n-keep < 4 { // not worth a click
		return n
	}
	return keep
}

// Shown are the frames that are seen at once.
func (s stack) Shown() []pythonFrame {
	if s.Thread() {
		return s.Frames[:s.cut()]
	}
	return s.Frames[len(s.Frames)-s.cut():]
}

// Callers are the others, folded: above those of a traceback, below those of a thread.
func (s stack) Callers() []pythonFrame {
	if s.Thread() {
		return s.Frames[s.cut():]
	}
	return s.Frames[:len(s.Frames)-s.cut()]
}

// together: two stacks are of one chain or of one report.
func together(tail []string, a, b stack) bool {
	if a.End == "" && b.End == "" {
		return b.from-a.to <= 2
	}
	for _, l := range tail[a.to+1 : b.from] {
		if chained.MatchString(bare(l)) {
			return true
		}
	}
	return false
}

func everyStack(tail []string, own func(string) bool) []stack {
	var all []stack
	for i := 0; i < len(tail); i++ {
		if l := bare(tail[i]); strings.HasSuffix(l, "):") && stackHeader.MatchString(l) {
			s := readStack(tail, i, own)
			if len(s.Frames) > 0 {
				all = append(all, s)
			}
			i = s.to
		}
	}
	return all
}

// bare is a line without the marks of an exception group.
func bare(l string) string { return strings.TrimRight(groupBars.ReplaceAllString(l, ""), " \r") }

func readStack(tail []string, header int, own func(string) bool) stack {
	l := bare(tail[header])
	s := stack{Title: strings.TrimSuffix(l, ":"), from: header, to: header}
	traceback := strings.HasSuffix(l, "last):")
	for i := header + 1; i < len(tail); i++ {
		l := bare(tail[i])
		m := frameLine.FindStringSubmatch(l)
		switch {
		case m != nil:
			if len(s.Frames) < mostFrames && !strings.HasPrefix(m[1], "<frozen importlib.") { // Python itself leaves those out of tracebacks
				s.Frames = append(s.Frames, pythonFrame{File: m[1], Line: m[2], Function: m[3], Own: own(m[1])})
			}
		case strings.HasPrefix(l, "    ") && len(s.Frames) > 0:
			s.code(strings.TrimSpace(l))
		case strings.HasPrefix(l, "  ") && len(s.Frames) > 0: // "  [Previous line repeated 978 more times]", "  ..."
			s.code(strings.TrimSpace(l))
		default:
			if traceback && l != "" {
				s.End, s.to = l, i
			}
			return s
		}
		s.to = i
	}
	return s
}

// code adds the source line below a frame; the marks below it are left out.
func (s *stack) code(l string) {
	f := &s.Frames[len(s.Frames)-1]
	if strings.Trim(l, "^~ ") == "" {
		return
	}
	if f.Code != "" && len(f.Code) < 400 {
		l = f.Code + "\n" + l
	}
	f.Code = l
}

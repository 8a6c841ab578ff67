package recorder

import (
	"bytes"
	"regexp"
	"strconv"
)

var (
	dumpThread = regexp.MustCompile(`^(Current thread|Thread) 0x([0-9a-f]{1,16})(?: \[([^\]]{0,100})\])? \(most recent call first\):$`)
	dumpFrame  = regexp.MustCompile(`^  File "(.*)", line (\d{1,9}|\?\?\?) in (.*)$`)
)

// ParseDump reads what faulthandler writes: threads, the newest first, each with its innermost frame first. It does not say which is the main
// thread; that is the oldest, and the last one unless threads were left out.
func ParseDump(text []byte) Stacks {
	s := Stacks{Raw: true}
	for line := range bytes.Lines(text[:min(len(text), maxAnswer)]) {
		line = bytes.TrimRight(line, "\r\n")
		if m := dumpThread.FindSubmatch(line); m != nil {
			if len(s.Threads) == maxThreads {
				s.Cut++
				continue
			}
			id, _ := strconv.ParseUint(string(m[2]), 16, 64)
			s.Threads = append(s.Threads, Thread{ID: id, Name: string(m[3])})
			continue
		}
		if len(s.Threads) == 0 || s.Cut > 0 {
			continue
		}
		t := &s.Threads[len(s.Threads)-1]
		switch m := dumpFrame.FindSubmatch(line); {
		case m != nil && len(t.Frames) < maxFrames:
			n, _ := strconv.Atoi(string(m[2]))
			t.Frames = append(t.Frames, Frame{File: string(m[1]), Line: n, Function: string(m[3])})
		case m != nil, string(line) == "  ...":
			t.Cut++
		case string(line) == "...": // more threads than it shows
			s.Cut++
		}
	}
	if n := len(s.Threads); n > 0 && s.Cut == 0 {
		s.Threads[n-1].Main = true
		s.Threads = append([]Thread{s.Threads[n-1]}, s.Threads[:n-1]...)
	}
	return s
}

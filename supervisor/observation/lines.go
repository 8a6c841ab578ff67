package observation

import (
	"fmt"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
)

const (
	mostLines = 2000 // of all stacks together
	longest   = 400  // characters of a line
)

// Lines are the stacks as text, in the form in which Python itself prints threads, masked. It is what records and logs keep.
func (o Observation) Lines() []string {
	var all []string
	for _, p := range o.Processes {
		all = append(all, p.lines()...)
	}
	if len(all) > mostLines {
		all = append(all[:mostLines], fmt.Sprintf("… %d more lines", len(all)-mostLines))
	}
	for i, l := range all {
		all[i] = tidy(l)
	}
	return mask.Lines(all)
}

func (p Process) lines() []string {
	who := "Process"
	if p.Worker {
		who = "Worker"
	}
	all := []string{strings.TrimSpace(fmt.Sprintf("%s %d %s, %.0f %% CPU", who, p.PID, p.Name, 100*p.CPU))}
	if p.Stopped {
		all = append(all, "  It is stopped.")
	}
	if p.Silent {
		all = append(all, "  Its main thread ran no Python for a second.")
	}
	if p.Problem != "" {
		all = append(all, "  "+p.Problem)
	}
	for _, t := range p.Threads {
		all = append(all, t.lines("Thread")...)
	}
	if p.Cut > 0 {
		all = append(all, fmt.Sprintf("  %d more threads", p.Cut))
	}
	for _, t := range p.Tasks {
		all = append(all, t.lines("Thread")...)
	}
	return all
}

// Title says which thread it is: "MainThread", "AnyIO worker thread ×40".
func (t Thread) Title() string {
	name := t.Name
	switch {
	case t.Main:
		name = "main thread"
	case name == "":
		name = fmt.Sprintf("thread 0x%x", t.ID)
	}
	if t.Count > 1 {
		name += fmt.Sprintf(" ×%d", t.Count)
	}
	return name
}

func (t Thread) lines(word string) []string {
	if t.Main {
		word = "Current thread" // the one that matters, as Python says it
	}
	all := []string{fmt.Sprintf("%s 0x%016x [%s] (most recent call first):", word, t.ID, tidy(t.Title()))}
	for _, f := range t.Frames {
		function := ""
		if f.Function != "" {
			function = " in " + f.Function
		}
		all = append(all, fmt.Sprintf("  File %q, line %d%s", f.File, f.Line, function))
	}
	if t.Cut > 0 {
		all = append(all, fmt.Sprintf("  ... %d outer calls", t.Cut))
	}
	return all
}

// tidy makes one printable line: names of threads and files are the program's.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > longest {
		return string(r[:longest-1]) + "…"
	}
	return s
}

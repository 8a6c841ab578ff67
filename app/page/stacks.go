package page

import (
	"fmt"
	"io"

	"github.com/vivarium-app/vivarium/supervisor/observation"
)

// Stacks is what a server does at one moment, for a page.
type Stacks struct {
	Backend, Dir string
	State        string // as the status line says it
	Seen         observation.Observation
	Version      string
}

// stacksPage is Stacks as its template shows it.
type stacksPage struct {
	Backend, Dir, At, Zone, State, Heading, Remedy, Version string
	Processes                                               []stacksProcess
}

type stacksProcess struct {
	Title, Note string
	Stacks      []stack
	Tasks       []stack
	Cut         int
}

// mostThreads are shown of a process, folded ones counted once.
const mostThreads = 100

// Stacks writes the page about what a server does.
func (w Words) Stacks(out io.Writer, s Stacks) error {
	p := stacksPage{
		Backend: orElse(w.Safe(s.Backend), "backend"), Dir: w.Safe(s.Dir), State: w.Safe(s.State), Version: w.Safe(s.Version),
		At: s.Seen.At.Format("2 January 2006, 15:04:05"), Zone: s.Seen.At.Format("-07:00"),
		Heading: orElse(sentenceCase(w.Safe(s.Seen.Stall.Summary)), "What it does is not known"), Remedy: w.Safe(s.Seen.Stall.Remedy),
	}
	for _, one := range s.Seen.Processes {
		p.Processes = append(p.Processes, newStacksProcess(one, w))
	}
	return write(out, "stacks.html", sheet{Title: p.Backend + ": " + p.Heading, Content: p})
}

func newStacksProcess(p observation.Process, w Words) stacksProcess {
	s := stacksProcess{Title: fmt.Sprintf("Process %d, %.0f %% CPU", p.PID, 100*p.CPU), Note: w.Safe(p.Problem), Cut: p.Cut}
	if p.Worker {
		s.Title = fmt.Sprintf("Worker %d, %.0f %% CPU", p.PID, 100*p.CPU)
	}
	switch {
	case p.Stopped:
		s.Note = "It is stopped. " + s.Note
	case p.Silent:
		s.Note = "Its main thread ran no Python for a second. " + s.Note
	}
	for i, t := range p.Threads {
		if i >= mostThreads {
			s.Cut += max(1, t.Count)
			continue
		}
		s.Stacks = append(s.Stacks, threadStack(t, w))
	}
	for _, t := range p.Tasks[:min(len(p.Tasks), mostThreads)] {
		s.Tasks = append(s.Tasks, threadStack(t, w))
	}
	return s
}

// threadStack is a thread as the report on a crash shows one.
func threadStack(t observation.Thread, w Words) stack {
	s := stack{Title: w.Safe(t.Title()) + " (most recent call first)"}
	for _, f := range t.Frames[:min(len(t.Frames), mostFrames)] {
		s.Frames = append(s.Frames, pythonFrame{File: w.Safe(f.File), Line: fmt.Sprint(f.Line), Function: w.Safe(f.Function), Own: f.Own})
	}
	return s
}

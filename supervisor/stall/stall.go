// Package stall says why a run that lives does not answer: from a few samples of the stacks of all its threads, and from what the system tells
// of the process, to one kind, one sentence, one remedy and the person's own line. It is pure but for a few small questions to the system in
// files of their own; it asks no process anything and knows neither recorder nor supervision. Begin with Judge and the fixtures in testdata.
package stall

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
)

// Frame is one call: the innermost of a thread comes first.
type Frame struct {
	File     string
	Line     int
	Function string // qualified from Python 3.11 on
}

// Thread is one thread of Python.
type Thread struct {
	ID     uint64
	Name   string
	Main   bool
	CPU    time.Duration // used or waited for since the sample before, 0 if that is not known
	Frames []Frame
}

// State is the process as the system has it.
type State string

// The states that matter.
const (
	Running  State = "running"
	Sleeping State = "sleeping"
	Disk     State = "disk" // waits and cannot be interrupted, as for a disk
	Stopped  State = "stopped"
	Traced   State = "traced" // a debugger holds it
)

// Sample is a process at one moment.
type Sample struct {
	At      time.Time
	Threads []Thread
	Cut     int       // threads that are not shown
	Tasks   [][]Frame // suspended coroutines
	CPU     float64   // cores used since the sample before, by the whole process, and those that it could have used on a machine with nothing else to do
	State   State
	// Silent: the main thread did not run any Python for a second. The threads then come from a raw dump, if there are any.
	Silent bool
	Log    int64 // bytes of log since the sample before
}

// Phase is why somebody asks.
type Phase string

// The phases of a run.
const (
	Starting  Phase = "starting"  // it has not answered yet, and the log is quiet
	Unhealthy Phase = "unhealthy" // it no longer answers
	Busy      Phase = "busy"      // it answers late, and uses the CPU
	Asked     Phase = "asked"     // a person wants to know
)

// Case is all the evidence for one judgement.
type Case struct {
	Phase   Phase
	Dir     string   // the backend's folder
	Places  []string // folders of the environment: what lies in them is not the person's own
	Samples []Sample // the oldest first, about half a second apart
	Slept   time.Duration
	Memory  string // what the system says of memory pressure, "" if there is none
	Deep    string // what failed of the deep probe while /health is good, "" nothing
	// Exception is the last one that the main thread of this process did not catch.
	Exception string
	Peers     []string // addresses to which the process has connections of its own making
	// Source gives the lines of a file, or nothing if it cannot be read or is newer than the process.
	Source func(file string) []string
}

// Stall is why a run that lives does not answer.
type Stall struct {
	Kind     Kind      `json:"kind"`
	Summary  string    `json:"summary"` // one sentence, at most 200 characters
	Remedy   string    `json:"remedy"`
	File     string    `json:"file,omitempty"` // the person's own frame
	Line     int       `json:"line,omitempty"`
	Function string    `json:"function,omitempty"`
	Taken    time.Time `json:"taken"` // when the last sample was
}

// rule recognises one cause. A rule that is not sure does not match.
type rule func(*scene) (Stall, bool)

// rules, strongest first: what the system knows for certain, what no program can mean, then what the threads that matter wait for.
var rules = []rule{
	paused, debugged, mainEnded, unanswered, deadlocked, downloading, importing, loopBlocked, exhausted, mainWaits, silentCall, requestWaits, asleep, swapping,
	working, idle, unknown,
}

// Judge says why a run does not answer, or what a busy one does. Three samples of 50 threads take about a millisecond.
func Judge(c Case) Stall {
	s := newScene(c)
	var found Stall
	for _, r := range rules {
		if st, ok := r(s); ok {
			found = st
			break
		}
	}
	found = s.afterSleep(s.withMemory(found))
	if c.Deep != "" {
		found = wedged(found, c.Deep)
	}
	if n := len(c.Samples); n > 0 {
		found.Taken = c.Samples[n-1].At
	}
	return found.tidy()
}

const (
	longestSummary = 200
	longestRemedy  = 400
)

// tidy makes a stall fit for a notice. There may be words of the program in it.
func (st Stall) tidy() Stall {
	st.Summary, st.Remedy = short(mask.Line(st.Summary), longestSummary), short(mask.Line(st.Remedy), longestRemedy)
	st.File, st.Function = short(mask.Line(st.File), longestRemedy), short(mask.Line(st.Function), longestSummary)
	return st
}

func short(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

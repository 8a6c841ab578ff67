package observation

import (
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// abortWords begin what faulthandler writes when a Python ends by SIGABRT.
const abortWords = "Fatal Python error: Aborted"

// Last is how a process ended, as far as it matters here.
type Last struct {
	PID    int
	Signal syscall.Signal
	At     time.Time
	Tail   []string // the last lines of output, oldest first
}

// LastWords reads the stacks that a process of the subject wrote when it was ended by SIGABRT: the only ones of a Python without the recorder.
// What several processes wrote stands one after the other; the first is the leader's. false: there are none.
func LastWords(s Subject, l Last) (Observation, bool) {
	if l.Signal != syscall.SIGABRT {
		return Observation{}, false
	}
	from := slices.IndexFunc(l.Tail, func(line string) bool { return strings.HasSuffix(line, abortWords) })
	if from < 0 {
		return Observation{}, false
	}
	lines := l.Tail[from+1:]
	if next := slices.IndexFunc(lines, func(line string) bool { return strings.HasSuffix(line, abortWords) }); next >= 0 {
		lines = lines[:next]
	}
	stacks := recorder.ParseDump([]byte(strings.Join(lines, "\n")))
	if len(stacks.Threads) == 0 {
		return Observation{}, false
	}
	sample := stall.Sample{At: l.At, Threads: threads(stacks), Cut: stacks.Cut, State: stall.Sleeping}
	found := stall.Judge(stall.Case{
		Phase: s.Phase, Dir: s.Dir, Places: s.Places, Deep: s.Deep, Samples: []stall.Sample{sample}, Source: stall.ReadSource(s.Started.Add(time.Second)),
	})
	f := one{process: Process{PID: l.PID, Name: "python", Threads: []Thread{}}}
	f.show(stacks, stall.Own(s.Dir, s.Places))
	return Observation{At: l.At, Run: s.Run, PID: l.PID, Stall: found, Processes: []Process{f.process}}, true
}

// Stacks says whether the stacks of any process were seen.
func (o Observation) Stacks() bool {
	return slices.ContainsFunc(o.Processes, func(p Process) bool { return len(p.Threads) > 0 })
}

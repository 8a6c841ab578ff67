package observation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// How a run is looked at.
const (
	samples       = 3
	apart         = 500 * time.Millisecond
	mostTime      = 2800 * time.Millisecond // the cause is to be known within 3 s
	mostProcesses = 16
)

// judge is a variable for a test that looks at the evidence.
var judge = stall.Judge

// Member is a process of the run: its leader, or a worker of it.
type Member struct {
	PID    int
	Stamp  string
	Name   string
	Worker bool
	// Above are the Pythons of the run above it, the nearest first: one that was forked has no file of its own until it is asked.
	Above []int
}

// Subject is the run that is looked at. Whoever asks has made sure that its members are of the run.
type Subject struct {
	Run     string
	Members []Member // the leader first
	Folder  string   // where the processes of the run write, see recorder.RunFolder
	Signal  func(pid int, stamp string, s syscall.Signal) error
	System  recorder.System // if nil, this machine
	Phase   stall.Phase
	Dir     string   // the backend's folder
	Places  []string // folders of the environment
	Log     string   // the path of the run's log
	Started time.Time
	Slept   time.Duration // the machine slept a moment ago
	Deep    string        // what failed of the deep probe, see stall.Case
	Memory  string        // how memory is short on this machine, in words; "" if it is not, and then Linux is asked
}

// Take looks at all processes of the run at the same time. It takes a second, and up to three where one does not answer.
func Take(ctx context.Context, s Subject) Observation {
	if s.System == nil {
		s.System = recorder.Real()
	}
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	members := s.Members[:min(len(s.Members), mostProcesses)]
	found := make([]one, len(members))
	var work sync.WaitGroup
	var turns recorder.Turns
	for i, m := range members {
		work.Go(func() { found[i] = s.look(ctx, m, &turns) })
	}
	work.Wait()
	o := Observation{At: time.Now(), Run: s.Run}
	best := -1
	for _, f := range found {
		o.Processes = append(o.Processes, f.process)
		if r := f.rank(); f.stall.Kind != "" && r > best {
			best, o.Stall, o.PID = r, f.stall, f.process.PID
		}
	}
	return o
}

// one is what was found of one process.
type one struct {
	process Process
	stall   stall.Stall
	asked   bool // it has the recorder
}

// rank is how much a process explains of its run. The parent of workers waits for them, so that a worker in the same state says more; a pool
// that has nothing to do says less than the server that waits for something else.
func (f one) rank() int {
	r := 0
	switch f.stall.Kind {
	case stall.KindUnknown:
	case stall.KindIdle:
		r = 4
	case stall.KindBusy:
		r = 8
	default:
		r = 12
	}
	if f.stall.File != "" {
		r += 2
	}
	if f.process.Worker {
		r++
	}
	if !f.asked {
		r = 0
	}
	return r
}

// look takes the samples of one process.
func (s Subject) look(ctx context.Context, m Member, turns *recorder.Turns) one {
	asker := recorder.Asker{Folder: s.Folder, Signal: s.Signal, System: s.System, Turns: turns}
	target := recorder.Target{PID: m.PID, Stamp: m.Stamp}
	for _, pid := range m.Above {
		if recorder.Reached(s.Folder, recorder.Target{PID: pid}, s.System) == nil {
			target.Forked = pid
			break
		}
	}
	f := one{process: Process{PID: m.PID, Name: m.Name, Worker: m.Worker, Threads: []Thread{}}, asked: true}
	c := stall.Case{Phase: s.Phase, Dir: s.Dir, Places: s.Places, Slept: s.Slept, Deep: s.Deep, Memory: cmp.Or(s.Memory, stall.ShortMemory(m.PID)), Source: stall.ReadSource(s.Started.Add(time.Second))}
	meter := newMeter(s.System, m.PID, s.Log)
	var latest recorder.Stacks
	for i := range samples {
		if i > 0 && !sleep(ctx, apart) {
			break
		}
		sample := stall.Sample{At: time.Now(), Silent: f.process.Silent}
		if !f.process.Silent { // one that ran nothing for a second is not asked again
			answer, err := asker.Ask(ctx, target)
			if err != nil && (i == 0 || ctx.Err() == nil) {
				f.process.Problem, f.asked = problem(err), i > 0
			}
			if err != nil {
				break
			}
			sample.Silent, f.process.Silent, f.process.Stopped = answer.Silent, answer.Silent, answer.Stopped
			if answer.Why != "" {
				f.process.Problem = "no stacks of it: " + answer.Why
			}
			latest = answer.Stacks
			sample.Threads, sample.Tasks, sample.Cut = threads(latest), frameLists(latest.Tasks), latest.Cut
		}
		meter.read(&sample, latest)
		sample.State, _ = stall.StateOf(m.PID) // unknown: the stacks decide
		c.Samples = append(c.Samples, sample)
	}
	if len(c.Samples) == 0 { // without the recorder the system still knows of a stopped one
		sample := stall.Sample{At: time.Now()}
		if state, err := stall.StateOf(m.PID); err == nil {
			sample.State = state
		}
		meter.read(&sample, recorder.Stacks{})
		c.Samples = append(c.Samples, sample)
		f.asked = sample.State == stall.Stopped || sample.State == stall.Traced
	}
	c.Peers, _ = stall.Peers(m.PID) // unknown: the host is not named
	c.Exception = exception(s.Folder, m.PID)
	f.stall = judge(c)
	f.process.CPU = meter.mean()
	f.show(latest, stall.Own(s.Dir, s.Places))
	return f
}

// problem says to a person why a process could not be asked.
func problem(err error) string {
	switch {
	case errors.Is(err, recorder.ErrNoRecorder):
		return "the recorder is not in it: it is switched off, was started by an older Vivarium, or its Python ignores PYTHONPATH"
	case errors.Is(err, recorder.ErrNotHeard):
		return "it uses the recorder's signal (SIGURG) for itself"
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	}
	return err.Error()
}

// exception is the last one that the main thread did not catch; a server may live on in its other threads.
func exception(folder string, pid int) string {
	if folder == "" {
		return ""
	}
	all, _, err := recorder.Exceptions(folder, pid)
	if err != nil || len(all) == 0 || !all[len(all)-1].Main {
		return ""
	}
	e := all[len(all)-1].Error
	return e.Name() + ": " + e.Message
}

// sleep is false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// meter measures what a process uses between two samples, and how its log grows.
type meter struct {
	system recorder.System
	pid    int
	log    string

	at, began time.Time
	before    map[int]recorder.ThreadUse
	total     time.Duration
	size      int64
}

func newMeter(system recorder.System, pid int, log string) *meter {
	m := &meter{system: system, pid: pid, log: log, at: time.Now(), size: safefile.Size(log)}
	m.began = m.at
	m.before, _ = system.Threads(pid) // unknown: no use is told
	return m
}

// read adds to a sample what the process used since the one before, each of its threads too where the stacks tell its number.
func (m *meter) read(sample *stall.Sample, stacks recorder.Stacks) {
	now := time.Now()
	use, err := m.system.Threads(m.pid)
	if err == nil && m.before != nil && now.After(m.at) {
		var spent, wanted time.Duration
		for tid, u := range use {
			spent += max(0, u.CPU-m.before[tid].CPU)
			wanted += max(0, u.Waited-m.before[tid].Waited)
		}
		sample.CPU = (spent + wanted).Seconds() / now.Sub(m.at).Seconds()
		for i, t := range stacks.Threads {
			tid := t.TID
			if tid == 0 && t.Main {
				tid = m.pid // as on Linux
			}
			if before, known := m.before[tid]; known && i < len(sample.Threads) {
				sample.Threads[i].CPU = max(0, use[tid].CPU-before.CPU) + max(0, use[tid].Waited-before.Waited)
			}
		}
		m.total += spent
	}
	m.before, m.at = use, now
	size := safefile.Size(m.log)
	sample.Log, m.size = max(0, size-m.size), size
}

func (m *meter) mean() float64 {
	if !m.at.After(m.began) {
		return 0
	}
	return float64(int64(1000*m.total.Seconds()/m.at.Sub(m.began).Seconds())) / 1000
}

func threads(s recorder.Stacks) []stall.Thread {
	all := make([]stall.Thread, 0, len(s.Threads))
	for _, t := range s.Threads {
		all = append(all, stall.Thread{ID: t.ID, Name: t.Name, Main: t.Main, Frames: frames(t.Frames)})
	}
	return all
}

func frameLists(lists [][]recorder.Frame) [][]stall.Frame {
	all := make([][]stall.Frame, 0, len(lists))
	for _, l := range lists {
		all = append(all, frames(l))
	}
	return all
}

func frames(list []recorder.Frame) []stall.Frame {
	all := make([]stall.Frame, 0, len(list))
	for _, f := range list {
		all = append(all, stall.Frame(f))
	}
	return all
}

// show puts the last stacks into the form that is told.
func (f *one) show(s recorder.Stacks, own func(string) bool) {
	for _, t := range s.Threads {
		f.process.Threads = fold(f.process.Threads, Thread{ID: t.ID, Name: t.Name, Main: t.Main, Cut: t.Cut, Frames: marked(t.Frames, own)})
	}
	for _, t := range s.Tasks {
		f.process.Tasks = fold(f.process.Tasks, Thread{Name: "suspended coroutine", Frames: marked(t, own)})
	}
	f.process.Cut = s.Cut
}

// fold adds a thread, or counts it where one is in the same frames already. The main thread stays alone.
func fold(all []Thread, t Thread) []Thread {
	t.Count = 1
	i := slices.IndexFunc(all, func(o Thread) bool {
		return !t.Main && !o.Main && o.Cut == t.Cut && len(o.Frames) > 0 && slices.Equal(o.Frames, t.Frames)
	})
	if i < 0 {
		return append(all, t)
	}
	all[i].Count++
	return all
}

func marked(list []recorder.Frame, own func(string) bool) []Frame {
	all := make([]Frame, 0, len(list))
	for _, f := range list {
		all = append(all, Frame{f.File, f.Line, f.Function, own(f.File)})
	}
	return all
}

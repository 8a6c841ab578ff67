package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/power"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// begin finds out what is there, and tells the machine. A keeper that is there and does not answer is waited for: a decision that does
// not know of its run could only be wrong.
func (s *Supervisor) begin(ctx context.Context) {
	if err := keeper.MakeFolder(s.folder); err != nil {
		s.log.Error("making the backend's state folder", "error", err)
	}
	in := began{}
	c, err := s.system.Load(s.dir)
	if err != nil && !errors.As(err, &in.problem) {
		in.problem = &config.Error{File: s.dir, Problem: err.Error()}
	}
	in.config = c
	if in.saved, err = record.ReadWant(s.folder); err != nil {
		s.log.Error("starting without memory", "error", err)
	}
	if in.saved != nil {
		in.report = record.PageOf(s.folder, in.saved.LastAt)
	}
	out := message{logFrom: safefile.Size(c.Log.File)}
	if p, err := s.system.Plan(c); err == nil && in.problem == nil {
		out.good = &planned{c, p} // for a run that is there already
	}
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		out.conn, in.found = s.attach(ctx, out.good.evidence())
		if in.found.problem == "" {
			break
		}
		s.post(ctx, message{in: unreachable{c, in.found.problem}})
		if !sleep(ctx, wait) {
			return
		}
	}
	s.sweepAtBegin(in.found)
	in.missed = s.missed(in, out.good.evidence())
	out.in = in
	s.post(ctx, out)
}

// missed are the deaths that the keeper has forgotten and want.json does not know: the app that forgot them, for a start without delay, died
// before it had written them down.
func (s *Supervisor) missed(in began, known crash.Evidence) []missed {
	if in.saved == nil {
		return nil // nothing is remembered: nothing is missing
	}
	var all []missed
	for _, e := range keeper.Forgotten(s.folder) {
		recorded := slices.ContainsFunc(in.saved.Deaths, func(d record.Death) bool { return d.Run == e.Run.ID })
		if !recorded && e.Known && !e.Asked && e.Run.ID != in.saved.Ended {
			all = append(all, missed{e, judge(e, known)})
		}
	}
	if run, seen, ok := keeper.BeforeBoot(s.folder); ok && in.saved.Want && !in.saved.Quit && s.system.Restarted != nil {
		recorded := slices.ContainsFunc(in.saved.Deaths, func(d record.Death) bool { return d.Run == run.ID })
		if log, err := os.Stat(in.config.Log.File); err == nil && log.ModTime().After(seen) {
			seen = log.ModTime()
		}
		if !recorded && run.ID != in.saved.Ended {
			told := s.system.Restarted(run.Started, seen)
			all = append(all, missed{keeper.Exit{Run: run, At: told.At}, crash.Verdict{Kind: crash.KindRestarted, Summary: told.Summary, Remedy: told.Remedy, Line: told.Line}})
		}
	}
	return all
}

// Waits between two attempts to reach a keeper.
const (
	firstWait   = 20 * time.Millisecond
	longestWait = 5 * time.Second
)

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

// attach gives what is there now.
func (s *Supervisor) attach(ctx context.Context, known crash.Evidence) (platform.Keeper, found) {
	conn, err := s.system.Attach(ctx, s.folder)
	switch {
	case errors.Is(err, keeper.ErrNone):
		return nil, found{}
	case err != nil:
		return nil, found{problem: "the keeper cannot be reached: " + err.Error()}
	}
	if run, ok := conn.Current(); ok && conn.Live() {
		return conn, found{run: run, ending: conn.Stopping()}
	}
	// What ended while nobody was there is told at once; an idle keeper has nothing to say.
	wait, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	exit, err := conn.Wait(wait)
	if err == nil {
		return conn, found{exit: &exit, verdict: judge(exit, known), dead: !conn.Live()}
	}
	if run, ok := conn.Current(); ok && conn.Live() { // it was being started as we came
		return conn, found{run: run, ending: conn.Stopping()}
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		_ = conn.Close()
		return nil, found{problem: "the keeper cannot be reached: " + err.Error()}
	}
	return conn, found{}
}

// await waits for the end of the run, through as many connections as that takes.
func (s *Supervisor) await(ctx context.Context, conn platform.Keeper, run keeper.Run) {
	s.memory.Store(s.system.Memory(run.PID))
	exit, err := conn.Wait(ctx)
	if err == nil {
		s.post(ctx, message{in: exited{exit, judge(exit, s.knownNow())}})
		return
	}
	if ctx.Err() != nil {
		return
	}
	_ = conn.Close()
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, longestWait) {
		next, f := s.attach(ctx, s.knownNow())
		s.post(ctx, message{in: reattached{run.ID, f}, conn: next})
		if f.problem == "" {
			return // the loop goes on from here: it waits again if there is something to wait for
		}
		sleep(ctx, wait)
	}
}

// judge says why a run ended. known is what was known of it before.
func judge(e keeper.Exit, known crash.Evidence) crash.Verdict {
	known.Code, known.Signal, known.Known, known.Asked = e.Code, proc.SignalName(e.Signal), e.Known, e.Asked
	known.Uptime, known.Tail = max(e.At.Sub(e.Run.Started), 0), e.Tail
	return crash.Judge(known)
}

// evidence is what a plan tells about a run's end, before it ended.
func (g *planned) evidence() crash.Evidence {
	if g == nil {
		return crash.Evidence{}
	}
	return crash.Evidence{
		Port: g.config.Port, Python: g.plan.Python.Path, Install: g.plan.Python.Install, All: g.plan.InstallAll, Declares: g.plan.Declares, Dir: g.config.Dir,
	}
}

// knowledge is what is known of a run before it ends.
type knowledge struct {
	crash.Evidence
	python python.Interpreter
}

// learn puts together what is known of the present run, for whoever judges its end.
func (s *Supervisor) learn() {
	k := knowledge{Evidence: s.good.evidence()}
	k.Missing, k.Loaded, k.App = s.m.Missing, s.m.OpenMP, s.system.App
	if s.good != nil {
		k.python = s.good.plan.Python
	}
	s.known.Store(&k)
}

// knownNow is what was known of the present run before its end.
func (s *Supervisor) knownNow() crash.Evidence {
	k := s.known.Load()
	if k == nil {
		return crash.Evidence{}
	}
	e := k.Evidence
	e.OpenMP = s.scans.Known(k.python)
	return e
}

func (s *Supervisor) probe(ctx context.Context, c config.Config, conn platform.Keeper, e doProbe) probed {
	in := probed{runID: e.run.ID, listens: e.proven}
	o := probe.Options{Run: e.run.ID}
	if conn != nil && !c.Log.Probes {
		o.Connected = func(port int) { conn.Probing(e.run.ID, port) }
	}
	in.latency, in.err = s.system.Probe(ctx, c, o)
	if !e.proven && (in.err == nil || answerOf(in.err) != nil) {
		listens, err := s.listens(c, e.run)
		if in.listens = listens; err != nil {
			in.err = err
		}
	}
	return in
}

// measure is the latest measurement of the run; the next share of CPU is computed from it.
type measure struct {
	at    time.Time
	usage process.Usage
	log   int64 // the size of the log up to which it was read

	meter   *memory.Meter
	machine uint64 // how much memory there is for the run, as of the last look at the whole tree
}

// use measures the run. The log is read from the byte from on, for what it says of workers that lived and died between two looks.
func (s *Supervisor) use(c config.Config, e doUse, before measure, from int64) message {
	now := time.Now()
	if before.meter == nil {
		before.meter = new(memory.Meter)
	}
	if e.whole || before.machine == 0 {
		before.machine = s.system.Machine(e.run.PID)
	}
	u, children, err := s.system.Use(e.run, before.usage, now.Sub(before.at), e.whole || c.Memory.Set(), before.meter)
	if err != nil {
		s.log.Debug("measuring the run", "error", err)
		return message{in: used{runID: e.run.ID, failed: true}, measure: before}
	}
	if e.whole {
		s.memory.Load().Look()
		if err := s.recordings().Tidy(e.run.ID); err != nil {
			s.log.Debug("tidying recordings", "error", err)
		}
	}
	in := used{runID: e.run.ID, usage: u, children: children, changed: s.system.Changed(c), machine: before.machine, pressure: s.system.Pressure()}
	if e.openmp && s.system.Power != nil { // once a minute
		now := s.system.Power()
		in.power = &now
	}
	in.logSize = safefile.Size(c.Log.File)
	if s.system.Wall != nil && in.logSize > from {
		if v, ok := s.system.Wall(safefile.LastLines(c.Log.File, from), c.Dir); ok {
			in.wall = &v
		}
	}
	if e.woke && in.logSize != from {
		in.broken = power.Broken(safefile.LastLines(c.Log.File, from))
	}
	if in.logSize != from && (len(children) > 0 || u.Procs > 1 || before.usage.Procs > 1 || process.MayHaveWorkers(c.Command)) {
		in.dead = slices.DeleteFunc(process.DeadWorkers(safefile.LastLines(c.Log.File, from)), func(pid int) bool {
			_, err := proc.Find(pid)
			return err == nil // some other line: it lives
		})
	}
	if e.openmp {
		in.openmp, err = s.system.Loaded(e.run.PID)
		if in.looked = err == nil; !in.looked {
			s.log.Debug("looking for OpenMP runtimes", "error", err)
		}
	}
	return message{in: in, measure: measure{now, u, in.logSize, before.meter, before.machine}}
}

// checkArrival looks whether the crash environment is in the process. What cannot be read is not called missing.
func (s *Supervisor) checkArrival(ctx context.Context, run keeper.Run, vars []environment.Var) {
	for range 20 {
		if !sleep(ctx, 100*time.Millisecond) {
			return
		}
		env, err := s.system.Environ(run.PID)
		if err == nil && len(env) > 0 {
			s.post(ctx, message{in: arrived{run.ID, process.Arrived(env, vars)}})
			return
		}
	}
}

// count tells how many named semaphores a run left. Its resource tracker is given its time first, and only what was there at the death
// counts: what the next run makes meanwhile is its own.
func (s *Supervisor) count(ctx context.Context, before map[string]time.Time, run keeper.Run) {
	if before == nil {
		return // an adopted run: nobody knows what was there before it
	}
	atDeath := process.LeftBehind(before, process.Semaphores(), run.Started)
	if len(atDeath) == 0 {
		return
	}
	if !sleep(ctx, trackerTime) {
		return
	}
	s.post(ctx, message{in: semaphores{len(process.Abandoned(atDeath))}})
}

func (s *Supervisor) lookAtPort(ctx context.Context, c config.Config, mine port.Mine, look int) portSeen {
	claim, err := s.system.Claim(ctx, c, mine)
	if err != nil {
		s.log.Debug("looking at the port", "error", err)
		return portSeen{look: look, failed: true}
	}
	return portSeen{look: look, owner: claim.Owner}
}

func logEvent(log *slog.Logger, e Event) {
	log.Info(string(e.What), "backend", e.Snapshot.Backend, "state", e.Snapshot.State.String(), "pid", e.Snapshot.Run.PID,
		"verdict", e.Verdict.Summary, "detail", e.Text)
}

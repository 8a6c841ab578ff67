package supervisor

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/backoff"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

const (
	portEvery  = 10 * time.Second // how often the port of a backend that does not run is looked at
	backWithin = 5 * time.Second  // a copy that is back this soon after it was ended has a parent that wants it
	firstProbe = 100 * time.Millisecond
	wholeEvery = time.Minute // how often the memory of the whole process tree is summed up, and its OpenMP runtimes are counted
)

// machine is the policy, and the whole mutable state of a Supervisor. step is pure: it does no I/O, starts nothing and asks
// no clock; what it wants done it returns as effects, and when it wants to be woken is its deadline.
type machine struct {
	Snapshot
	config   config.Config
	deadline time.Time // zero: wake me for nothing

	attempt   int           // number of the latest launch
	launching bool          // its answer is still to come; there is never a second one
	wasUp     bool          // Stopping for a restart: what ran is not to be lost to a mistake in the configuration
	again     bool          // Stopping: start again afterwards
	guarded   string        // ID of the run that is being stopped for the memory that it holds
	quitting  bool          // a Quit: not to be remembered as a Stop
	why       crash.Verdict // Stopping without a person having asked (it hung): the verdict of its end
	automatic bool          // the launch under way was nobody's wish of this moment

	came    time.Time // when this app began to watch
	cleared time.Time // a person started it then: earlier deaths do not count
	proved  time.Time // a run proved stable then: earlier deaths are no row with later ones
	deaths  []record.Death
	history record.Samples
	marks   []record.Mark
	lastRun string    // ID of the run before the launch under way; it has ended
	asked   string    // ID of the last run that ended because it was asked to
	tookAt  time.Time // when a hand-started copy was last ended

	watch
	still  standstill
	portAt time.Time // when the port is to be looked at next

	with    *record.RanWith // the configuration of the present run, as it is kept on disk
	look    int             // number of the latest look at the port
	looking bool
	stale   bool // Stopping: what is left of the run is being ended
	alone   bool // stale: there is no keeper that would go on with it
	away    bool // stale: the stop was asked of an earlier app

	powered
	saidTLS bool   // that certificates of this computer's own addresses are not checked
	sampler bool   // native code can be looked at here
	dirty   bool   // what is wanted changed
	ignored string // why the latest input changed nothing; for the test that walks every state and input
	out     []effect
}

// step takes what happened and returns what is to be done.
func (m *machine) step(now time.Time, in input) []effect {
	m.out, m.ignored, m.dirty = nil, "", false
	m.decide(now, in)
	m.followStandstill(now)
	m.keepAwake(now)
	m.arm(now)
	return m.ordered()
}

// ordered puts what is to be remembered before what is to be done about it, so that an app killed in between does not come back
// to a wish that was never written. Only the start that follows a crash waits for nothing: there the wish is an old one.
func (m *machine) ordered() []effect {
	if !m.dirty {
		return m.out
	}
	save := doSave{m.saved()}
	for i, e := range m.out {
		if l, ok := e.(doLaunch); ok && l.automatic {
			return slices.Insert(m.out, i+1, effect(save)) // before the words: what was told is not told again
		}
	}
	return append([]effect{save}, m.out...)
}

func (m *machine) decide(now time.Time, in input) {
	switch in := in.(type) {
	case start:
		m.onStart(now, false)
	case takeOver:
		m.onTakeOver(now)
	case stop:
		m.onStop(now)
	case restart:
		m.onRestart(now)
	case hurry:
		m.onHurry()
	case quit:
		m.quitting = true
		m.onStop(now)
	case look:
		m.onLook(now)
	case began:
		m.onBegan(now, in)
	case launched:
		m.onLaunched(now, in)
	case awaiting:
		m.onAwaiting(in)
	case launchFailed:
		m.onLaunchFailed(now, in)
	case exited:
		m.onExited(now, in)
	case reattached:
		m.onReattached(now, in)
	case staleEnded:
		m.onStaleEnded(now, in)
	case probed:
		m.onProbed(now, in)
	case deepProbed:
		m.onDeepProbed(now, in)
	case explained:
		m.onExplained(now, in)
	case used:
		m.onUsed(now, in)
	case workerDied:
		m.onWorkerDied(now, in)
	case sampled:
		m.onSampled(now, in)
	case observed:
		m.onObserved(now, in)
	case arrived:
		m.onArrived(now, in)
	case recorded:
		m.onRecorded(in)
	case amended:
		m.onAmended(now, in)
	case semaphores:
		m.onSemaphores(in)
	case portSeen:
		m.onPort(now, in)
	case woke:
		m.onWoke(now, in)
	case sleeping:
		m.onSleeping(now, in)
	case awake:
		if m.KeptAwake == in.held {
			m.ignore("it is known")
		}
		m.KeptAwake = in.held
	case unreachable:
		if !m.came.IsZero() {
			m.ignore("it was reached already")
			return
		}
		m.setConfig(in.config)
		m.cannotReach(now, in.problem)
	case due:
		m.onDue(now)
	}
}

func (m *machine) do(e effect)       { m.out = append(m.out, e) }
func (m *machine) ignore(why string) { m.ignored = why }

// running: there is a process of ours, and nobody has asked it to stop.
func (m *machine) running() bool {
	switch m.State {
	case Starting, Healthy, Unhealthy:
		return !m.launching
	}
	return false
}

// stopping: its end was asked for, or decided.
func (m *machine) stopping() bool { return m.State == Stopping || m.State == Unreachable }

// cannotReach: nobody knows what the run does, and nothing can be asked of its keeper.
func (m *machine) cannotReach(now time.Time, problem string) {
	if m.State != Unreachable {
		m.enter(now, Unreachable)
	}
	m.Note = problem
}

func (m *machine) enter(now time.Time, s State) {
	m.State, m.Since, m.Retry, m.stale, m.Awaits = s, now, time.Time{}, false, Awaits{}
	switch s {
	case Stopped, GaveUp, Restarting: // nothing runs
		if m.Run.ID != "" {
			m.lastRun = m.Run.ID
		}
		m.Run, m.Health, m.Usage, m.Missing, m.OpenMP, m.ConfigChanged, m.with = keeper.Run{}, record.Health{}, process.Usage{}, nil, nil, false, nil
		m.Stall = stall.Stall{}
		m.WorkerDeaths, m.Memory.High = 0, false
		m.portAt = now
	default:
		m.Owner = port.Owner{}
	}
}

func (m *machine) tell(now time.Time, e Event) {
	e.At, e.Snapshot = now, m.Snapshot
	switch e.What {
	case EventStarted:
		m.mark(record.Mark{At: now, What: record.MarkStart})
	case EventUnhealthy:
		if m.still.At.IsZero() { // it answers, and not well
			m.mark(record.Mark{At: now, What: record.MarkStall, Text: e.Text})
		}
	case EventMemoryHigh:
		m.mark(record.Mark{At: now, What: record.MarkMemory, Text: e.Text})
	}
	m.do(doTell{e})
}

// save has what is wanted remembered; see ordered.
func (m *machine) save() { m.dirty = true }

// launch asks for a new run. The last one, if any, is forgotten and its remains are ended by whoever carries this out.
func (m *machine) launch(now time.Time, o doLaunch) {
	if m.Run.ID != "" {
		m.lastRun = m.Run.ID
	}
	m.attempt++
	o.attempt, o.forget, o.tookAt = m.attempt, m.lastRun, m.tookAt
	o.fallback = o.fallback || o.automatic
	m.launching, m.automatic = true, o.automatic
	m.look++ // who had the port a moment ago says nothing any more
	m.looking = false
	m.enter(now, Starting)
	m.Run, m.Health, m.Usage, m.Missing, m.OpenMP, m.Note = keeper.Run{}, record.Health{Phase: record.PhaseStarting}, process.Usage{}, nil, nil, ""
	m.watch, m.WorkerDeaths, m.Stall, m.Memory.High = watch{}, 0, stall.Stall{}, false
	m.do(o)
}

func (m *machine) onStart(now time.Time, takeOver bool) {
	m.quitting = false
	switch m.State {
	case Stopped, GaveUp, Restarting:
		m.Want = true
		m.clear(now)
		m.launch(now, doLaunch{takeOver: takeOver})
		m.save()
	case Stopping, Unreachable:
		m.Want, m.again, m.why = true, true, crash.Verdict{}
		m.clear(now)
		m.save()
	case Starting, Healthy, Unhealthy:
		m.onWished()
	}
}

func (m *machine) onTakeOver(now time.Time) {
	switch m.State {
	case Stopped, GaveUp, Restarting:
		m.onStart(now, true)
	case Starting, Healthy, Unhealthy, Stopping, Unreachable:
		m.ignore("it has a process of its own")
	}
}

func (m *machine) onStop(now time.Time) {
	m.again, m.guarded = false, ""
	switch m.State {
	case Starting, Healthy, Unhealthy:
		m.Want = false
		m.end(now, crash.Verdict{})
		m.save()
	case Stopping, Unreachable:
		m.Want, m.why = false, crash.Verdict{}
		if m.stale && m.alone && m.quitting {
			m.onHurry() // no keeper would go on with it after us
		}
		m.save()
	case Restarting, GaveUp:
		m.Want = false
		m.windUp(now, false, false)
		m.tell(now, Event{What: EventStopping, Asked: true})
	case Stopped:
		m.Want = false
		m.save() // a Quit changes what is remembered even here
	}
}

// end begins the stop of what runs or is being launched. why is the verdict of that end if no person asked for it.
func (m *machine) end(now time.Time, why crash.Verdict) {
	m.why, m.hungAtStop = why, why.Kind == "" && m.State == Unhealthy && (m.wedged() || m.Health.Phase == record.PhaseHung)
	m.tellUnwell(now)
	m.enter(now, Stopping)
	m.tell(now, Event{What: EventStopping, Asked: why.Kind == ""})
	if m.launching {
		m.do(doCancel{m.attempt})
		return
	}
	m.do(doStop{m.Run.ID, m.ladder()})
}

func (m *machine) onRestart(now time.Time) {
	m.quitting = false
	switch m.State {
	case Stopped, GaveUp, Restarting:
		m.onStart(now, false)
	case Starting, Healthy, Unhealthy:
		m.Want = true
		m.clear(now)
		m.end(now, crash.Verdict{})
		m.again, m.wasUp = true, true
		m.save()
	case Stopping, Unreachable:
		m.onStart(now, false)
	}
}

func (m *machine) onHurry() {
	switch m.State {
	case Stopping:
		if m.launching {
			m.ignore("nothing runs yet that could be hurried")
			return
		}
		if m.stale && !m.alone {
			m.ignore("the run has ended, and what is left has no grace")
			return
		}
		l := m.ladder()
		l.Grace = 0
		if m.stale {
			m.do(doEndStale{m.Run, l})
			return
		}
		m.do(doStop{m.Run.ID, l})
	case Stopped, Starting, Healthy, Unhealthy, Restarting, GaveUp:
		m.ignore("no stop is under way")
	case Unreachable:
		m.ignore("there is nobody who could be told")
	}
}

func (m *machine) onBegan(now time.Time, in began) {
	m.setConfig(in.config)
	if in.problem != nil {
		m.ConfigProblem, m.ConfigFile = in.problem.Error(), in.problem.File
	}
	m.Since, m.portAt, m.came, m.Note = now, now, now, ""
	s := in.saved
	m.Want = s != nil && s.Want && !s.Quit
	if s != nil {
		m.deaths, m.cleared, m.asked, m.Memory.Past = s.Deaths, s.Cleared, s.Ended, s.Memory
		if old := now.Add(-backoff.Memory); m.cleared.Before(old) {
			m.cleared = old // what died last week is no reason to give up today
		}
		m.Crashes, _ = backoff.InARow(m.deaths, m.since(), m.config.Restart.Stable)
		m.Last, m.LastAt, m.LastReport = s.Last, s.LastAt, in.report
		m.Tally = record.TallyOf(m.deaths, now)
	}
	for _, d := range in.missed {
		m.recordMissed(now, d)
	}
	autostart := in.config.Autostart && in.problem == nil && (s == nil || s.Quit)
	switch {
	case in.found.exit != nil:
		exit := *in.found.exit
		exit.Asked = exit.Asked || !exit.Known && s != nil && (s.Quit || !s.Want) // a stop was under way when all of us went
		m.Want = m.Want || autostart
		m.Run, m.State = exit.Run, Healthy // as far as anybody knew
		m.again = m.Want                   // if that end was asked for, the next start is wanted all the same
		m.ended(now, exit, in.found.verdict, true, in.found.dead)
	case in.found.run.ID != "":
		m.adopt(now, in, autostart)
	case s != nil && s.GaveUp && !s.Quit:
		m.enter(now, GaveUp)
	case m.Want || autostart:
		m.Want = true
		m.launch(now, doLaunch{automatic: true})
		m.save()
	default:
		m.enter(now, Stopped)
	}
}

func (m *machine) setConfig(c config.Config) {
	m.config = c
	m.Backend, m.Dir, m.Port, m.URL, m.Log, m.After = c.Name, c.Dir, c.Port, c.URL(), c.Log.File, c.After
	m.ConfigProblem, m.ConfigFile, m.ConfigChanged = "", "", false
}

func (m *machine) onLaunched(now time.Time, in launched) {
	if in.attempt != m.attempt || !m.launching {
		m.ignore("stale: not the latest launch")
		return
	}
	m.launching = false
	m.setConfig(in.config)
	if in.problem != nil {
		m.ConfigProblem, m.ConfigFile = in.problem.Error(), in.problem.File
	}
	m.Run, m.Note, m.Awaits = in.run, in.note, Awaits{}
	m.with = record.NewRanWith(in.run, in.config)
	m.save()
	m.watch = watch{started: now, probeAt: now.Add(firstProbe)}
	if m.State == Stopping { // a stop came while it was being launched
		m.do(doStop{m.Run.ID, m.ladder()})
		return
	}
	if len(in.ended) > 0 {
		m.tookAt = now
		m.portAt = now.Add(time.Second)
		m.tell(now, Event{What: EventTookOver, Text: port.Names(in.ended)})
	}
	if in.adopted {
		m.tell(now, Event{What: EventAttached})
		return
	}
	m.do(doCheckArrival{m.Run})
	m.tell(now, Event{What: EventStarted})
}

func (m *machine) onLaunchFailed(now time.Time, in launchFailed) {
	if in.attempt != m.attempt || !m.launching {
		m.ignore("stale: not the latest launch")
		return
	}
	m.launching = false
	if m.State == Stopping {
		m.settle(now, false)
		return
	}
	if in.canceled {
		m.ignore("the app is leaving")
		return
	}
	if in.config != nil {
		m.setConfig(*in.config)
	}
	if in.problem != nil {
		m.ConfigProblem, m.ConfigFile = in.problem.Error(), in.problem.File
	}
	m.setLast(in.verdict, now)
	if in.final || !m.automatic {
		m.giveUp(now, in.verdict, in.owner)
		return
	}
	m.die(now, record.Death{At: now, Verdict: in.verdict}, nil, false)
}

// giveUp waits for a person. v is the last unasked end, which is on record already.
func (m *machine) giveUp(now time.Time, v crash.Verdict, owner port.Owner) {
	m.enter(now, GaveUp)
	m.Owner = owner
	m.save()
	m.tell(now, Event{What: EventGaveUp, Verdict: v})
}

package supervisor

import (
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/deep"
	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/power"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

const (
	busyShare     = 0.2              // of one core over the last two intervals: it works, it does not hang
	slowestStart  = time.Second      // between two probes of a run that is starting
	aloneHealthy  = time.Second      // without a probe: healthy once it has run that long
	shortestGrace = 15 * time.Second // after a wake from sleep
)

// watch is what is known of the health of the present run. A new run starts with the zero value.
type watch struct {
	started   time.Time // when it was launched or adopted, by our own clock
	probeAt   time.Time
	probeStep time.Duration // Starting: the wait that follows the next probe; it doubles
	probing   bool
	proven    bool // the LISTEN socket was seen to be its own
	answers   answers
	freeUntil time.Time // failures do not count until then
	failing   time.Time // the first failure in a row; zero while all is well

	useAt, wholeAt time.Time
	openmpAt       time.Time // when its OpenMP runtimes are to be looked at next
	using          bool
	samples        []process.Reading // of the whole tree, since it began to fail
	logBase        int64             // size of the log at the first of them
	logGrew        bool
	children       []process.Child
	walled         bool // a permission that it runs into was told
	childless      bool // the last look at a reloader found no child
	stalling
	deep    deep.Watch
	workers workerDeaths
	guard   guard.Guard
}

// arm sets the one deadline from the state and what is under way.
func (m *machine) arm(now time.Time) {
	m.deadline = time.Time{}
	sooner := func(t time.Time) {
		if !t.IsZero() && (m.deadline.IsZero() || t.Before(m.deadline)) {
			m.deadline = t
		}
	}
	switch m.State {
	case Stopped, GaveUp:
		if m.Port != 0 && !m.looking {
			sooner(m.portAt)
		}
	case Restarting:
		sooner(m.Retry)
	case Starting, Healthy, Unhealthy:
		if m.launching {
			return
		}
		if !m.probing {
			sooner(m.probeAt)
		}
		if !m.using {
			sooner(m.useAt)
		}
		sooner(m.tellBy)
		if m.workable() {
			sooner(m.deep.At())
		}
		if m.fresh(now) && !m.looking {
			sooner(m.portAt)
		}
	case Stopping, Unreachable: // the keeper climbs, and tells
	}
}

// fresh: a hand-started copy was ended for this run a moment ago.
func (m *machine) fresh(now time.Time) bool {
	return m.State == Starting && m.Port != 0 && !m.tookAt.IsZero() && now.Sub(m.tookAt) <= backWithin
}

func (m *machine) onDue(now time.Time) {
	switch m.State {
	case Stopped, GaveUp:
		m.lookAtPort(now, portEvery)
	case Restarting:
		if now.Before(m.Retry) {
			m.ignore("the back-off is not over")
			return
		}
		m.launch(now, doLaunch{automatic: true})
	case Starting, Healthy, Unhealthy:
		if m.launching {
			m.ignore("it is being launched")
			return
		}
		if m.fresh(now) {
			m.lookAtPort(now, time.Second)
		}
		m.tick(now)
	case Stopping, Unreachable:
		m.ignore("the keeper climbs its ladder alone")
	}
}

func (m *machine) lookAtPort(now time.Time, every time.Duration) {
	if m.Port == 0 || m.looking || now.Before(m.portAt) {
		m.ignore("the port need not be looked at yet")
		return
	}
	m.look++
	m.looking, m.portAt = true, now.Add(every)
	m.do(doLookAtPort{m.look})
}

func (m *machine) tick(now time.Time) {
	switch {
	case !m.config.HasHealth() && m.Port == 0:
		m.tickAlone(now)
	case !m.config.HasHealth() && m.State == Healthy:
		// To connect on and on would tell little, and a server that is blocked would have its backlog filled by us.
		m.probeAt = time.Time{}
		m.stable(now)
	case !m.probing && !now.Before(m.probeAt):
		m.probing, m.probeAt = true, now.Add(m.nextProbe(now))
		if m.State == Healthy && m.Health.Failures == 0 {
			m.useAt = now // one waking instead of two, from now on
		}
		m.do(doProbe{m.Run, m.proven})
	}
	if m.untold != "" && !now.Before(m.tellBy) {
		m.tellUnwell(now)
		m.endHung(now)
	}
	if m.running() && !now.Before(m.useAt) {
		m.use(now, false)
	}
	if m.workable() && m.deep.Ask(now) {
		m.do(doDeepProbe{m.Run})
	}
}

// tickAlone: there is no probe and no port; what has run for a second is healthy.
func (m *machine) tickAlone(now time.Time) {
	if m.State == Starting && now.Sub(m.started) >= aloneHealthy {
		m.healthy(now)
	}
	m.probeAt = now.Add(m.every(now))
	if m.State == Starting {
		m.probeAt = m.started.Add(aloneHealthy)
	}
	m.stable(now)
}

func (m *machine) nextProbe(now time.Time) time.Duration {
	every := m.every(now)
	if m.State != Starting {
		return every
	}
	m.probeStep = min(max(2*m.probeStep, firstProbe), slowestStart, every)
	return m.probeStep
}

func (m *machine) use(now time.Time, whole bool) {
	if m.using {
		return
	}
	if !now.Before(m.wholeAt) {
		whole = true
	}
	if whole {
		m.wholeAt = now.Add(wholeEvery)
	}
	openmp := !now.Before(m.openmpAt)
	if openmp {
		m.openmpAt = now.Add(wholeEvery)
	}
	every := m.config.Memory.Every(m.every(now))
	if m.config.Health.Deep.Path != "" { // was it busy within the last minute?
		every = min(every, deep.Quiet/2)
	}
	m.using, m.useAt = true, now.Add(every)
	m.do(doUse{m.Run, whole, openmp, !m.wokeAt.IsZero() && now.Sub(m.wokeAt) < afterSleep})
}

func (m *machine) onLook(now time.Time) {
	switch m.State {
	case Starting, Healthy, Unhealthy:
		if m.launching || m.using {
			m.ignore("a figure is on its way, or there is nothing to measure")
			return
		}
		m.use(now, true)
	case Stopped, GaveUp:
		m.portAt = now
		m.lookAtPort(now, portEvery)
	case Stopping, Restarting, Unreachable:
		m.ignore("nothing to measure")
	}
}

// present drops what belongs to an earlier run, or comes after its end was asked for.
func (m *machine) present(runID string) bool {
	if runID == m.Run.ID && runID != "" && m.running() {
		return true
	}
	m.ignore("stale: not the present run")
	return false
}

func (m *machine) onProbed(now time.Time, in probed) {
	if !m.present(in.runID) {
		return
	}
	m.probing = false
	answered := in.err == nil || answerOf(in.err) != nil
	mine := in.listens || m.proven
	m.answers.answered = answered && mine
	m.proven = m.proven || m.answers.answered
	if in.err != nil || !mine {
		m.deep.Busied(now)
	}
	switch {
	case in.err == nil && mine:
		m.Health.Good = now
		if m.config.HasHealth() { // how long a connection takes says nothing of a server
			m.Health.Latency = in.latency
		}
		m.answeredWell()
		m.healthy(now)
		m.stable(now)
	case now.Before(m.freeUntil):
		m.ignore("the computer has just woken up")
	case !answered && m.workable() && m.deep.Asking():
		m.ignore("it does the work that the deep probe asks for; its timeout bounds that")
	case answered && !mine:
		m.Health.Problem = "another process answers on the port"
		m.failed(now)
	default:
		m.notWell(now, in.err)
	}
	if again := now.Add(m.config.Health.Interval); m.Health.Failures > 0 && again.Before(m.probeAt) {
		m.probeAt = again // it was to be looked at less often
	}
}

func (m *machine) healthy(now time.Time) {
	m.Health.Failures, m.failing, m.samples, m.logGrew = 0, time.Time{}, nil, false
	if m.Health.Problem = m.wedgedBy(); m.Health.Problem != "" {
		return
	}
	m.Health.Phase = record.PhaseOK
	if d := m.config.Health.Deep; d.Path != "" {
		m.deep.Begin(now, d.Interval)
	}
	if m.Health.Good.IsZero() {
		m.Health.Good = now
	}
	if m.State == Healthy {
		return
	}
	again := m.State == Unhealthy || m.Crashes > 0
	m.tellUnwell(now)
	m.Stall, m.observeAt = stall.Stall{}, time.Time{}
	m.enter(now, Healthy)
	m.openmpAt = now // what it needs is imported by now
	e := Event{What: EventHealthy, Recovery: again}
	if m.config.Target().TLS() && !m.saidTLS {
		m.saidTLS, e.Text = true, "its certificate is not checked: the address is this computer's own"
	}
	m.tell(now, e)
}

// failed is a probe that went wrong. While a run starts, failures are silent until the budget is spent.
func (m *machine) failed(now time.Time) {
	if m.State == Starting && now.Sub(m.started) < m.config.Health.Startup {
		return
	}
	m.Health.Failures++
	if m.failing.IsZero() {
		m.failing, m.samples, m.logGrew = now, nil, false
	}
	m.use(now, true) // busy or hung? the figures tell, of one and the same set of processes
}

func (m *machine) onUsed(now time.Time, in used) {
	if !m.present(in.runID) {
		return
	}
	m.using = false
	if in.failed {
		if m.Health.Failures > m.config.Health.Failures && !m.answers.answered { // busy or not, nobody can tell: it does not answer
			m.unwell(now)
			return
		}
		m.ignore("nothing could be measured")
		return
	}
	m.ConfigChanged = in.changed
	m.Usage, m.Memory.Machine, m.Memory.Pressure = in.usage, in.machine, in.pressure
	m.looked(now, in)
	m.sampled(now)
	m.deep.Measured(now, in.usage.Total)
	if in.looked {
		m.OpenMP = in.openmp
	}
	m.watchWorkers(now, in.children)
	m.watchStall(now, in.logSize)
	for _, pid := range in.dead {
		m.workerGone(process.Child{PID: pid})
	}
	m.countWorkers(now)
	m.guardMemory(now)
	if m.failing.IsZero() || m.State == Stopping || m.answers.answered {
		return
	}
	if len(m.samples) == 0 {
		m.logBase = in.logSize
	}
	m.logGrew = m.logGrew || in.logSize != m.logBase
	m.samples = append(m.samples, process.Reading{At: now, CPU: in.usage.Total})
	every := m.config.Health.Interval
	for len(m.samples) > 2 && now.Sub(m.samples[1].At) >= 2*every {
		m.samples = m.samples[1:]
	}
	// On a loaded computer a moment tells nothing: a busy server may not have had its turn.
	if m.Health.Failures >= m.config.Health.Failures && now.Sub(m.samples[0].At) >= every*9/10 {
		m.unwell(now)
	}
}

// unwell tells a server that works too hard to answer from one that hangs.
func (m *machine) unwell(now time.Time) {
	busy := (process.Share(m.samples) >= busyShare || m.logGrew) && now.Sub(m.failing) < m.config.Health.BusyLimit
	phase, what := record.PhaseHung, EventUnhealthy
	if busy {
		phase, what = record.PhaseBusy, EventBusy
	}
	if m.Health.Phase == phase || m.Health.Phase == record.PhaseHung && m.State == Unhealthy {
		return
	}
	m.unhealthy(now, phase)
	m.explain(now, what)
}

func (m *machine) onArrived(now time.Time, in arrived) {
	if !m.present(in.runID) {
		return
	}
	m.Missing = in.missing
	if len(in.missing) > 0 {
		m.tell(now, Event{What: EventEnvMissing, Text: strings.Join(in.missing, ", ")})
	}
}

func (m *machine) onSemaphores(in semaphores) {
	if in.left == 0 {
		m.ignore("nothing was left behind")
		return
	}
	m.Semaphores += in.left
}

func (m *machine) onWoke(now time.Time, in woke) {
	if !m.running() {
		m.ignore("nothing is probed")
		return
	}
	m.mark(record.Mark{At: now.Add(-in.slept), Until: now, What: record.MarkSleep, Text: power.Across(m.probing, 0)})
	m.across, m.broken = m.probing, 0
	m.freeUntil = now.Add(max(shortestGrace, time.Duration(m.config.Health.Failures)*m.config.Health.Interval))
	m.Health.Failures, m.failing, m.samples = 0, time.Time{}, nil
	m.probeAt = now
	m.deep.Slept(now)
	m.slept, m.wokeAt = in.slept, now
}

func (m *machine) onReattached(now time.Time, in reattached) {
	if in.runID != m.Run.ID || in.runID == "" {
		m.ignore("stale: not the present run")
		return
	}
	if m.stale {
		m.ignore("its end is known")
		return
	}
	switch f := in.found; {
	case f.exit != nil:
		m.ended(now, *f.exit, f.verdict, false, f.dead)
	case f.run.ID == m.Run.ID:
		m.Note = ""
		if m.State == Unreachable {
			m.enter(now, Stopping)
		}
		if m.State == Stopping { // the request may have been lost with the connection; a climb that is under way only goes on
			m.do(doStop{m.Run.ID, m.ladder()})
			return
		}
		m.ignore("it runs on")
	case f.problem != "" && m.stopping(): // it was asked to stop, and nobody hears of it
		m.cannotReach(now, f.problem)
	case f.problem != "":
		m.Note = f.problem
	default: // the lock is free and nothing is recorded: nobody knows how it ended
		e := keeper.Exit{Run: m.Run, At: now}
		m.ended(now, e, judge(e, crash.Evidence{}), false, true)
	}
}

package supervisor

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

func (m *machine) onExited(now time.Time, in exited) {
	if in.exit.Run.ID != m.Run.ID || m.Run.ID == "" {
		m.ignore("stale: not the present run")
		return
	}
	m.ended(now, in.exit, in.verdict, false)
}

// ended is the end of the present run. away: nobody was attached when it happened.
func (m *machine) ended(now time.Time, exit keeper.Exit, v crash.Verdict, away bool) {
	m.do(doCount{exit.Run})
	asked := m.State == Stopping && m.why.Kind == "" || exit.Asked && m.why.Kind == ""
	if m.why.Kind != "" {
		v = m.why
	}
	if m.why.Kind == crash.KindPortTaken { // what was ended for this run came back: it is not fought
		m.why = crash.Verdict{}
		m.forget(exit.Run.ID)
		owner := m.Owner
		m.giveUp(now, v)
		m.Owner = owner
		return
	}
	away = away || exit.At.Before(m.came)
	if asked && !exit.Known { // the keeper died in the middle of it: its climb is ours to finish
		m.enter(now, Stopping)
		m.do(doEndStale{exit.Run, m.ladder()})
		return
	}
	if asked {
		m.forget(exit.Run.ID)
		m.settle(now, away)
		return
	}
	up := exit.At.Sub(exit.Run.Started)
	d := Death{Run: exit.Run.ID, At: exit.At, Uptime: max(up, 0), Healthy: !m.Health.Good.IsZero() || away && up >= m.config.Restart.Stable,
		Code: exit.Code, Signal: SignalName(exit.Signal), Verdict: v}
	if !exit.Known {
		m.lost(now, d, &exit, away)
		return
	}
	m.die(now, d, &exit, away)
}

// lost: the keeper is dead, and what it left behind ends before anything else begins.
func (m *machine) lost(now time.Time, d Death, exit *keeper.Exit, away bool) {
	if d.Verdict.Kind == "" { // why.Kind tells a lost keeper from a person's stop
		d.Verdict.Kind = crash.KindKeeperLost
	}
	m.record(d)
	m.again, m.why = m.Want && m.config.Restart.Policy != "never", d.Verdict
	m.enter(now, Stopping)
	m.tell(now, Event{What: EventKeeperLost, Verdict: d.Verdict, Exit: exit, Away: away})
	m.do(doEndStale{exit.Run, m.ladder()})
	m.save()
}

func (m *machine) onStaleEnded(now time.Time, in staleEnded) {
	if in.runID != m.Run.ID || m.State != Stopping {
		m.ignore("stale: not what is being stopped")
		return
	}
	m.forget(in.runID)
	if m.again && m.why.Kind != "" && m.hopeless() {
		m.giveUp(now, m.why)
		return
	}
	m.settle(now, false)
}

// settle is the end of a stop. away: the app that it was asked of did not live to see it, so that it is no answer to anything that was
// asked of this one.
func (m *machine) settle(now time.Time, away bool) {
	again, automatic := m.again, m.why.Kind != ""
	m.again, m.why = false, crash.Verdict{}
	if again {
		m.launch(now, doLaunch{automatic: automatic})
		return
	}
	m.Want = false
	m.enter(now, Stopped)
	m.save()
	m.tell(now, Event{What: EventStopped, Asked: true, Away: away}) // what was not asked for has been told already
}

// forget tells the keeper that the end of a run is recorded.
func (m *machine) forget(runID string) {
	if runID != "" {
		m.lastRun = runID // a start may follow before the keeper has heard of it
		m.do(doForget{runID})
	}
}

func (m *machine) record(d Death) {
	m.deaths = append(m.deaths, d)
	if over := len(m.deaths) - maxDeaths; over > 0 {
		m.deaths = append([]Death(nil), m.deaths[over:]...) // a copy: an earlier save still holds the old array
	}
	m.Last, m.LastAt = d.Verdict, d.At
	m.Crashes, _ = inARow(m.deaths, m.cleared, m.config.Restart.Stable)
}

func (m *machine) hopeless() bool {
	return hopeless(m.deaths, m.cleared, m.config.Restart.Stable, m.config.Restart.GiveUpAfter)
}

// die decides what follows an end that nobody asked for.
func (m *machine) die(now time.Time, d Death, exit *keeper.Exit, away bool) {
	m.why, m.again = crash.Verdict{}, false
	policy := m.config.Restart.Policy
	clean := exit != nil && exit.Code == 0 && exit.Signal == 0 && d.Verdict.Kind == crash.KindCleanExit
	if clean && policy != "always" || !m.Want || policy == "never" {
		m.record(d)
		m.Want = false
		m.forget(d.Run)
		m.enter(now, Stopped)
		m.save()
		what := EventCrashed
		if clean {
			what = EventStopped
		}
		m.tell(now, Event{What: what, Verdict: d.Verdict, Exit: exit, Away: away})
		return
	}
	m.record(d)
	if m.hopeless() {
		m.forget(d.Run)
		m.tell(now, Event{What: EventCrashed, Verdict: d.Verdict, Exit: exit, Away: away})
		m.giveUp(now, d.Verdict)
		return
	}
	m.enter(now, Restarting)
	wait := backOff(m.Crashes, d.Run)
	if exit == nil {
		wait = max(wait, time.Second) // nothing ran: what is in the way needs a moment
	}
	m.Retry = now.Add(wait)
	crashed, restarting := m.Snapshot, m.Snapshot
	if wait == 0 { // first the fork, then the words
		m.launch(now, doLaunch{automatic: true})
	} else {
		m.forget(d.Run)
	}
	m.save()
	m.do(doTell{Event{What: EventCrashed, At: now, Snapshot: crashed, Verdict: d.Verdict, Exit: exit, Away: away}})
	m.do(doTell{Event{What: EventRestarting, At: now, Snapshot: restarting}})
}

package supervisor

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/backoff"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func (m *machine) onExited(now time.Time, in exited) {
	if in.exit.Run.ID != m.Run.ID || m.Run.ID == "" {
		m.ignore("stale: not the present run")
		return
	}
	if m.stale {
		m.ignore("its end is known")
		return
	}
	m.ended(now, in.exit, in.verdict, false, false)
}

// ended is the end of the present run. away: nobody was attached when it happened. dead: there is no keeper any more.
func (m *machine) ended(now time.Time, exit keeper.Exit, v crash.Verdict, away, dead bool) {
	m.do(doCount{exit.Run})
	asked := m.why.Kind == "" && (m.stopping() || exit.Asked)
	if m.why.Kind != "" {
		v = m.why
	}
	if asked {
		m.asked = exit.Run.ID
		m.keepStall(exit, away)
	}
	away = away || exit.Known && exit.At.Before(m.came)
	switch {
	case asked && (!exit.Known || dead): // the keeper died in the middle of it: its stop sequence is finished from here
		m.windUp(now, away, true)
	case asked && m.again && m.guarded == exit.Run.ID:
		m.startGuarded(now, exit.Run.ID)
	case asked:
		if m.again { // else it is forgotten with the rest
			m.forget(exit.Run.ID)
		}
		m.settle(now, away)
	case !exit.Known:
		m.lost(now, exit, v, away)
	case m.why.Kind == crash.KindPortTaken: // what was ended for this run came back: it is not fought
		owner := m.Owner
		m.why = crash.Verdict{}
		m.clearRemains(exit.Run.ID)
		m.setLast(v, now)
		m.giveUp(now, v, owner)
	default:
		m.die(now, m.death(exit, v, away), &exit, away)
	}
}

func (m *machine) death(exit keeper.Exit, v crash.Verdict, away bool) record.Death {
	up := max(exit.At.Sub(exit.Run.Started), 0)
	return record.Death{
		Run: exit.Run.ID, At: exit.At, Uptime: up, Healthy: !m.Health.Good.IsZero() || away && up >= m.config.Restart.Stable,
		Code: exit.Code, Signal: proc.SignalName(exit.Signal), Verdict: v,
	}
}

func (m *machine) endStale(r keeper.Run, alone bool) {
	m.stale, m.alone = true, alone
	m.do(doEndStale{r, m.ladder()})
}

// windUp is the last part of a stop: what is left of the run ends, and its keeper goes. Only after that the backend is Stopped, so that
// "stopped" means that nothing is left.
func (m *machine) windUp(now time.Time, away, alone bool) {
	run := m.Run
	if run.ID == "" {
		run.ID = m.lastRun
	}
	if m.State != Stopping {
		m.enter(now, Stopping)
	}
	m.away, m.why = away, crash.Verdict{}
	m.endStale(run, alone)
	if m.Run = run; !alone { // its process has ended
		m.Run, m.Health, m.Usage, m.Missing, m.OpenMP = keeper.Run{ID: run.ID}, record.Health{}, process.Usage{}, nil, nil
	}
	m.save()
}

// lost: the keeper is dead, and what it left behind ends before anything else begins.
func (m *machine) lost(now time.Time, exit keeper.Exit, v crash.Verdict, away bool) {
	if v.Kind == "" { // why.Kind tells a lost keeper from a person's stop
		v.Kind = crash.KindKeeperLost
	}
	exit.At = now
	d := m.death(exit, v, away)
	d.Healthy = d.Healthy || away // nobody saw it: nothing is known to be wrong with the server
	exit.At = time.Time{}         // and nobody knows when it happened
	before := m.Snapshot
	news := m.record(now, d)
	again := m.Want && m.config.Restart.Policy != config.RestartNever
	m.enter(now, Stopping)
	m.again, m.why = again, v
	if news {
		m.doRecord(d, &exit, before, away)
		m.tell(now, Event{What: EventKeeperLost, Verdict: v, Exit: &exit, Away: away})
	}
	m.away = away
	m.endStale(exit.Run, true)
	m.save()
}

func (m *machine) onStaleEnded(now time.Time, in staleEnded) {
	if in.runID != m.Run.ID || m.State != Stopping || !m.stale {
		m.ignore("stale: not what is being stopped")
		return
	}
	if in.failed != "" { // its record stays: a second server beside it must not be
		m.again, m.why = false, crash.Verdict{}
		v := crash.Verdict{Kind: crash.KindCannotStart, Summary: "the old server cannot be ended: " + in.failed, Remedy: "End it by hand, then try again."}
		m.setLast(v, now)
		m.giveUp(now, v, port.Owner{})
		return
	}
	m.forget(in.runID)
	if !m.again {
		m.stopped(now)
		return
	}
	if m.why.Kind == "" {
		m.settle(now, false)
		return
	}
	why := m.why
	m.again, m.why = false, crash.Verdict{}
	if m.hopeless() {
		m.giveUp(now, why, port.Owner{})
		return
	}
	m.startAgain(now, backoff.Wait(m.Crashes, in.runID), nil, "")
}

// settle goes on after a run that was to end: with the next one, or with the rest of the stop.
func (m *machine) settle(now time.Time, away bool) {
	again, automatic, wasUp := m.again, m.why.Kind != "", m.wasUp
	m.again, m.wasUp, m.why = false, false, crash.Verdict{}
	m.save()
	if again {
		m.launch(now, doLaunch{automatic: automatic, fallback: wasUp})
		return
	}
	m.Want = false
	m.windUp(now, away, false)
}

// stopped is the end of a stop: nothing is left. If the app that it was asked of did not live to see it, it is no answer to anything that was
// asked of this one.
func (m *machine) stopped(now time.Time) {
	away := m.away
	m.again, m.wasUp, m.why, m.away = false, false, crash.Verdict{}, false
	m.Want = false
	m.save()
	m.enter(now, Stopped)
	m.tell(now, Event{What: EventStopped, Asked: true, Away: away}) // what was not asked for has been told already
}

// recordMissed keeps a death that an earlier app did not live to write down. Another run followed it already.
func (m *machine) recordMissed(now time.Time, d missed) {
	m.Run = d.exit.Run
	before := m.Snapshot
	death := m.death(d.exit, d.verdict, true)
	if m.record(now, death) {
		m.save()
		m.tell(now, Event{What: EventCrashed, Verdict: d.verdict, Exit: &d.exit, Away: true})
		m.doRecord(death, &d.exit, before, true)
	}
	m.Run = keeper.Run{}
}

// forget tells the keeper that the end of a run is recorded.
func (m *machine) forget(runID string) {
	if runID != "" {
		m.do(doForget{runID})
	}
}

// clearRemains ends what a dead run left behind when no start follows that would: uvicorn's workers keep the port, and answer.
func (m *machine) clearRemains(runID string) {
	if runID != "" {
		m.do(doStop{runID, m.ladder()})
	}
	m.forget(runID)
}

// record keeps a death. false: it is on record already, because the app died between the record and the keeper's Forget.
func (m *machine) record(now time.Time, d record.Death) bool {
	if d.Run != "" && slices.ContainsFunc(m.deaths, func(o record.Death) bool { return o.Run == d.Run }) {
		return false
	}
	m.deaths = append(m.deaths, d)
	if over := len(m.deaths) - record.MaxDeaths; over > 0 {
		m.deaths = append([]record.Death(nil), m.deaths[over:]...) // a copy: an earlier save still holds the old array
	}
	m.mark(record.Mark{At: d.At, What: record.MarkDeath, Text: d.Verdict.Summary})
	m.setLast(d.Verdict, d.At)
	m.Tally = record.TallyOf(m.deaths, now)
	m.Crashes, _ = backoff.InARow(m.deaths, m.since(), m.config.Restart.Stable)
	return true
}

// since is when the present row of crashes can have begun.
func (m *machine) since() time.Time {
	if m.proved.After(m.cleared) {
		return m.proved
	}
	return m.cleared
}

func (m *machine) hopeless() bool {
	c := m.config.Restart
	if c.GiveUpAfter == 0 {
		return false
	}
	_, neverHealthy := backoff.InARow(m.deaths, m.since(), c.Stable)
	return neverHealthy >= c.GiveUpAfter || backoff.SameVerdict(m.deaths, m.cleared) >= c.GiveUpAfter
}

// die decides what follows an end that nobody asked for. exit is nil if nothing ran: a launch failed.
func (m *machine) die(now time.Time, d record.Death, exit *keeper.Exit, away bool) {
	m.why, m.again = crash.Verdict{}, false
	before := m.Snapshot
	clean := d.Verdict.Kind == crash.KindCleanExit
	leaves := clean && m.config.Restart.Policy == config.RestartOnCrash && !m.served(d, exit, away)
	if clean && !leaves && m.config.Restart.Policy != config.RestartNever {
		d.Verdict.Remedy = wordKept
	}
	news := m.record(now, d)
	m.save()
	crashed := Event{What: EventCrashed, At: now, Verdict: d.Verdict, Exit: exit, Away: away}
	if clean {
		crashed.What = EventEnded
	}
	switch {
	case leaves || !m.Want || m.config.Restart.Policy == config.RestartNever:
		m.Want = false
		m.clearRemains(d.Run)
		m.enter(now, Stopped)
		if clean {
			crashed.What = EventStopped
		}
		m.tellIf(news, now, crashed)
	case m.hopeless():
		run := m.Run
		m.clearRemains(d.Run)
		m.enter(now, GaveUp)
		m.Run = run // whose end it was
		m.tellIf(news, now, crashed)
		m.giveUp(now, d.Verdict, port.Owner{})
	default:
		wait := backoff.Wait(m.Crashes, d.Run)
		if exit == nil {
			wait = max(wait, time.Second) // what is in the way needs a moment
		}
		if !news {
			m.startAgain(now, wait, nil, "")
			return
		}
		m.startAgain(now, wait, &crashed, "")
	}
	if news && exit != nil {
		m.doRecord(d, exit, before, away)
	}
}

// wordKept is what to do about a server that ends by itself and is started again: it may well be wanted so.
const wordKept = `It serves, so it is started again. policy = "never" under [restart] in vivarium.toml leaves it ended.`

// served: the run listened on its port, and was healthy. What leaves by itself after that, even in good order, is missed by whoever uses it;
// a script that is done is not.
func (m *machine) served(d record.Death, exit *keeper.Exit, away bool) bool {
	return exit != nil && d.Healthy && m.Port != 0 && (m.proven || away)
}

func (m *machine) tellIf(news bool, now time.Time, e Event) {
	if news {
		m.tell(now, e)
	}
}

// startAgain follows an end with a start, now or after the wait. The fork comes first, then the words. why says more of a restart that no
// crash is the reason of.
func (m *machine) startAgain(now time.Time, wait time.Duration, crashed *Event, why string) {
	run := m.Run
	m.enter(now, Restarting)
	m.Retry = now.Add(wait)
	snapshot := m.Snapshot
	if wait == 0 {
		m.launch(now, doLaunch{automatic: true})
	} else {
		m.clearRemains(run.ID)
	}
	m.save()
	if crashed != nil {
		crashed.Snapshot = snapshot
		crashed.Snapshot.Run = run // whose end it was
		m.do(doTell{*crashed})
	}
	m.do(doTell{Event{What: EventRestarting, At: now, Snapshot: snapshot, Text: why}})
}

func (m *machine) ladder() keeper.Ladder {
	return keeper.Ladder{Signal: m.config.Stop.Signal, Grace: m.config.Stop.Grace, Abort: true}
}

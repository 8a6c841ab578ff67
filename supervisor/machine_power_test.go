package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/power"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// idle answers what is under way.
func (p *play) idle() *play {
	return p.feed(used{runID: p.m.Run.ID, usage: process.Usage{Procs: 1}}).healthy()
}

// next wakes the machine when it wants to be.
func (p *play) next() {
	p.t.Helper()
	require.False(p.t, p.m.deadline.Before(p.now), "at %s it waits for %s", p.now, p.m.deadline)
	p.now = p.m.deadline
	p.feed(due{})
}

// live lets a healthy run live on, woken when it wants to be, and gives how often it was probed, measured and woken.
func (p *play) live(d time.Duration, state *power.State) (probes, uses, wakes int) {
	for end := p.now.Add(d); p.m.deadline.Before(end); {
		p.next()
		wakes++
		probed, used_ := has[doProbe](p.last), has[doUse](p.last)
		if used_ {
			uses++
			p.feed(used{runID: p.m.Run.ID, usage: process.Usage{Procs: 1}, power: state})
		}
		if probed {
			probes++
			p.healthy()
		}
	}
	return probes, uses, wakes
}

func TestAHealthyRunIsProbedAndMeasuredInOneWaking(t *testing.T) {
	p := newPlay(t, in("healthy")).idle()
	p.m.useAt, p.m.probeAt = p.now.Add(2*time.Second), p.now.Add(time.Second)
	p.feed(look{}).feed(used{runID: p.m.Run.ID})
	probes, uses, wakes := p.live(2*time.Minute, nil)
	require.InDelta(t, 24, probes, 1)
	require.InDelta(t, 24, uses, 1)
	require.LessOrEqual(t, wakes, 26)
}

func TestTheUsualIntervalGrowsWithHealthAndOnABattery(t *testing.T) {
	for name, c := range map[string]struct {
		named bool
		state power.State
		want  int // probes in the ten minutes that follow ten minutes of health
	}{
		"plugged in":                      {false, power.State{}, 60},
		"on its battery":                  {false, power.State{Battery: true}, 40},
		"in low power mode":               {false, power.State{Battery: true, Saving: true}, 30},
		"an interval that a person chose": {true, power.State{Battery: true, Saving: true}, 120},
	} {
		m := in("healthy")
		m.config.IntervalNamed = c.named
		p := newPlay(t, m).idle()
		p.live(10*time.Minute, &c.state)
		probes, uses, wakes := p.live(10*time.Minute, &c.state)
		require.InDelta(t, c.want, probes, 1, name)
		require.InDelta(t, c.want, uses, 1, name)
		require.LessOrEqual(t, wakes, c.want+2, name)
	}
}

func TestAFailureIsFollowedUpAsQuicklyAsEver(t *testing.T) {
	p := newPlay(t, in("healthy")).idle()
	state := power.State{Battery: true, Saving: true}
	p.live(10*time.Minute, &state)
	p.next()
	require.True(t, has[doProbe](p.last))
	p.feed(used{runID: p.m.Run.ID})
	p.feed(probed{runID: p.m.Run.ID, err: errors.New("no answer within 3 s")}).feed(used{runID: p.m.Run.ID})
	failed := p.now
	for p.m.State == Healthy && p.now.Sub(failed) < time.Minute {
		p.next()
		probes := has[doProbe](p.last)
		p.feed(used{runID: p.m.Run.ID, usage: process.Usage{Procs: 1}})
		if probes {
			p.feed(probed{runID: p.m.Run.ID, err: errors.New("no answer within 3 s")}).feed(used{runID: p.m.Run.ID, usage: process.Usage{Procs: 1}})
		}
	}
	require.Equal(t, Unhealthy, p.m.State)
	require.LessOrEqual(t, p.now.Sub(failed), 3*p.m.config.Health.Interval)
}

// kept are the wishes of keep_awake in the last step.
func (p *play) kept() (all []bool) {
	for _, e := range p.last {
		if k, ok := e.(doKeepAwake); ok {
			all = append(all, k.wanted)
		}
	}
	return all
}

func TestTheComputerIsKeptAwakeWhileARunIsAtWork(t *testing.T) {
	m := in("healthy")
	m.config.KeepAwake = config.AwakeBusy
	p := newPlay(t, m)
	work := func(cpu float64) *play {
		return p.feed(used{runID: p.m.Run.ID, usage: process.Usage{CPU: cpu, Procs: 1}})
	}
	require.Empty(t, work(0.1).kept())
	require.Equal(t, []bool{true}, work(0.5).kept())
	require.True(t, p.feed(awake{true}).m.KeptAwake)
	require.Empty(t, p.after(power.Linger/2).feed(due{}).kept())
	require.Empty(t, work(0.3).kept())
	require.Empty(t, p.after(power.Linger-time.Second).feed(due{}).kept(), "it was at work a moment ago")
	require.Equal(t, []bool{false}, p.after(time.Second).feed(due{}).kept())
	require.False(t, p.feed(awake{}).m.KeptAwake)
	p.m.Health.Phase = record.PhaseBusy
	require.Equal(t, []bool{true}, work(0).kept(), "too busy to answer")
	require.Equal(t, []bool{false}, p.feed(stop{}).kept(), "nothing keeps it awake for a run that is to end")
}

func TestTheComputerIsKeptAwakeAsLongAsARunLives(t *testing.T) {
	m := in("healthy")
	m.config.KeepAwake = config.AwakeRunning
	p := newPlay(t, m)
	require.Equal(t, []bool{true}, p.feed(due{}).kept())
	require.Equal(t, []bool{false}, p.feed(died(true)).feed(awake{true}).feed(awake{}).feed(stop{}).keptAtAll(false), "not while nothing runs")

	m = in("healthy")
	p = newPlay(t, m)
	p.feed(used{runID: p.m.Run.ID, usage: process.Usage{CPU: 4, Procs: 1}})
	require.Empty(t, p.kept(), "never, unless it is asked for")
}

// keptAtAll is the latest wish, if it is that one.
func (p *play) keptAtAll(wanted bool) []bool {
	if p.m.wakeful == wanted {
		return []bool{wanted}
	}
	return nil
}

func TestWhatFailsAcrossASleepIsNoStall(t *testing.T) {
	p := newPlay(t, in("healthy"))
	p.feed(sleeping{true})
	p.feed(probed{runID: p.m.Run.ID, err: errors.New("no answer within 3 s")})
	require.Zero(t, p.m.Health.Failures, "it was about to sleep")
	p.feed(sleeping{}).feed(woke{time.Hour})
	require.Equal(t, record.MarkSleep, p.m.marks[len(p.m.marks)-1].What)
	for range 3 {
		p.feed(probed{runID: p.m.Run.ID, err: errors.New("no answer within 3 s")}).feed(used{runID: p.m.Run.ID, usage: process.Usage{Procs: 1}})
		p.after(4 * time.Second)
	}
	require.Zero(t, p.m.Health.Failures)
	require.Equal(t, Healthy, p.m.State)
	require.False(t, has[doObserve](p.last))
	p.after(shortestGrace)
	p.feed(probed{runID: p.m.Run.ID, err: errors.New("no answer within 3 s")})
	require.Equal(t, 1, p.m.Health.Failures, "from then on a failure is one")
}

func TestAPermissionThatARunRunsIntoIsToldOnce(t *testing.T) {
	p := newPlay(t, in("healthy"))
	wall := &crash.Verdict{Kind: crash.KindPermission, Summary: "macOS does not let Python into Documents"}
	p.feed(used{runID: p.m.Run.ID, wall: wall})
	require.Equal(t, *wall, p.told[0].Verdict)
	require.Equal(t, []What{EventPermission}, p.events())
	p.feed(used{runID: p.m.Run.ID, wall: wall})
	require.Empty(t, p.events(), "once a run")
	require.Equal(t, Healthy, p.m.State)
	require.Zero(t, p.m.Crashes)
}

func TestWhatASleepBrokeOffIsOnTheTimeline(t *testing.T) {
	p := newPlay(t, in("healthy")).idle()
	p.m.probing = true
	p.feed(woke{time.Hour})
	last := func() string { return p.m.marks[len(p.m.marks)-1].Text }
	require.Equal(t, "a health probe was under way", last())
	shown := p.m.past()
	p.feed(used{runID: p.m.Run.ID, broken: 2})
	require.Equal(t, "2 requests broke off across it, a health probe was under way", last())
	require.Equal(t, "a health probe was under way", shown.Marks[len(shown.Marks)-1].Text, "what somebody holds is not changed")
}

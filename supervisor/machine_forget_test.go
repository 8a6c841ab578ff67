package supervisor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// The keeper spawns nothing before the last exit is forgotten, and a launch does not wait for what is written first.
func TestAStartRightAfterAStopForgetsTheStoppedRunItself(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{})
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now, Known: true, Asked: true}, crash.Verdict{}})
	require.Equal(t, Stopping, p.m.State)
	p.feed(staleEnded{runID: "r1"})
	require.Equal(t, Stopped, p.m.State)
	p.feed(start{})
	require.IsType(t, doSave{}, p.last[0], "the wish is written before it is acted on")
	require.Equal(t, "r1", p.last[1].(doLaunch).forget)
}

func TestAStopThatEndedWhileNobodyWasThereIsToldAsThat(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{}).after(time.Second)
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now, Known: true, Asked: true}, crash.Verdict{}})
	require.Len(t, p.told, 1, "it is not told before nothing is left")
	p.feed(staleEnded{runID: "r1"})
	require.Equal(t, EventStopped, p.told[1].What)
	require.False(t, p.told[1].Away)

	p = newPlay(t, in("healthy"))
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.m.came.Add(-time.Second), Known: true, Asked: true}, crash.Verdict{}})
	p.feed(staleEnded{runID: "r1"})
	require.Equal(t, EventStopped, p.told[0].What)
	require.True(t, p.told[0].Away)
}

func TestStoppedIsToldWhenNothingIsLeftAndAStartMeanwhileFollows(t *testing.T) {
	for _, s := range []string{"restarting", "gave-up"} {
		m := in(s)
		m.lastRun = "r0"
		p := newPlay(t, m).feed(stop{})
		require.Equal(t, Stopping, p.m.State, s)
		require.False(t, p.m.Want, s)
		p.feed(start{})
		require.True(t, p.m.Want)
		p.feed(staleEnded{runID: "r0"})
		require.Equal(t, Starting, p.m.State, s)
		require.NotContains(t, p.events(), EventStopped, "nobody wants that any more")

		m = in(s)
		m.lastRun = "r0"
		p = newPlay(t, m).feed(stop{}).feed(staleEnded{"r0", "it is stuck"})
		require.Equal(t, GaveUp, p.m.State, "it is said aloud")
		require.False(t, p.m.Want)
		require.Contains(t, p.m.Last.Summary, "it is stuck")
	}
}

// The last word of a dead keeper is how its run ended; nobody knows whether something of it is left.
func TestAfterAStopWhoseKeeperDiedWhatIsLeftIsEndedBeforeItIsForgotten(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{}).feed(start{})
	exit := keeper.Exit{Run: p.m.Run, At: p.now, Known: true, Asked: true}
	p.feed(reattached{"r1", found{exit: &exit, dead: true}})
	require.True(t, has[doEndStale](p.last))
	require.False(t, has[doForget](p.last))
	require.False(t, has[doLaunch](p.last))
	p.feed(staleEnded{runID: "r1"})
	require.Equal(t, "r1", func() string {
		for _, e := range p.last {
			if f, ok := e.(doForget); ok {
				return f.runID
			}
		}
		return ""
	}())
	require.Equal(t, Starting, p.m.State)

	p = newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Quit: true}, found: found{exit: &exit, dead: true}})
	require.True(t, has[doEndStale](p.last))
	require.Equal(t, Stopping, p.m.State)
}

func TestADeathThatNobodyLivedToWriteDownIsRecordedAndTheRunGoesOn(t *testing.T) {
	lost := missed{
		exit:    keeper.Exit{Run: keeper.Run{ID: "r0", PID: 5, Started: testkit.Noon.Add(-time.Hour)}, At: testkit.Noon.Add(-time.Minute), Known: true, Signal: 11},
		verdict: crash.Verdict{Kind: "segfault", Summary: "it crashed"},
	}
	run := keeper.Run{ID: "r1", PID: 7, Started: testkit.Noon}
	saved := record.Saved{Want: true}
	p := newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &saved, found: found{run: run}, missed: []missed{lost}})
	require.Equal(t, run, p.m.Run)
	require.Equal(t, Starting, p.m.State)
	require.True(t, p.told[0].Away)
	require.Equal(t, "r0", p.told[0].Exit.Run.ID)
	require.Equal(t, []What{EventCrashed, EventAttached}, p.events())
	require.True(t, has[doRecord](p.last))
	written := p.m.savedIn(p.last)
	require.Len(t, written.Deaths, 1)
	require.Equal(t, crash.Kind("segfault"), written.Last.Kind)

	p = newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &written, found: found{run: run}, missed: []missed{lost}})
	require.Equal(t, []What{EventAttached}, p.events(), "it is told once")
}

func TestARunThatEndedJustAsItWasAskedToIsNoDeathForTheNextAppEither(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{})
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now, Known: true, Signal: 11}, crash.Verdict{Kind: "segfault"}})
	require.Equal(t, "r1", p.m.savedIn(p.last).Ended)
}

func TestAStopThatNobodyHearsMakesTheBackendUnreachable(t *testing.T) {
	p := newPlay(t, in("healthy"))
	p.feed(reattached{"r1", found{problem: "it does not answer"}})
	require.Equal(t, Healthy, p.m.State, "the server answers its probes")
	require.Equal(t, "it does not answer", p.m.Note)
	p.feed(stop{}).feed(reattached{"r1", found{problem: "it does not answer"}})
	require.Equal(t, Unreachable, p.m.State)
	require.Equal(t, "it does not answer", p.m.Note)
	require.Equal(t, []What{EventStopping}, p.events())
	p.feed(reattached{"r1", found{run: p.m.Run}})
	require.Equal(t, Stopping, p.m.State)
	require.True(t, has[doStop](p.last), "it is told again")
	require.Empty(t, p.m.Note)
}

package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestAStopThatWasLostWithTheConnectionIsAskedAgain(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(reattached{"r1", found{problem: "it does not answer"}}).feed(stop{})
	p.feed(reattached{"r1", found{run: p.m.Run}})
	require.True(t, has[doStop](p.last))
}

func TestARunStartedByAutostartIsRememberedAsWanted(t *testing.T) {
	exit := keeper.Exit{Run: keeper.Run{ID: "old", Started: testkit.Noon.Add(-time.Hour)}, At: testkit.Noon.Add(-time.Minute), Known: true, Asked: true}
	p := newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Quit: true}, found: found{exit: &exit}})
	s := p.m.savedIn(p.last)
	require.True(t, s.Want)
	require.False(t, s.Quit)
}

func TestWhatDiedLastWeekIsNoReasonToGiveUpToday(t *testing.T) {
	var old []record.Death
	for range 4 {
		old = append(old, record.Death{Run: "x", At: testkit.Noon.Add(-7 * 24 * time.Hour), Verdict: crash.Verdict{Kind: "segfault"}})
	}
	p := newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Want: true, Deaths: old}})
	require.Zero(t, p.m.Crashes)
	p.launch().healthy()
	require.False(t, p.told[len(p.told)-1].Recovery, "nothing went wrong today")
	p.crash("segfault")
	require.Equal(t, Starting, p.m.State)
}

func TestARowOfCrashesEndsWhenARunProvesStable(t *testing.T) {
	p := newPlay(t, in("healthy")).crash("segfault").launch().healthy()
	require.Equal(t, 1, p.m.Crashes)
	p.after(time.Minute).healthy()
	require.Zero(t, p.m.Crashes)
	p.crash("segfault")
	require.Equal(t, 1, p.m.Crashes)
}

func TestAServerThatDiesLateInItsLoadingIsGivenUpToo(t *testing.T) {
	p := newPlay(t, in("launching"))
	for i := 0; p.m.State != GaveUp; i++ {
		require.Less(t, i, 6, "it never became healthy")
		p.launch().after(150 * time.Second).crash("killed")
		if p.m.State == Restarting {
			p.now = p.m.Retry
			p.feed(due{})
		}
	}
}

func TestADeathThatIsOnRecordAlreadyIsNotToldTwice(t *testing.T) {
	d := record.Death{Run: "old", At: testkit.Noon.Add(-time.Second), Verdict: crash.Verdict{Kind: "segfault"}}
	exit := keeper.Exit{Run: keeper.Run{ID: "old", Started: testkit.Noon.Add(-time.Hour)}, At: d.At, Known: true, Signal: 11}
	p := newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Want: true, Deaths: []record.Death{d}}, found: found{exit: &exit, verdict: d.Verdict}})
	require.Len(t, p.m.deaths, 1)
	require.NotContains(t, p.events(), EventCrashed)
	require.Equal(t, Starting, p.m.State)
}

func TestDuringBackOffNothingOfTheDeadRunIsShown(t *testing.T) {
	p := newPlay(t, in("healthy")).crash("segfault").launch().after(time.Second).crash("segfault")
	require.Equal(t, Restarting, p.m.State)
	require.Zero(t, p.m.Run)
	require.Zero(t, p.m.Health)
	require.True(t, has[doStop](p.last), "what it left behind is ended meanwhile")
	for _, e := range p.told {
		if e.What == EventCrashed {
			require.NotZero(t, e.Snapshot.Run.PID, "whose end it was")
		}
	}
}

func TestAnOldLookAtThePortSaysNothingAboutTheNewRun(t *testing.T) {
	p := newPlay(t, in("stopped")).feed(due{})
	look := p.m.look
	p.feed(takeOver{}).feed(launched{attempt: p.m.attempt, config: testConfig(), run: keeper.Run{ID: "r2", PID: 6}, ended: []port.Owner{{PID: 5, Copy: true}}})
	p.feed(portSeen{look: look, owner: port.Owner{PID: 5, Copy: true}})
	require.Equal(t, Starting, p.m.State)
}

func TestARefusedStartShowsTheConfigurationItWasTriedWith(t *testing.T) {
	c := testConfig()
	c.Port = 9000
	o := port.Owner{PID: 5, Name: "node"}
	p := newPlay(t, in("launching")).feed(launchFailed{attempt: 1, final: true, config: &c, owner: o, verdict: port.Taken(o, 9000, false)})
	require.Equal(t, 9000, p.m.Port)
	require.Equal(t, o, p.told[0].Snapshot.Owner)
}

func TestAQuitWhoseKeeperDiedIsNoNews(t *testing.T) {
	exit := keeper.Exit{Run: keeper.Run{ID: "old", Started: testkit.Noon.Add(-time.Hour)}}
	c := testConfig()
	c.Autostart = false
	p := newPlay(t, &machine{}).feed(began{config: c, saved: &record.Saved{Quit: true}, found: found{exit: &exit}})
	require.True(t, has[doEndStale](p.last))
	p.feed(staleEnded{runID: "old"})
	require.Equal(t, Stopped, p.m.State)
	require.NotContains(t, p.events(), EventKeeperLost)
}

func TestAnAdoptedRunIsProbedAsItWasStarted(t *testing.T) {
	was, is := testConfig(), testConfig()
	is.Port, is.Health.Path = 9000, "/other"
	run := keeper.Run{ID: "old", PID: 7, Started: testkit.Noon}
	p := newPlay(t, &machine{}).feed(began{config: is, saved: &record.Saved{Want: true, With: record.NewRanWith(run, was)}, found: found{run: run}})
	require.Equal(t, 8000, p.m.config.Port)
	require.Equal(t, "http://127.0.0.1:8000", p.m.URL)
	require.Equal(t, "/health", p.m.config.Health.Path)
}

func TestAHangThatCannotBeMeasuredIsAHangAllTheSame(t *testing.T) {
	p := newPlay(t, in("healthy"))
	for range 5 {
		p.feed(probed{runID: "r1", err: errors.New("no answer")}).feed(used{runID: "r1", failed: true}).after(5 * time.Second)
	}
	require.Equal(t, Unhealthy, p.m.State)
}

func TestARunThatTheKeeperHadAlreadyIsAttachedTo(t *testing.T) {
	p := newPlay(t, in("launching")).feed(launched{attempt: 1, adopted: true, config: testConfig(), run: keeper.Run{ID: "r9", PID: 9}})
	require.Equal(t, []What{EventAttached}, p.events())
	require.Equal(t, Starting, p.m.State)
}

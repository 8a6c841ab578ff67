package supervisor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/backoff"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// play drives a machine through time as the loop would, with answers that the test decides.
type play struct {
	t    *testing.T
	m    *machine
	now  time.Time
	runs int
	told []Event
	last []effect
}

func newPlay(t *testing.T, m *machine) *play { return &play{t: t, m: m, now: testkit.Noon} }

func (p *play) feed(in input) *play {
	p.last = p.m.step(p.now, in)
	for _, e := range p.last {
		if tell, ok := e.(doTell); ok {
			p.told = append(p.told, tell.event)
		}
	}
	return p
}

func (p *play) after(d time.Duration) *play { p.now = p.now.Add(d); return p }

// launch answers the launch that was asked for with a new run.
func (p *play) launch() *play {
	p.t.Helper()
	require.True(p.t, p.m.launching, "no launch was asked for")
	p.runs++
	return p.feed(launched{attempt: p.m.attempt, config: p.m.config, run: keeper.Run{ID: fmt.Sprintf("run%d", p.runs), PID: 1000 + p.runs, Started: p.now}})
}

func (p *play) healthy() *play {
	return p.feed(probed{runID: p.m.Run.ID, latency: time.Millisecond, listens: true})
}

func (p *play) crash(kind crash.Kind) *play {
	return p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now, Known: true, Signal: 11}, crash.Verdict{Kind: kind, Summary: string(kind)}})
}

// woundUp says that nothing is left of what was stopped.
func (p *play) woundUp() *play {
	p.t.Helper()
	require.Equal(p.t, Stopping, p.m.State)
	require.True(p.t, has[doEndStale](p.last), "nobody looks for what is left")
	return p.feed(staleEnded{runID: p.m.Run.ID})
}

// bad lets n health intervals pass in which nobody answers, with what the tree used and logged meanwhile.
func (p *play) bad(n int, cpu time.Duration, logSize func(i int) int64) *play {
	for i := range n {
		p.feed(probed{runID: p.m.Run.ID, err: errors.New("no answer within 3 s")})
		p.feed(used{runID: p.m.Run.ID, usage: process.Usage{Total: time.Duration(i+1) * cpu, Procs: 2}, logSize: logSize(i)})
		if i < n-1 {
			p.after(p.m.config.Health.Interval)
		}
	}
	return p
}

func (p *play) events() []What {
	var w []What
	for _, e := range p.told {
		w = append(w, e.What)
	}
	p.told = nil
	return w
}

func has[E effect](out []effect) bool {
	for _, e := range out {
		if _, ok := e.(E); ok {
			return true
		}
	}
	return false
}

func quiet(int) int64 { return 100 }

func TestTheFirstCrashIsFollowedByAStartAtOnceAndTheForkComesBeforeTheWords(t *testing.T) {
	p := newPlay(t, in("healthy")).after(time.Hour).crash("segfault")
	require.Equal(t, Starting, p.m.State)
	require.IsType(t, doCount{}, p.last[0])
	require.IsType(t, doLaunch{}, p.last[1])
	require.Equal(t, "r1", p.last[1].(doLaunch).forget)
	require.Equal(t, []What{EventCrashed, EventRestarting}, p.events())
	p.launch().after(time.Second).healthy()
	require.Equal(t, Healthy, p.m.State)
	require.True(t, p.told[1].Recovery)
}

func TestBackOffDoublesToHalfAMinute(t *testing.T) {
	for n, want := range []time.Duration{0, 0, 1, 2, 4, 8, 16, 30, 30, 30} {
		got := backoff.Wait(n, "x")
		require.LessOrEqual(t, got, want*time.Second, n)
		require.GreaterOrEqual(t, got, want*time.Second*8/10, n)
	}
	require.NotEqual(t, backoff.Wait(5, "a"), backoff.Wait(5, "b"), "two backends must not come back in step")
}

func TestAServerThatDiesAfterThreeSecondsIsGivenUpAfterFiveAndSaidOnce(t *testing.T) {
	p := newPlay(t, in("stopped")).feed(start{})
	for i := range 5 {
		p.launch().after(3 * time.Second).crash("exception")
		if p.m.State == Restarting {
			require.True(t, p.m.Retry.After(p.now), i)
			p.now = p.m.Retry
			p.feed(due{})
		}
	}
	require.Equal(t, GaveUp, p.m.State)
	require.Equal(t, crash.Kind("exception"), p.m.Last.Kind)
	gaveUp := 0
	for _, w := range p.events() {
		if w == EventGaveUp {
			gaveUp++
		}
	}
	require.Equal(t, 1, gaveUp)
	p.after(time.Hour).feed(due{})
	require.Equal(t, GaveUp, p.m.State, "it waits for a person")
	p.feed(start{})
	require.Equal(t, 0, p.m.Crashes)
	require.Equal(t, Starting, p.m.State)
}

func TestASlowCrashLoopIsACrashLoopAllTheSame(t *testing.T) {
	p := newPlay(t, in("stopped")).feed(start{})
	for range 5 {
		p.launch().after(time.Second).healthy().after(90 * time.Second).crash("out-of-memory")
		require.Equal(t, 1, p.m.Crashes, "each run was stable")
	}
	require.Equal(t, GaveUp, p.m.State)
}

func TestCrashesOfDifferentCausesInHealthyStableRunsNeverGiveUp(t *testing.T) {
	p := newPlay(t, in("stopped")).feed(start{})
	for i := range 12 {
		p.launch().after(time.Second).healthy().after(90 * time.Second).crash(crash.Kind(fmt.Sprint("kind", i%4)))
		require.Equal(t, Starting, p.m.State, i)
	}
}

func TestGiveUpAfterZeroNeverGivesUp(t *testing.T) {
	m := in("stopped")
	m.config.Restart.GiveUpAfter, m.config.Restart.Stable = 0, 0
	p := newPlay(t, m).feed(start{})
	for i := range 30 {
		p.launch().after(time.Millisecond).crash("exception")
		require.Equal(t, Starting, p.m.State, "stable = 0s clears the back-off each time: %d", i)
	}
}

func TestAStopDuringBackOffSticksAndIsRemembered(t *testing.T) {
	p := newPlay(t, in("restarting")).feed(stop{})
	require.False(t, p.m.Want)
	require.False(t, p.m.savedIn(p.last).Want)
	require.Equal(t, []What{EventStopping}, p.events(), "what is left of the run that crashed may still be there")
	require.Equal(t, "r0", p.m.Run.ID)
	p.woundUp()
	require.Equal(t, Stopped, p.m.State)
	require.Equal(t, []What{EventStopped}, p.events())
	p.after(time.Hour).feed(due{})
	require.Equal(t, Stopped, p.m.State)
}

// savedIn is the last thing that was to be remembered.
func (m *machine) savedIn(out []effect) record.Saved {
	var s record.Saved
	for _, e := range out {
		if save, ok := e.(doSave); ok {
			s = save.saved
		}
	}
	return s
}

func TestAStopDuringALaunchCancelsItAndEndsWhatItStarted(t *testing.T) {
	p := newPlay(t, in("launching")).feed(stop{})
	require.True(t, has[doCancel](p.last))
	p.launch()
	require.True(t, has[doStop](p.last), "the launch won the race: its run is stopped")
	p.crash("segfault").woundUp()
	require.Equal(t, Stopped, p.m.State)
	require.NotContains(t, p.events(), EventCrashed, "a stop that a person asked for is never news")

	p = newPlay(t, in("launching")).feed(stop{}).feed(launchFailed{attempt: 1, canceled: true}).woundUp()
	require.Equal(t, Stopped, p.m.State)
}

func TestAStartDuringAStopStartsAgainAfterIt(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{}).feed(start{}).crash("x")
	require.Equal(t, Starting, p.m.State)
	require.True(t, p.m.launching)
	p = newPlay(t, in("healthy")).feed(restart{}).feed(stop{}).crash("x").woundUp()
	require.Equal(t, Stopped, p.m.State, "the last word counts")
}

func TestACleanExitThatNobodyAskedForIsToldAndNotRestartedUnlessAlways(t *testing.T) {
	clean := func(m *machine) exited {
		return exited{keeper.Exit{Run: m.Run, At: testkit.Noon.Add(time.Minute), Known: true}, crash.Verdict{Kind: crash.KindCleanExit}}
	}
	for name, idle := range map[string]func(*machine){
		"it listens nowhere":    func(m *machine) { m.Port, m.config.Port, m.config.Health.Path = 0, 0, "" },
		"it never answered":     func(m *machine) { m.Health.Good = time.Time{} },
		"nobody saw it listen":  func(m *machine) { m.proven = false },
		"the policy says never": func(m *machine) { m.config.Restart.Policy = config.RestartNever },
	} {
		m := in("healthy")
		idle(m)
		p := newPlay(t, m).feed(clean(m))
		require.Equal(t, Stopped, p.m.State, name)
		require.Equal(t, []What{EventStopped}, p.events(), name)
		require.False(t, p.m.Want, name)
	}
	m := in("healthy")
	m.Port, m.config.Port, m.config.Restart.Policy = 0, 0, config.RestartAlways
	p := newPlay(t, m)
	p.feed(clean(m))
	require.Equal(t, Starting, p.m.State)
	require.Equal(t, []What{EventEnded, EventRestarting}, p.events())
	m = in("healthy")
	m.config.Restart.Policy = config.RestartNever
	p = newPlay(t, m).crash("segfault")
	require.Equal(t, Stopped, p.m.State)
	require.Equal(t, []What{EventCrashed}, p.events())
}

func TestWhatServedAndLeavesByItselfIsStartedAgain(t *testing.T) {
	p := newPlay(t, in("healthy")).after(time.Hour)
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now, Known: true}, crash.Verdict{Kind: crash.KindCleanExit, Summary: "it ended", Remedy: `policy = "always"`}})
	require.Equal(t, Starting, p.m.State)
	require.True(t, p.m.Want)
	require.Equal(t, EventEnded, p.told[0].What, "no crash")
	require.Contains(t, p.told[0].Verdict.Remedy, `policy = "never"`, "the key that changes it, and not the one that is in force already")
	require.Equal(t, []What{EventEnded, EventRestarting}, p.events())
	require.Zero(t, p.m.Tally.Deaths, "a clean end is no crash")

	for i := 0; p.m.State != GaveUp; i++ {
		require.Less(t, i, 10, "a server that leaves at once, again and again, is given up like any other")
		if p.m.State == Restarting {
			p.now = p.m.Retry
			p.feed(due{})
		}
		p.launch().after(time.Second).healthy().after(time.Second)
		p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now, Known: true}, crash.Verdict{Kind: crash.KindCleanExit}})
	}

	away := keeper.Exit{Run: keeper.Run{ID: "old", PID: 7, Started: testkit.Noon.Add(-time.Hour)}, At: testkit.Noon.Add(-time.Minute), Known: true}
	v := crash.Verdict{Kind: crash.KindCleanExit}
	p = newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Want: true}, found: found{exit: &away, verdict: v}})
	require.Equal(t, Starting, p.m.State, "also if nobody was there to see it")
}

func TestWhatIsSolvedIsToldNoMoreAndStaysOnRecord(t *testing.T) {
	p := newPlay(t, in("healthy")).crash("segfault")
	require.Equal(t, crash.Kind("segfault"), p.m.Last.Kind)
	p.launch().after(time.Second).healthy().after(23 * time.Hour).healthy()
	require.Equal(t, crash.Kind("segfault"), p.m.Last.Kind)
	p.after(2 * time.Hour).healthy()
	require.Empty(t, p.m.Last, "a day of health")
	require.Empty(t, p.m.savedIn(p.last).Last, "also for the next app")
	require.Len(t, p.m.deaths, 1, "it stays among the crashes")

	for _, again := range []input{start{}, restart{}} {
		p = newPlay(t, in("healthy"))
		p.m.config.Restart.Policy = config.RestartNever
		p.crash("segfault")
		require.NotEmpty(t, p.m.Last)
		p.feed(again)
		require.Empty(t, p.m.Last, "a person starts it")
		require.Len(t, p.m.deaths, 1)
	}
}

func TestAQuitForgetsTheWishAndAutostartDecides(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(quit{})
	s := p.m.savedIn(p.last)
	require.True(t, s.Quit)
	m := &machine{}
	newPlay(t, m).feed(began{config: testConfig(), saved: &s})
	require.Equal(t, Starting, m.State)
	c := testConfig()
	c.Autostart = false
	m = &machine{}
	newPlay(t, m).feed(began{config: c, saved: &s})
	require.Equal(t, Stopped, m.State)
}

func TestWhatWasWantedDecidesAfterAnUncleanEnd(t *testing.T) {
	c := testConfig()
	c.Autostart = false
	for _, want := range []bool{true, false} {
		m := &machine{}
		newPlay(t, m).feed(began{config: c, saved: &record.Saved{Want: want}})
		require.Equal(t, want, m.State == Starting)
	}
	m := &machine{}
	newPlay(t, m).feed(began{config: testConfig(), saved: &record.Saved{Want: true, GaveUp: true}})
	require.Equal(t, GaveUp, m.State, "give-up waits for a person, also over a kill of the app")
}

func TestARunThatOutlivedItsAppIsAdopted(t *testing.T) {
	run := keeper.Run{ID: "old", PID: 7, Started: testkit.Noon.Add(-time.Hour)}
	p := newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Want: true}, found: found{run: run}})
	require.Equal(t, Starting, p.m.State)
	require.Equal(t, run, p.m.Run)
	require.False(t, has[doLaunch](p.last))
	require.Equal(t, []What{EventAttached}, p.events())
	p.feed(due{})
	require.True(t, has[doProbe](p.last), "it is probed at once")
	p.healthy()
	require.False(t, p.told[0].Recovery)
}

func TestARunThatWasToldToStopIsLetGo(t *testing.T) {
	run := keeper.Run{ID: "old", PID: 7, Started: testkit.Noon}
	c := testConfig()
	c.Autostart = false
	p := newPlay(t, &machine{}).feed(began{config: c, saved: &record.Saved{Want: false}, found: found{run: run}})
	require.Equal(t, Stopping, p.m.State)
	p.crash("x").woundUp()
	require.Equal(t, Stopped, p.m.State)
	p = newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Quit: true}, found: found{run: run}})
	p.crash("x")
	require.Equal(t, Starting, p.m.State, "autostart wants it back after a Quit")
}

func TestACrashWhileTheAppWasAwayIsToldLateAndRestarted(t *testing.T) {
	exit := keeper.Exit{Run: keeper.Run{ID: "old", Started: testkit.Noon.Add(-time.Hour)}, At: testkit.Noon.Add(-time.Minute), Known: true, Signal: 11}
	p := newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Want: true}, found: found{exit: &exit, verdict: crash.Verdict{Kind: "segfault"}}})
	require.Equal(t, Starting, p.m.State)
	require.True(t, p.told[0].Away)
	require.Equal(t, []What{EventCrashed, EventRestarting}, p.events())
	require.Equal(t, exit.At, p.m.LastAt)
}

func TestALostKeeperIsFollowedByTheEndOfWhatItLeftAndThenByAStart(t *testing.T) {
	p := newPlay(t, in("healthy")).after(time.Second)
	lost := keeper.Exit{Run: p.m.Run, At: p.now}
	p.feed(reattached{"r1", found{exit: &lost, verdict: crash.Verdict{Kind: crash.KindKeeperLost}}})
	require.Equal(t, Stopping, p.m.State)
	require.True(t, has[doEndStale](p.last))
	require.False(t, has[doLaunch](p.last), "never two servers at a time")
	p.feed(staleEnded{runID: "r1"})
	require.Equal(t, Starting, p.m.State)
	require.Equal(t, []What{EventKeeperLost, EventRestarting}, p.events())
	require.Equal(t, p.now, p.m.LastAt)
}

func TestAPortOfSomebodyElseIsGivenUpAtOnce(t *testing.T) {
	o := port.Owner{PID: 5, Name: "node", Why: "It is not this backend."}
	p := newPlay(t, in("launching")).feed(launchFailed{attempt: 1, final: true, owner: o, verdict: portTaken(o, 8000, false)})
	require.Equal(t, GaveUp, p.m.State)
	require.Equal(t, crash.KindPortTaken, p.m.Last.Kind)
	require.Equal(t, o, p.m.Owner)
	require.Contains(t, p.m.Last.Summary, "node (PID 5)")
}

func TestACopyThatIsBackWithinFiveSecondsIsNotFought(t *testing.T) {
	p := newPlay(t, in("launching")).feed(launched{attempt: 1, config: testConfig(), run: keeper.Run{ID: "r2", PID: 6}, ended: []port.Owner{{PID: 5, Name: "python3", Copy: true}}})
	require.Equal(t, []What{EventTookOver, EventStarted}, p.events())
	p.after(time.Second).feed(due{})
	require.True(t, has[doLookAtPort](p.last))
	p.feed(portSeen{look: p.m.look, owner: port.Owner{PID: 8, Name: "python3", Copy: true, Why: "its parent is launchd (PID 1)"}})
	require.Equal(t, Stopping, p.m.State)
	p.crash("x")
	require.Equal(t, GaveUp, p.m.State)
	require.Contains(t, p.m.Last.Remedy, "launchd")
}

func TestAHandStartedCopyIsFoundOutWhileStopped(t *testing.T) {
	p := newPlay(t, in("stopped")).feed(due{})
	require.True(t, has[doLookAtPort](p.last))
	o := port.Owner{PID: 5, Name: "python3", Copy: true}
	p.feed(portSeen{look: p.m.look, owner: o})
	require.Equal(t, o, p.m.Owner)
	require.Equal(t, []What{EventPortTaken}, p.events())
	require.Equal(t, p.now.Add(portEvery), p.m.deadline)
	p.after(portEvery).feed(due{})
	p.feed(portSeen{look: p.m.look, owner: o})
	require.Empty(t, p.events(), "told once")
}

func TestABrokenConfigurationAtStartIsShownAndWaitsForAPerson(t *testing.T) {
	problem := &config.Error{File: "/b/vivarium.toml", Line: 3, Key: "port", Problem: "bad", Remedy: "mend it"}
	p := newPlay(t, in("launching")).feed(launchFailed{attempt: 1, final: true, problem: problem, verdict: crash.Verdict{Kind: crash.KindConfig}})
	require.Equal(t, GaveUp, p.m.State)
	require.Contains(t, p.m.ConfigProblem, "/b/vivarium.toml:3")
	p.feed(start{}).launch()
	require.Empty(t, p.m.ConfigProblem)
}

func TestOnlyTheLastHundredDeathsAreKeptAndASaveNeverChangesLater(t *testing.T) {
	m := in("healthy")
	for i := range 250 {
		m.record(testkit.Noon, record.Death{Run: fmt.Sprint(i), At: testkit.Noon})
	}
	require.Len(t, m.deaths, record.MaxDeaths)
	require.Equal(t, "249", m.deaths[record.MaxDeaths-1].Run)
	s := m.saved()
	m.record(testkit.Noon, record.Death{Run: "later"})
	require.Equal(t, "150", s.Deaths[0].Run)
}

func TestAKeeperThatIsLostInTheMiddleOfAStopLeavesNothingBehind(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{})
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now}, crash.Verdict{Kind: crash.KindKeeperLost}})
	require.Equal(t, Stopping, p.m.State)
	require.True(t, has[doEndStale](p.last))
	p.feed(staleEnded{runID: "r1"})
	require.Equal(t, Stopped, p.m.State)
}

func TestAnAskedEndWhileTheAppWasAwayIsFollowedByAStartOnlyIfWanted(t *testing.T) {
	exit := keeper.Exit{Run: keeper.Run{ID: "old", Started: testkit.Noon.Add(-time.Hour)}, At: testkit.Noon.Add(-time.Minute), Known: true, Asked: true, Signal: 2}
	for _, autostart := range []bool{true, false} {
		c := testConfig()
		c.Autostart = autostart
		p := newPlay(t, &machine{}).feed(began{config: c, saved: &record.Saved{Quit: true}, found: found{exit: &exit}})
		require.Equal(t, autostart, p.m.State == Starting)
		require.NotContains(t, p.events(), EventCrashed)
	}
}

func TestALaunchThatFailsWithoutAPersonIsTriedAgainNotBeforeASecond(t *testing.T) {
	m := in("healthy")
	m.config.Restart.Stable, m.config.Restart.GiveUpAfter = 0, 0
	p := newPlay(t, m).crash("segfault")
	for range 5 {
		p.feed(launchFailed{attempt: p.m.attempt, verdict: crash.Verdict{Kind: crash.KindCannotStart}})
		require.Equal(t, Restarting, p.m.State)
		require.False(t, p.m.Retry.Before(p.now.Add(time.Second)))
		p.now = p.m.Retry
		p.feed(due{})
	}
}

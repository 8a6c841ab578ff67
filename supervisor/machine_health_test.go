package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestAServerThatLoadsForAMinuteIsStarting(t *testing.T) {
	p := newPlay(t, in("launching")).launch()
	for range 60 {
		p.after(time.Second).feed(due{}).feed(probed{runID: p.m.Run.ID, err: errors.New("connection refused")})
		require.Equal(t, Starting, p.m.State)
		require.Zero(t, p.m.Health.Failures)
	}
	p.after(time.Second).healthy()
	require.Equal(t, Healthy, p.m.State)
}

func TestAnAnswerOfAnotherProcessIsNotHealth(t *testing.T) {
	p := newPlay(t, in("starting")).feed(probed{runID: "r1", latency: 1})
	require.Equal(t, Starting, p.m.State)
	require.Contains(t, p.m.Health.Problem, "another process")
}

func TestAServerThatWorksIsBusyAndOneThatDoesNotIsHung(t *testing.T) {
	grows := func(i int) int64 { return int64(i) }
	for name, c := range map[string]struct {
		cpu   time.Duration
		log   func(int) int64
		phase record.Phase
	}{
		"computing":      {2 * time.Second, quiet, record.PhaseBusy},
		"a little CPU":   {500 * time.Millisecond, quiet, record.PhaseHung},
		"logging":        {0, grows, record.PhaseBusy},
		"nothing at all": {0, quiet, record.PhaseHung},
	} {
		p := newPlay(t, in("healthy")).bad(3, c.cpu, c.log)
		require.Equal(t, Unhealthy, p.m.State, name)
		require.Equal(t, c.phase, p.m.Health.Phase, name)
		p.healthy()
		require.Equal(t, Healthy, p.m.State, name)
		require.True(t, p.told[len(p.told)-1].Recovery, name)
	}
}

func TestTwoFailuresAreNotYetNews(t *testing.T) {
	p := newPlay(t, in("healthy")).bad(2, 0, quiet)
	require.Equal(t, Healthy, p.m.State)
	require.Empty(t, p.events())
}

func TestBusyForTooLongIsHung(t *testing.T) {
	p := newPlay(t, in("healthy")).bad(130, 5*time.Second, quiet) // 129 intervals of 5 s: past ten minutes
	require.Equal(t, record.PhaseHung, p.m.Health.Phase)
	require.Equal(t, []What{EventBusy, EventUnhealthy}, p.events())
}

func TestAHungServerIsRestartedOnlyWhereThatIsWanted(t *testing.T) {
	p := newPlay(t, in("healthy")).bad(20, 0, quiet)
	require.Equal(t, Unhealthy, p.m.State)
	m := in("healthy")
	m.config.Health.RestartHung = true
	p = newPlay(t, m).bad(3, 0, quiet)
	require.Equal(t, Stopping, p.m.State)
	p.crash("killed")
	require.Equal(t, Starting, p.m.State)
	require.Equal(t, crash.KindHung, p.m.Last.Kind, "the cause is the hang, not the stop that ended it")
	require.Equal(t, 1, p.m.Crashes)
}

func TestAfterAWakeFailuresAreForgivenForAWhile(t *testing.T) {
	p := newPlay(t, in("healthy")).bad(2, 0, quiet).after(time.Hour).feed(woke{time.Hour})
	p.feed(probed{runID: "r1", err: errors.New("no answer")})
	require.Zero(t, p.m.Health.Failures)
	p.after(shortestGrace+time.Second).bad(3, 0, quiet)
	require.Equal(t, Unhealthy, p.m.State)
}

func TestWithoutAHealthPathHealthyNeedsAConnectionToThePort(t *testing.T) {
	m := in("launching")
	m.config.Health.Path = ""
	p := newPlay(t, m).launch()
	for range 10 {
		p.now = p.m.deadline
		p.feed(due{})
		if has[doProbe](p.last) {
			p.feed(probed{runID: p.m.Run.ID, err: probe.ErrRefused})
		}
		require.Equal(t, Starting, p.m.State, "it imports its modules still")
	}
	p.feed(probed{runID: p.m.Run.ID, latency: time.Millisecond})
	require.Equal(t, Starting, p.m.State, "that was another process")
	p.healthy()
	require.Equal(t, Healthy, p.m.State)
	require.Zero(t, p.m.Health.Latency, "how long a connection takes says nothing")
	for range 20 {
		p.now = p.m.deadline
		p.feed(due{})
		require.False(t, has[doProbe](p.last), "a server that is blocked would have its backlog filled")
		p.feed(used{runID: p.m.Run.ID})
	}
}

func TestAWorkerThatVanishesIsJudgedAndTold(t *testing.T) {
	w := []process.Child{{PID: 11, Stamp: "a", Name: "python3", Interpreter: true}, {PID: 12, Stamp: "b", Name: "python3", Interpreter: true}}
	p := newPlay(t, in("healthy")).feed(used{runID: "r1", children: w}).feed(used{runID: "r1", children: w[:1]})
	require.True(t, has[doJudgeWorker](p.last))
	require.False(t, has[doJudgeWorker](p.feed(used{runID: "r1", failed: true}).last), "what cannot be seen is not dead")
	p.feed(workerDied{"r1", 12, crash.Verdict{Kind: crash.KindWorkerDied, Summary: "a worker died"}})
	require.Equal(t, Healthy, p.m.State)
	require.Equal(t, []What{EventWorkerDied}, p.events())
}

func TestAWorkerWhoseDeathTheLogTellsOfCountsOnce(t *testing.T) {
	w := []process.Child{{PID: 11, Stamp: "a", Name: "python3", Interpreter: true}}
	p := newPlay(t, in("healthy")).feed(used{runID: "r1", children: w}).feed(used{runID: "r1", dead: []int{11, 12}})
	judged := 0
	for _, e := range p.last {
		if _, ok := e.(doJudgeWorker); ok {
			judged++
		}
	}
	require.Equal(t, 2, judged, "11, which vanished and is told of, and 12, which lived between two looks")
	require.False(t, has[doJudgeWorker](p.feed(used{runID: "r1", dead: []int{12}}).last), "it is known")
}

func TestALoopOfDyingWorkersIsCountedAndToldOnce(t *testing.T) {
	for name, c := range map[string]struct {
		every time.Duration
		loop  bool
	}{
		"at once":      {5 * time.Second, true},
		"slowly":       {100 * time.Second, true},
		"now and then": {4 * time.Minute, false},
		"once an hour": {time.Hour, false},
	} {
		p := newPlay(t, in("healthy"))
		for i := range 8 {
			p.after(c.every).feed(workerDied{"r1", 100 + i, crash.Verdict{Kind: crash.KindWorkerDied, Summary: "a worker process died"}})
		}
		told := 0
		for _, e := range p.told {
			if e.What == EventWorkerLoop {
				told++
				require.Regexp(t, `^\d workers died within 10 min$`, e.Text)
			}
		}
		if c.loop {
			require.GreaterOrEqual(t, told, 1, name)
			require.LessOrEqual(t, told, 2, name)
			require.Greater(t, p.m.WorkerDeaths, 3, name)
			require.Contains(t, p.told[len(p.told)-1].Text, "within 10 min", name)
		} else {
			require.Zero(t, told, name)
		}
		require.Equal(t, Healthy, p.m.State, name)
		p.after(11 * time.Minute).feed(used{runID: "r1"})
		require.Zero(t, p.m.WorkerDeaths, name)
	}
}

func TestNumbersInWords(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 112: "112th"} {
		require.Equal(t, want, ordinal(n))
	}
}

func TestAReloaderWithoutItsChildIsRestarted(t *testing.T) {
	m := in("healthy")
	m.config.Command = append(m.config.Command, "--reload")
	w := []process.Child{{PID: 11, Stamp: "a", Interpreter: true}}
	p := newPlay(t, m).feed(used{runID: "r1", children: w}).feed(used{runID: "r1", children: []process.Child{{PID: 12, Stamp: "b", Interpreter: true}}})
	require.Equal(t, Healthy, p.m.State, "an edit replaces the child: no news")
	p.feed(used{runID: "r1"})
	require.Equal(t, Healthy, p.m.State, "between two children there is none")
	p.feed(used{runID: "r1"})
	require.Equal(t, Stopping, p.m.State)
	p.crash("x")
	require.Equal(t, Starting, p.m.State)
	require.Equal(t, crash.KindWorkerDied, p.m.Last.Kind)
}

func TestWithoutAProbeAndAPortARunIsHealthyOnceItHasRunForASecond(t *testing.T) {
	m := in("launching")
	m.config.Health.Path, m.config.Port = "", 0
	p := newPlay(t, m).launch()
	p.now = p.m.deadline
	p.feed(due{})
	require.Equal(t, Starting, p.m.State)
	for p.m.State == Starting {
		require.True(t, p.m.deadline.After(p.now), "it would spin")
		p.now = p.m.deadline
		p.feed(due{})
	}
	require.Equal(t, Healthy, p.m.State)
	require.Equal(t, time.Second, p.now.Sub(testkit.Noon))
}

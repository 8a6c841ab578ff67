package notice

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func TestWhatDeservesAttentionIsToldWithItsCauseAndRemedy(t *testing.T) {
	died := &keeper.Exit{At: testkit.Ago(time.Hour), Known: true, Signal: syscall.SIGSEGV}
	again := testkit.In(supervisor.Restarting, 0, testkit.With(func(s *supervisor.Snapshot) { s.Retry = testkit.Noon.Add(4 * time.Second) }))
	number := crash.Verdict{Kind: crash.KindPortTaken, Summary: "port 8000 is taken by node (PID 8)", Remedy: "End it yourself, or set another port in vivarium.toml."}
	for _, c := range []struct {
		name string
		e    supervisor.Event
		want Notice
	}{
		{"crashed, it starts at once", supervisor.Event{What: supervisor.EventCrashed, Snapshot: testkit.In(supervisor.Restarting, 0), Verdict: testkit.OpenMP, Exit: died},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: testkit.OpenMP.Remedy + " It is starting again.", Icon: assets.Crashed, Class: ClassCrash}},
		{"crashed, it waits", supervisor.Event{What: supervisor.EventCrashed, Snapshot: again, Verdict: testkit.OpenMP},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: testkit.OpenMP.Remedy + " It starts again in 4 s.", Icon: assets.Crashed, Class: ClassCrash}},
		{"crashed, and nobody wants it again", supervisor.Event{What: supervisor.EventCrashed, Snapshot: testkit.In(supervisor.Stopped, 0), Verdict: testkit.OpenMP},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: testkit.OpenMP.Remedy + " It stays stopped.", Icon: assets.Crashed, Class: ClassCrash}},
		{"crashed without a cause", supervisor.Event{What: supervisor.EventCrashed, Snapshot: testkit.In(supervisor.Restarting, 0)},
			Notice{Title: "backend: crashed", Body: "It is starting again.", Icon: assets.Crashed, Class: ClassCrash}},
		{"crashed while nobody was there", supervisor.Event{What: supervisor.EventCrashed, Away: true, Snapshot: testkit.In(supervisor.Starting, 0), Verdict: testkit.OpenMP, Exit: died},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: testkit.OpenMP.Remedy + " It is starting again. It happened at 13:02, while Vivarium was not running.", Icon: assets.Crashed, Class: ClassCrash}},
		{"a worker died", supervisor.Event{What: supervisor.EventWorkerDied, Text: "process 9", Snapshot: testkit.In(supervisor.Healthy, 0), Verdict: testkit.OpenMP},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: testkit.OpenMP.Remedy + " It was process 9.", Icon: assets.Crashed, Class: ClassCrash}},
		{"gave up", supervisor.Event{What: supervisor.EventGaveUp, Verdict: testkit.OpenMP, Snapshot: testkit.In(supervisor.GaveUp, 0, testkit.With(func(s *supervisor.Snapshot) { s.Crashes = 5 }))},
			Notice{Title: "backend: gave up after 5 crashes: two OpenMP runtimes in one process", Body: testkit.OpenMP.Remedy + " Then Try Again in the menu.", Icon: assets.Crashed, Class: ClassFinal}},
		{"the port is taken", supervisor.Event{What: supervisor.EventGaveUp, Verdict: number, Snapshot: testkit.In(supervisor.GaveUp, 0)},
			Notice{Title: "backend: " + number.Summary, Body: number.Remedy + " Then Try Again in the menu.", Icon: assets.Crashed, Class: ClassFinal}},
		{"a copy was started by hand", supervisor.Event{What: supervisor.EventPortTaken, Text: "It runs in this folder", Snapshot: testkit.In(supervisor.Stopped, 0, testkit.With(func(s *supervisor.Snapshot) {
			s.Owner = port.Owner{PID: 7, Copy: true}
		}))}, Notice{Title: "backend: running without the crash environment (PID 7)", Body: "Take Over in the menu ends it and starts it properly. It runs in this folder.", Icon: assets.Unhealthy}},
		{"the keeper was lost", supervisor.Event{What: supervisor.EventKeeperLost, Snapshot: testkit.In(supervisor.Stopping, 0)},
			Notice{Title: "backend: its keeper died, how the server ended is unknown", Icon: assets.Crashed, Class: ClassCrash}},
		{"part of the environment is missing", supervisor.Event{What: supervisor.EventEnvMissing, Text: "A, B", Snapshot: testkit.In(supervisor.Starting, 0)},
			Notice{Title: "backend: part of the crash environment did not arrive in Python", Body: "Start the interpreter itself in command, not a shell or a script around it. Missing: A, B.", Icon: assets.Unhealthy}},
		{"it hangs", supervisor.Event{What: supervisor.EventUnhealthy, Text: "no answer within 3 s", Snapshot: testkit.In(supervisor.Unhealthy, 0)},
			Notice{Title: "backend: the server does not answer", Body: "Restart it from the menu, or set restart_hung = true in vivarium.toml. no answer within 3 s.", Icon: assets.Unhealthy}},
		{"it answers errors", supervisor.Event{What: supervisor.EventUnhealthy, Text: "/health answers 500", Snapshot: testkit.In(supervisor.Unhealthy, 0, testkit.With(func(s *supervisor.Snapshot) {
			s.Health.Phase = record.PhaseWrongAnswer
		}))}, Notice{Title: "backend: the server answers errors", Body: "Restart it from the menu, or set restart_hung = true in vivarium.toml. /health answers 500.", Icon: assets.Unhealthy}},
		{"its real work fails", supervisor.Event{What: supervisor.EventUnhealthy, Text: "POST /w answered 500", Snapshot: testkit.In(supervisor.Unhealthy, 0, testkit.With(func(s *supervisor.Snapshot) {
			s.Health.Phase, s.Stall = record.PhaseWedged, stall.Stall{Kind: stall.KindWedged, Summary: "POST /w answered 500, while the health check is good", Remedy: "Read the log."}
		}))}, Notice{Title: "backend: wedged: POST /w answered 500, while the health check is good", Body: "Read the log.", Icon: assets.Unhealthy}},
		{"it is asked the wrong thing", supervisor.Event{What: supervisor.EventMisconfigured, Text: "/health answers 404: name the right path under [health] (found: /api/health)", Snapshot: testkit.In(supervisor.Unhealthy, 0)},
			Notice{Title: "backend: /health answers 404", Body: "Name the right path under [health] (found: /api/health). The server itself runs, and is left alone.", Icon: assets.Unhealthy}},
		{"it served, and leaves", supervisor.Event{What: supervisor.EventEnded, Verdict: crash.Verdict{Kind: crash.KindCleanExit, Summary: "the server ended by itself", Remedy: "policy = \"never\" leaves it."}, Snapshot: testkit.In(supervisor.Starting, 0)},
			Notice{Title: "backend: the server ended by itself", Body: "policy = \"never\" leaves it. It is starting again.", Icon: assets.Unhealthy}},
		{"its workers die", supervisor.Event{What: supervisor.EventWorkerLoop, Text: "5 workers died within 10 min", Verdict: testkit.OpenMP, Snapshot: testkit.In(supervisor.Healthy, 0)},
			Notice{Title: "backend: its workers die again and again", Body: testkit.OpenMP.Remedy + " two OpenMP runtimes in one process. 5 workers died within 10 min.", Icon: assets.Crashed, Class: ClassFinal}},
		{"memory is high", supervisor.Event{What: supervisor.EventMemoryHigh, Text: "13.6 GB for 30 s, more than 85 % of the 16.0 GB that there are", Snapshot: testkit.In(supervisor.Healthy, 0)},
			Notice{Title: "backend: memory is high: 13.6 GB for 30 s, more than 85 % of the 16.0 GB that there are", Icon: assets.Unhealthy,
				Body: `Use a smaller model, batch or context, or fewer workers; restart = "90%" under [memory] in vivarium.toml starts it anew in time.`}},
		{"it was restarted for its memory", supervisor.Event{What: supervisor.EventRestarting, Text: "restarted at 13.6 GB, before macOS would have ended it", Snapshot: testkit.In(supervisor.Restarting, 0)},
			Notice{Title: "backend: restarted at 13.6 GB, before macOS would have ended it", Body: "It held too much memory, and was stopped in good order. It is starting again.", Icon: assets.Unhealthy}},
		{"healthy again", supervisor.Event{What: supervisor.EventHealthy, Recovery: true, Snapshot: testkit.In(supervisor.Healthy, 0)},
			Notice{Title: "backend: healthy again", Body: "Process 4711.", Icon: assets.Healthy, Class: ClassRecovered}},
		{"it ended by itself", supervisor.Event{What: supervisor.EventStopped, Snapshot: testkit.In(supervisor.Stopped, 0), Verdict: crash.Verdict{Kind: crash.KindCleanExit}},
			Notice{Title: "backend: ended by itself, without an error", Body: "Start in the menu runs it again.", Icon: assets.Stopped}},
	} {
		c.e.At = testkit.Noon
		got, ok := Of(c.e)
		require.True(t, ok, c.name)
		require.Equal(t, "/home/ada/backend", got.Backend, c.name)
		require.Equal(t, "backend", got.Name, c.name)
		c.want.Backend, c.want.Name, c.want.Cause, c.want.Remedy = got.Backend, got.Name, c.e.Verdict.Summary, c.e.Verdict.Remedy
		require.Equal(t, c.want, got, c.name)
	}
}

func TestWhatAPersonAskedForOrExpectsIsNoNews(t *testing.T) {
	for _, e := range []supervisor.Event{
		{What: supervisor.EventStopped, Asked: true}, {What: supervisor.EventStopping}, {What: supervisor.EventStopping, Asked: true},
		{What: supervisor.EventStarted}, {What: supervisor.EventHealthy}, {What: supervisor.EventBusy}, {What: supervisor.EventRestarting},
		{What: supervisor.EventMemoryHigh, Text: "13.6 GB", Snapshot: testkit.In(supervisor.Stopping, 0)},
		{What: supervisor.EventAmended, Verdict: testkit.OpenMP}, {What: supervisor.EventAttached}, {What: supervisor.EventTookOver}, {What: "of-a-newer-version"},
	} {
		_, ok := Of(e)
		require.False(t, ok, e.What)
	}
}

func TestANameIsNotSaidTwice(t *testing.T) {
	n, _ := Of(supervisor.Event{What: supervisor.EventCrashed, Snapshot: testkit.Calm(), Verdict: crash.Verdict{Summary: "backend stopped answering and was restarted"}})
	require.Equal(t, "backend stopped answering and was restarted", n.Title)
	n, _ = Of(supervisor.Event{What: supervisor.EventCrashed, Snapshot: testkit.Calm(), Verdict: crash.Verdict{Summary: "backend"}})
	require.Equal(t, "backend: backend", n.Title)
}

func TestNoticesFitTheirDaemonsWhateverTheEventHolds(t *testing.T) {
	whats := []supervisor.What{
		supervisor.EventCrashed, supervisor.EventWorkerDied, supervisor.EventGaveUp, supervisor.EventPortTaken, supervisor.EventKeeperLost,
		supervisor.EventEnvMissing, supervisor.EventUnhealthy, supervisor.EventStopped,
	}
	for _, what := range whats {
		for _, a := range testkit.Nasty {
			for _, b := range testkit.Nasty {
				s := testkit.Calm()
				s.Backend = a
				n, ok := Of(supervisor.Event{What: what, Snapshot: s, At: testkit.Noon, Text: b, Verdict: crash.Verdict{Summary: b, Remedy: a}})
				require.True(t, ok)
				require.NotEmpty(t, n.Title)
				testkit.RequireFit(t, n.Title, maxTitle)
				testkit.RequireFit(t, n.Body, maxBody)
			}
		}
	}
}

func crashNotice(cause string) Notice {
	return Notice{Title: "backend: " + cause, Body: "Do this. It is starting again.", Remedy: "Do this.", Cause: cause, Icon: assets.Crashed, Backend: "/b", Name: "backend", Class: ClassCrash}
}

var (
	recovered = Notice{Title: "backend: healthy again", Icon: assets.Healthy, Backend: "/b", Name: "backend", Class: ClassRecovered}
	finished  = Notice{Title: "backend: gave up", Icon: assets.Crashed, Backend: "/b", Name: "backend", Class: ClassFinal}
)

func TestTenCrashesInAMinuteAreTheFirstAndOneForTheRest(t *testing.T) {
	var c coalescer
	first := crashNotice("cause 0")
	require.Equal(t, []Notice{first}, c.Add(testkit.Noon, first), "the first is told at once")
	require.Zero(t, c.Next())
	for i := 1; i < 10; i++ {
		require.Empty(t, c.Add(testkit.Noon.Add(time.Duration(i)*5*time.Second), crashNotice("cause")))
	}
	require.Equal(t, testkit.Noon.Add(time.Minute), c.Next())
	require.Empty(t, c.Due(testkit.Noon.Add(59*time.Second)))
	out := c.Due(testkit.Noon.Add(time.Minute))
	require.Len(t, out, 1)
	require.Equal(t, "backend crashed 10 times in the last minute: cause", out[0].Title)
	require.Equal(t, "Do this. It is not healthy again yet.", out[0].Body)
	require.Zero(t, c.Next())
	require.Empty(t, c.bursts, "nothing is kept of what is over")
	require.Equal(t, []Notice{first}, c.Add(testkit.Noon.Add(61*time.Second), first), "the next one is a first again")
}

func TestASingleCrashAndItsRecoveryAreBothTold(t *testing.T) {
	var c coalescer
	n := crashNotice("cause")
	require.Equal(t, []Notice{n}, c.Add(testkit.Noon, n))
	require.Equal(t, []Notice{recovered}, c.Add(testkit.Noon.Add(time.Second), recovered))
	require.Empty(t, c.Flush(testkit.Noon.Add(2*time.Second)))
}

func TestARecoveryBetweenCrashesIsPartOfTheirNotice(t *testing.T) {
	var c coalescer
	c.Add(testkit.Noon, crashNotice("a"))
	require.Empty(t, c.Add(testkit.Noon.Add(time.Second), crashNotice("b")))
	require.Empty(t, c.Add(testkit.Noon.Add(2*time.Second), recovered))
	out := c.Due(testkit.Noon.Add(time.Minute))
	require.Len(t, out, 1)
	require.Equal(t, "backend crashed 2 times in the last minute: b", out[0].Title)
	require.Equal(t, "Do this. It is healthy again.", out[0].Body)
	require.Equal(t, assets.Healthy, out[0].Icon)
}

func TestARecoveryThatACrashFollowedIsNotBelieved(t *testing.T) {
	var c coalescer
	c.Add(testkit.Noon, crashNotice("a"))
	require.Len(t, c.Add(testkit.Noon.Add(time.Second), recovered), 1)
	require.Empty(t, c.Add(testkit.Noon.Add(2*time.Second), crashNotice("b")))
	require.Empty(t, c.Add(testkit.Noon.Add(3*time.Second), recovered), "one recovery a minute is enough")
	require.Empty(t, c.Add(testkit.Noon.Add(4*time.Second), crashNotice("c")))
	require.Contains(t, c.Due(testkit.Noon.Add(time.Minute))[0].Body, "not healthy again yet")
}

func TestGaveUpIsNeverSwallowedAndReplacesWhatWasHeldBack(t *testing.T) {
	var c coalescer
	c.Add(testkit.Noon, crashNotice("a"))
	c.Add(testkit.Noon.Add(time.Second), crashNotice("a"))
	require.Equal(t, []Notice{finished}, c.Add(testkit.Noon.Add(2*time.Second), finished))
	require.Equal(t, []Notice{finished}, c.Add(testkit.Noon.Add(3*time.Second), finished))
	require.Empty(t, c.Due(testkit.Noon.Add(time.Hour)))
}

func TestBackendsAreCountedApart(t *testing.T) {
	var c coalescer
	a, b := crashNotice("a"), crashNotice("b")
	b.Backend = "/other"
	require.Len(t, c.Add(testkit.Noon, a), 1)
	require.Len(t, c.Add(testkit.Noon, b), 1)
	require.Empty(t, c.Add(testkit.Noon.Add(time.Second), b))
	require.Empty(t, c.Add(testkit.Noon.Add(time.Second), a))
	require.Len(t, c.Due(testkit.Noon.Add(time.Minute)), 2)
}

func TestTheSamePlainNoticeIsNotToldTwiceInAMinute(t *testing.T) {
	var c coalescer
	n := Notice{Title: "backend: part of the crash environment did not arrive", Backend: "/b"}
	require.Len(t, c.Add(testkit.Noon, n), 1)
	require.Empty(t, c.Add(testkit.Noon.Add(59*time.Second), n))
	require.Len(t, c.Add(testkit.Noon.Add(time.Minute), n), 1)
	other := n
	other.Title = "backend: the server does not answer"
	require.Len(t, c.Add(testkit.Noon.Add(time.Minute), other), 1)
	require.Zero(t, c.Next(), "nothing is held back")
	c.Due(testkit.Noon.Add(time.Hour))
	require.Empty(t, c.bursts)
}

func TestWhatIsHeldBackIsToldAtTheEnd(t *testing.T) {
	var c coalescer
	c.Add(testkit.Noon, crashNotice("a"))
	c.Add(testkit.Noon.Add(time.Second), crashNotice("b"))
	out := c.Flush(testkit.Noon.Add(20 * time.Second))
	require.Len(t, out, 1)
	require.Equal(t, "backend crashed 2 times in the last 20 s: b", out[0].Title)
	require.Empty(t, c.Flush(testkit.Noon.Add(21*time.Second)))
}

func TestAllHeldBackIsToldWithTheNextNoticeIfNobodyAskedInTime(t *testing.T) {
	var c coalescer
	c.Add(testkit.Noon, crashNotice("a"))
	c.Add(testkit.Noon.Add(time.Second), crashNotice("b"))
	late := crashNotice("c")
	out := c.Add(testkit.Noon.Add(10*time.Minute), late)
	require.Len(t, out, 2)
	require.Contains(t, out[0].Title, "2 times")
	require.Equal(t, late, out[1])
}

func TestAnAmendedVerdictCorrectsWhatIsHeldBackAndIsNeverToldItself(t *testing.T) {
	var c coalescer
	amended := func(was, now string) Notice {
		s := testkit.Calm()
		return Correction(supervisor.Event{What: supervisor.EventAmended, Snapshot: s, Text: was, Verdict: crash.Verdict{Summary: now, Remedy: "Do that"}})
	}
	first := crashNotice("a fault")
	first.Backend = testkit.Calm().Dir
	require.Empty(t, c.Add(testkit.Noon, amended("a fault", "two runtimes")), "nothing was held back")
	require.Len(t, c.Add(testkit.Noon, first), 1)
	require.Empty(t, c.Add(testkit.Noon.Add(time.Second), amended("a fault", "two runtimes")), "it was told, and is not told again")
	require.Empty(t, c.Add(testkit.Noon.Add(2*time.Second), first))
	require.Empty(t, c.Add(testkit.Noon.Add(3*time.Second), amended("another", "of another death")))
	require.Empty(t, c.Add(testkit.Noon.Add(4*time.Second), amended("a fault", "two runtimes")))
	out := c.Due(testkit.Noon.Add(time.Minute))
	require.Len(t, out, 1)
	require.Equal(t, "backend crashed 2 times in the last minute: two runtimes", out[0].Title)
	require.Equal(t, "Do that. It is not healthy again yet.", out[0].Body)
	require.Empty(t, c.bursts)
}

func TestAnAmendedVerdictHasWordsAndNoNotice(t *testing.T) {
	e := supervisor.Event{What: supervisor.EventAmended, Verdict: crash.Verdict{Kind: crash.KindOpenMP, Summary: "two OpenMP runtimes", Remedy: "vivarium doctor --fix"}, Text: "a segmentation fault"}
	require.Equal(t, "the cause is clearer now: two OpenMP runtimes · vivarium doctor --fix", words.Sentence(e))
	_, ok := Of(e)
	require.False(t, ok)
}

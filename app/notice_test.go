package app

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
)

func TestWhatDeservesAttentionIsToldWithItsCauseAndRemedy(t *testing.T) {
	died := &keeper.Exit{At: ago(time.Hour), Known: true, Signal: syscall.SIGSEGV}
	again := in(supervisor.Restarting, 0, with(func(s *supervisor.Snapshot) { s.Retry = noon.Add(4 * time.Second) }))
	number := crash.Verdict{Kind: crash.KindPortTaken, Summary: "port 8000 is taken by node (PID 8)", Remedy: "End it yourself, or set another port in vivarium.toml."}
	for _, c := range []struct {
		name string
		e    supervisor.Event
		want Notice
	}{
		{"crashed, it starts at once", supervisor.Event{What: supervisor.EventCrashed, Snapshot: in(supervisor.Restarting, 0), Verdict: openMP, Exit: died},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: openMP.Remedy + " It is starting again.", Icon: IconCrashed, Class: ClassCrash}},
		{"crashed, it waits", supervisor.Event{What: supervisor.EventCrashed, Snapshot: again, Verdict: openMP},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: openMP.Remedy + " It starts again in 4 s.", Icon: IconCrashed, Class: ClassCrash}},
		{"crashed, and nobody wants it again", supervisor.Event{What: supervisor.EventCrashed, Snapshot: in(supervisor.Stopped, 0), Verdict: openMP},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: openMP.Remedy + " It stays stopped.", Icon: IconCrashed, Class: ClassCrash}},
		{"crashed without a cause", supervisor.Event{What: supervisor.EventCrashed, Snapshot: in(supervisor.Restarting, 0)},
			Notice{Title: "backend: crashed", Body: "It is starting again.", Icon: IconCrashed, Class: ClassCrash}},
		{"crashed while nobody was there", supervisor.Event{What: supervisor.EventCrashed, Away: true, Snapshot: in(supervisor.Starting, 0), Verdict: openMP, Exit: died},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: openMP.Remedy + " It is starting again. It happened at 13:02, while Vivarium was not running.", Icon: IconCrashed, Class: ClassCrash}},
		{"a worker died", supervisor.Event{What: supervisor.EventWorkerDied, Text: "process 9", Snapshot: in(supervisor.Healthy, 0), Verdict: openMP},
			Notice{Title: "backend: two OpenMP runtimes in one process", Body: openMP.Remedy + " It was process 9.", Icon: IconCrashed, Class: ClassCrash}},
		{"gave up", supervisor.Event{What: supervisor.EventGaveUp, Verdict: openMP, Snapshot: in(supervisor.GaveUp, 0, with(func(s *supervisor.Snapshot) { s.Crashes = 5 }))},
			Notice{Title: "backend: gave up after 5 crashes: two OpenMP runtimes in one process", Body: openMP.Remedy + " Then Try Again in the menu.", Icon: IconCrashed, Class: ClassFinal}},
		{"the port is taken", supervisor.Event{What: supervisor.EventGaveUp, Verdict: number, Snapshot: in(supervisor.GaveUp, 0)},
			Notice{Title: "backend: " + number.Summary, Body: number.Remedy + " Then Try Again in the menu.", Icon: IconCrashed, Class: ClassFinal}},
		{"a copy was started by hand", supervisor.Event{What: supervisor.EventPortTaken, Text: "It runs in this folder", Snapshot: in(supervisor.Stopped, 0, with(func(s *supervisor.Snapshot) {
			s.Owner = port.Owner{PID: 7, Copy: true}
		}))}, Notice{Title: "backend: running without the crash environment (PID 7)", Body: "Take Over in the menu ends it and starts it properly. It runs in this folder.", Icon: IconUnhealthy}},
		{"the keeper was lost", supervisor.Event{What: supervisor.EventKeeperLost, Snapshot: in(supervisor.Stopping, 0)},
			Notice{Title: "backend: its keeper died, how the server ended is unknown", Icon: IconCrashed, Class: ClassCrash}},
		{"part of the environment is missing", supervisor.Event{What: supervisor.EventEnvMissing, Text: "A, B", Snapshot: in(supervisor.Starting, 0)},
			Notice{Title: "backend: part of the crash environment did not arrive in Python", Body: "Start the interpreter itself in command, not a shell or a script around it. Missing: A, B.", Icon: IconUnhealthy}},
		{"it hangs", supervisor.Event{What: supervisor.EventUnhealthy, Text: "no answer within 3 s", Snapshot: in(supervisor.Unhealthy, 0)},
			Notice{Title: "backend: the server does not answer", Body: "Restart it from the menu, or set restart_hung = true in vivarium.toml. no answer within 3 s.", Icon: IconUnhealthy}},
		{"healthy again", supervisor.Event{What: supervisor.EventHealthy, Recovery: true, Snapshot: in(supervisor.Healthy, 0)},
			Notice{Title: "backend: healthy again", Body: "Process 4711.", Icon: IconHealthy, Class: ClassRecovered}},
		{"it ended by itself", supervisor.Event{What: supervisor.EventStopped, Snapshot: in(supervisor.Stopped, 0), Verdict: crash.Verdict{Kind: crash.KindCleanExit}},
			Notice{Title: "backend: ended by itself, without an error", Body: "Start in the menu runs it again.", Icon: IconStopped}},
	} {
		c.e.At = noon
		got, ok := Announce(c.e)
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
		{What: supervisor.EventAmended, Verdict: openMP}, {What: supervisor.EventAttached}, {What: supervisor.EventTookOver}, {What: "of-a-newer-version"},
	} {
		_, ok := Announce(e)
		require.False(t, ok, e.What)
	}
}

func TestANameIsNotSaidTwice(t *testing.T) {
	n, _ := Announce(supervisor.Event{What: supervisor.EventCrashed, Snapshot: calm(), Verdict: crash.Verdict{Summary: "backend stopped answering and was restarted"}})
	require.Equal(t, "backend stopped answering and was restarted", n.Title)
	n, _ = Announce(supervisor.Event{What: supervisor.EventCrashed, Snapshot: calm(), Verdict: crash.Verdict{Summary: "backend"}})
	require.Equal(t, "backend: backend", n.Title)
}

func TestNoticesFitTheirDaemonsWhateverTheEventHolds(t *testing.T) {
	whats := []supervisor.What{
		supervisor.EventCrashed, supervisor.EventWorkerDied, supervisor.EventGaveUp, supervisor.EventPortTaken, supervisor.EventKeeperLost,
		supervisor.EventEnvMissing, supervisor.EventUnhealthy, supervisor.EventStopped,
	}
	for _, what := range whats {
		for _, a := range nasty {
			for _, b := range nasty {
				s := calm()
				s.Backend = a
				n, ok := Announce(supervisor.Event{What: what, Snapshot: s, At: noon, Text: b, Verdict: crash.Verdict{Summary: b, Remedy: a}})
				require.True(t, ok)
				require.NotEmpty(t, n.Title)
				requireFit(t, n.Title, maxNoticeTitle)
				requireFit(t, n.Body, maxNoticeBody)
			}
		}
	}
}

func crashNotice(cause string) Notice {
	return Notice{Title: "backend: " + cause, Body: "Do this. It is starting again.", Remedy: "Do this.", Cause: cause, Icon: IconCrashed, Backend: "/b", Name: "backend", Class: ClassCrash}
}

var (
	recovered = Notice{Title: "backend: healthy again", Icon: IconHealthy, Backend: "/b", Name: "backend", Class: ClassRecovered}
	finished  = Notice{Title: "backend: gave up", Icon: IconCrashed, Backend: "/b", Name: "backend", Class: ClassFinal}
)

func TestTenCrashesInAMinuteAreTheFirstAndOneForTheRest(t *testing.T) {
	var c Coalescer
	first := crashNotice("cause 0")
	require.Equal(t, []Notice{first}, c.Add(noon, first), "the first is told at once")
	require.Zero(t, c.Next())
	for i := 1; i < 10; i++ {
		require.Empty(t, c.Add(noon.Add(time.Duration(i)*5*time.Second), crashNotice("cause")))
	}
	require.Equal(t, noon.Add(time.Minute), c.Next())
	require.Empty(t, c.Due(noon.Add(59*time.Second)))
	out := c.Due(noon.Add(time.Minute))
	require.Len(t, out, 1)
	require.Equal(t, "backend crashed 10 times in the last minute: cause", out[0].Title)
	require.Equal(t, "Do this. It is not healthy again yet.", out[0].Body)
	require.Zero(t, c.Next())
	require.Empty(t, c.bursts, "nothing is kept of what is over")
	require.Equal(t, []Notice{first}, c.Add(noon.Add(61*time.Second), first), "the next one is a first again")
}

func TestASingleCrashAndItsRecoveryAreBothTold(t *testing.T) {
	var c Coalescer
	n := crashNotice("cause")
	require.Equal(t, []Notice{n}, c.Add(noon, n))
	require.Equal(t, []Notice{recovered}, c.Add(noon.Add(time.Second), recovered))
	require.Empty(t, c.Flush(noon.Add(2*time.Second)))
}

func TestARecoveryBetweenCrashesIsPartOfTheirNotice(t *testing.T) {
	var c Coalescer
	c.Add(noon, crashNotice("a"))
	require.Empty(t, c.Add(noon.Add(time.Second), crashNotice("b")))
	require.Empty(t, c.Add(noon.Add(2*time.Second), recovered))
	out := c.Due(noon.Add(time.Minute))
	require.Len(t, out, 1)
	require.Equal(t, "backend crashed 2 times in the last minute: b", out[0].Title)
	require.Equal(t, "Do this. It is healthy again.", out[0].Body)
	require.Equal(t, IconHealthy, out[0].Icon)
}

func TestARecoveryThatACrashFollowedIsNotBelieved(t *testing.T) {
	var c Coalescer
	c.Add(noon, crashNotice("a"))
	require.Len(t, c.Add(noon.Add(time.Second), recovered), 1)
	require.Empty(t, c.Add(noon.Add(2*time.Second), crashNotice("b")))
	require.Empty(t, c.Add(noon.Add(3*time.Second), recovered), "one recovery a minute is enough")
	require.Empty(t, c.Add(noon.Add(4*time.Second), crashNotice("c")))
	require.Contains(t, c.Due(noon.Add(time.Minute))[0].Body, "not healthy again yet")
}

func TestGaveUpIsNeverSwallowedAndReplacesWhatWasHeldBack(t *testing.T) {
	var c Coalescer
	c.Add(noon, crashNotice("a"))
	c.Add(noon.Add(time.Second), crashNotice("a"))
	require.Equal(t, []Notice{finished}, c.Add(noon.Add(2*time.Second), finished))
	require.Equal(t, []Notice{finished}, c.Add(noon.Add(3*time.Second), finished))
	require.Empty(t, c.Due(noon.Add(time.Hour)))
}

func TestBackendsAreCountedApart(t *testing.T) {
	var c Coalescer
	a, b := crashNotice("a"), crashNotice("b")
	b.Backend = "/other"
	require.Len(t, c.Add(noon, a), 1)
	require.Len(t, c.Add(noon, b), 1)
	require.Empty(t, c.Add(noon.Add(time.Second), b))
	require.Empty(t, c.Add(noon.Add(time.Second), a))
	require.Len(t, c.Due(noon.Add(time.Minute)), 2)
}

func TestTheSamePlainNoticeIsNotToldTwiceInAMinute(t *testing.T) {
	var c Coalescer
	n := Notice{Title: "backend: part of the crash environment did not arrive", Backend: "/b"}
	require.Len(t, c.Add(noon, n), 1)
	require.Empty(t, c.Add(noon.Add(59*time.Second), n))
	require.Len(t, c.Add(noon.Add(time.Minute), n), 1)
	other := n
	other.Title = "backend: the server does not answer"
	require.Len(t, c.Add(noon.Add(time.Minute), other), 1)
	require.Zero(t, c.Next(), "nothing is held back")
	c.Due(noon.Add(time.Hour))
	require.Empty(t, c.bursts)
}

func TestWhatIsHeldBackIsToldAtTheEnd(t *testing.T) {
	var c Coalescer
	c.Add(noon, crashNotice("a"))
	c.Add(noon.Add(time.Second), crashNotice("b"))
	out := c.Flush(noon.Add(20 * time.Second))
	require.Len(t, out, 1)
	require.Equal(t, "backend crashed 2 times in the last 20 s: b", out[0].Title)
	require.Empty(t, c.Flush(noon.Add(21*time.Second)))
}

func TestAllHeldBackIsToldWithTheNextNoticeIfNobodyAskedInTime(t *testing.T) {
	var c Coalescer
	c.Add(noon, crashNotice("a"))
	c.Add(noon.Add(time.Second), crashNotice("b"))
	late := crashNotice("c")
	out := c.Add(noon.Add(10*time.Minute), late)
	require.Len(t, out, 2)
	require.Contains(t, out[0].Title, "2 times")
	require.Equal(t, late, out[1])
}

func TestAnAmendedVerdictCorrectsWhatIsHeldBackAndIsNeverToldItself(t *testing.T) {
	var c Coalescer
	amended := func(was, now string) Notice {
		s := calm()
		return correction(supervisor.Event{What: supervisor.EventAmended, Snapshot: s, Text: was, Verdict: crash.Verdict{Summary: now, Remedy: "Do that"}})
	}
	first := crashNotice("a fault")
	first.Backend = calm().Dir
	require.Empty(t, c.Add(noon, amended("a fault", "two runtimes")), "nothing was held back")
	require.Len(t, c.Add(noon, first), 1)
	require.Empty(t, c.Add(noon.Add(time.Second), amended("a fault", "two runtimes")), "it was told, and is not told again")
	require.Empty(t, c.Add(noon.Add(2*time.Second), first))
	require.Empty(t, c.Add(noon.Add(3*time.Second), amended("another", "of another death")))
	require.Empty(t, c.Add(noon.Add(4*time.Second), amended("a fault", "two runtimes")))
	out := c.Due(noon.Add(time.Minute))
	require.Len(t, out, 1)
	require.Equal(t, "backend crashed 2 times in the last minute: two runtimes", out[0].Title)
	require.Equal(t, "Do that. It is not healthy again yet.", out[0].Body)
	require.Empty(t, c.bursts)
}

func TestAnAmendedVerdictHasWordsAndNoNotice(t *testing.T) {
	e := supervisor.Event{What: supervisor.EventAmended, Verdict: crash.Verdict{Kind: crash.KindOpenMP, Summary: "two OpenMP runtimes", Remedy: "vivarium doctor --fix"}, Text: "a segmentation fault"}
	require.Equal(t, "the cause is clearer now: two OpenMP runtimes · vivarium doctor --fix", Sentence(e))
	_, ok := Announce(e)
	require.False(t, ok)
}

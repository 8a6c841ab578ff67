package words

import (
	"math"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func TestDurationsAreSaidInTwoUnitsAtMost(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 999 * time.Millisecond: "0 s", 45 * time.Second: "45 s", 59_999 * time.Millisecond: "59 s",
		time.Minute: "1 min", 2*time.Minute + 5*time.Second: "2 min 5 s", 9*time.Minute + 59*time.Second: "9 min 59 s",
		10*time.Minute + 30*time.Second: "10 min", time.Hour: "1 h", 3*time.Hour + 12*time.Minute + 9*time.Second: "3 h 12 min",
		23*time.Hour + 59*time.Minute: "23 h 59 min", 24 * time.Hour: "1 d", 52 * time.Hour: "2 d 4 h", math.MaxInt64: "106751 d 23 h",
	} {
		require.Equal(t, want, Duration(d))
	}
}

func TestSizesAreDecimalAndShort(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1 kB", 12_345: "12 kB", 640_000_000: "640 MB", 999_960_000: "1.0 GB",
		1_200_000_000: "1.2 GB", 1_000_000_000_000: "1.0 TB", math.MaxUint64: "18.4 EB",
	} {
		require.Equal(t, want, Size(n))
	}
}

func TestSharesAndLatencies(t *testing.T) {
	for share, want := range map[float64]string{0: "0 %", 0.04: "4 %", 3.97: "397 %", -1: "0 %", math.Inf(1): "0 %"} {
		require.Equal(t, want, Percent(share))
	}
	require.Equal(t, "0 %", Percent(math.NaN()))
	for d, want := range map[time.Duration]string{0: "", -1: "", time.Microsecond: "under 1 ms", 12 * time.Millisecond: "12 ms", 1400 * time.Millisecond: "1.4 s"} {
		require.Equal(t, want, Latency(d))
	}
}

func TestAMomentHasItsDateWhenItIsNotToday(t *testing.T) {
	for at, want := range map[time.Time]string{
		testkit.Noon:                            "14:02",
		testkit.Noon.Add(-14 * time.Hour):       "00:02",
		testkit.Noon.Add(-15 * time.Hour):       "13 Mar 23:02",
		testkit.Noon.AddDate(-1, 0, 0):          "14 Mar 2025 14:02",
		testkit.Noon.In(time.FixedZone("", -9)): "14:02", // said in the time zone of now
	} {
		require.Equal(t, want, Clock(at, testkit.Noon))
	}
}

func TestPlainMakesOnePrintableLine(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " a  b ": "a b", "a\n\tb\r\n": "a b", "\x1b[31mred\x00": "[31mred", "a\xffb": "a?b", "\u202eabc": "abc", "a\u00a0b": "a b", "日本": "日本",
	} {
		require.Equal(t, want, Plain(in), "%q", in)
	}
}

func TestShortCutsAtCharactersAndSaysSo(t *testing.T) {
	require.Equal(t, "abc", Short("abc", 3))
	require.Equal(t, "ab…", Short("abcd", 3))
	require.Equal(t, "ü…", Short("üüü", 2))
	require.Equal(t, "a…", Short("a · b", 4))
	require.Empty(t, Short("abc", 0))
}

func FuzzShortIsAlwaysPrintableAndNeverTooLong(f *testing.F) {
	for _, s := range testkit.Nasty {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		testkit.RequireFit(t, Short(s, n), max(n, 0))
		require.LessOrEqual(t, len(wrap(s, max(n, 1), 3)), 3)
		for _, line := range wrap(s, max(n, 1), 3) {
			testkit.RequireFit(t, line, max(n, 1))
		}
	})
}

func TestWrapBreaksAtSpaces(t *testing.T) {
	require.Equal(t, []string{"one two", "three"}, wrap("one two three", 8, 2))
	require.Equal(t, []string{"one two", "three f…"}, wrap("one two three four", 8, 2))
	require.Equal(t, []string{"abcd", "ef"}, wrap("abcdef", 4, 2))
	require.Empty(t, wrap("  ", 4, 2))
}

func TestSentencesEndBeforeTheNextBegins(t *testing.T) {
	require.Equal(t, "One. Two! Three.", Sentences("One", "", "Two!", " Three. "))
	require.Empty(t, Sentences("", " "))
}

func TestEveryEventHasASentence(t *testing.T) {
	s := testkit.In(supervisor.Healthy, time.Hour)
	exit := &keeper.Exit{Run: s.Run, At: testkit.Ago(time.Minute), Known: true, Signal: syscall.SIGSEGV}
	retry := testkit.In(supervisor.Restarting, 0, testkit.With(func(s *supervisor.Snapshot) { s.Retry = testkit.Noon.Add(2 * time.Second) }))
	byHand := testkit.In(supervisor.Stopped, 0, testkit.With(func(s *supervisor.Snapshot) { s.Owner = port.Owner{PID: 7, Copy: true} }))
	guarded := testkit.In(supervisor.Healthy, time.Hour, testkit.With(func(s *supervisor.Snapshot) { s.Memory.Restart = 14_000_000_000 }))
	wrong := testkit.In(supervisor.Unhealthy, 0, testkit.With(func(s *supervisor.Snapshot) { s.Health.Phase = record.PhaseWrongAnswer }))
	for _, c := range []struct {
		e    supervisor.Event
		want string
	}{
		{supervisor.Event{What: supervisor.EventStarted, Snapshot: s}, "started · process 4711"},
		{supervisor.Event{What: supervisor.EventHealthy, Snapshot: s}, "healthy · http://127.0.0.1:8000 · 12 ms"},
		{supervisor.Event{What: supervisor.EventHealthy, Snapshot: s, Recovery: true}, "healthy again · http://127.0.0.1:8000 · 12 ms"},
		{supervisor.Event{What: supervisor.EventUnhealthy, Text: "no answer"}, "unhealthy: hung · no answer"},
		{supervisor.Event{What: supervisor.EventUnhealthy, Text: "/health answers 500", Snapshot: wrong}, "unhealthy: wrong answer · /health answers 500"},
		{supervisor.Event{What: supervisor.EventMisconfigured, Text: "/health answers 404: name the right path"}, "misconfigured: the server runs, but /health answers 404: name the right path"},
		{supervisor.Event{What: supervisor.EventHealthy, Snapshot: s, Text: "its certificate is not checked"}, "healthy · http://127.0.0.1:8000 · 12 ms · its certificate is not checked"},
		{supervisor.Event{What: supervisor.EventEnded, Exit: &keeper.Exit{Known: true}, Verdict: crash.Verdict{Summary: "it shut down", Remedy: `policy = "never" leaves it ended.`}},
			`ended by itself (exit code 0): it shut down · policy = "never" leaves it ended.`},
		{supervisor.Event{What: supervisor.EventStopped, Exit: &keeper.Exit{Known: true}, Verdict: crash.Verdict{Summary: "it is done", Remedy: `policy = "always" starts it again.`}},
			`ended by itself (exit code 0): it is done · policy = "always" starts it again.`},
		{supervisor.Event{What: supervisor.EventWorkerLoop, Text: "5 workers died within 10 min", Verdict: testkit.OpenMP},
			"its workers die again and again: 5 workers died within 10 min · two OpenMP runtimes in one process · " + testkit.OpenMP.Remedy},
		{supervisor.Event{What: supervisor.EventWorkerDied, Text: "process 9", Verdict: crash.Verdict{Summary: "a worker process died"}}, "a worker process died · process 9"},
		{supervisor.Event{What: supervisor.EventStopping, Snapshot: wrong}, "stopping: it answers errors"},
		{supervisor.Event{What: supervisor.EventBusy}, "busy: it works, but does not answer"},
		{supervisor.Event{What: supervisor.EventCrashed, Verdict: testkit.OpenMP, Exit: exit}, "crashed (SIGSEGV): two OpenMP runtimes in one process · " + testkit.OpenMP.Remedy},
		{supervisor.Event{What: supervisor.EventCrashed, At: testkit.Noon, Away: true, Exit: &keeper.Exit{At: testkit.Ago(time.Hour), Known: true, Code: 3}},
			"crashed (exit code 3) · It happened at 13:02, while Vivarium was not running"},
		{supervisor.Event{What: supervisor.EventWorkerDied, Verdict: testkit.OpenMP, Text: "process 9"}, "a worker died: two OpenMP runtimes in one process · process 9 · " + testkit.OpenMP.Remedy},
		{supervisor.Event{What: supervisor.EventRestarting, At: testkit.Noon, Snapshot: retry}, "restarting · next start in 2 s"},
		{supervisor.Event{What: supervisor.EventRestarting, At: testkit.Noon, Snapshot: retry, Text: "restarted at 13.6 GB, before macOS would have ended it"},
			"restarted at 13.6 GB, before macOS would have ended it · next start in 2 s"},
		{supervisor.Event{What: supervisor.EventStopping, Text: "its memory: 13.6 GB for 30 s, more than 12.0 GB"}, "stopping: its memory: 13.6 GB for 30 s, more than 12.0 GB"},
		{supervisor.Event{What: supervisor.EventMemoryHigh, Snapshot: s, Text: "13.6 GB for 30 s, more than 85 % of the 16.0 GB that there are"},
			`memory is high: 13.6 GB for 30 s, more than 85 % of the 16.0 GB that there are · Use a smaller model, batch or context, or fewer workers; restart = "90%" under [memory] in vivarium.toml starts it anew in time`},
		{supervisor.Event{What: supervisor.EventMemoryHigh, Snapshot: guarded, Text: "13.6 GB, more than 12.0 GB"},
			"memory is high: 13.6 GB, more than 12.0 GB · Above 14.0 GB it is stopped in good order and started anew"},
		{supervisor.Event{What: supervisor.EventMemoryHigh, Snapshot: testkit.In(supervisor.Stopping, 0), Text: "13.6 GB, more than 12.0 GB"}, "memory is high: 13.6 GB, more than 12.0 GB"},
		{supervisor.Event{What: supervisor.EventGaveUp, Verdict: testkit.OpenMP}, "gave up: two OpenMP runtimes in one process · " + testkit.OpenMP.Remedy},
		{supervisor.Event{What: supervisor.EventStopping, Asked: true}, "stopping"},
		{supervisor.Event{What: supervisor.EventStopped, Asked: true}, "stopped"},
		{supervisor.Event{What: supervisor.EventStopped, Exit: &keeper.Exit{Known: true}}, "ended by itself (exit code 0)"},
		{supervisor.Event{What: supervisor.EventAttached, At: testkit.Noon, Snapshot: s}, "found running, attached · process 4711 · up 1 h"},
		{supervisor.Event{What: supervisor.EventTookOver, Text: "python3.12 (PID 7)"}, "took over from python3.12 (PID 7)"},
		{supervisor.Event{What: supervisor.EventPortTaken, Snapshot: byHand}, "running without the crash environment (PID 7)"},
		{supervisor.Event{What: supervisor.EventKeeperLost, Exit: &keeper.Exit{}}, "its keeper died"},
		{supervisor.Event{What: supervisor.EventEnvMissing, Text: "A, B"}, "part of the crash environment did not arrive in Python: A, B"},
		{supervisor.Event{What: "of-a-newer-version", Text: "x\ny"}, "of-a-newer-version · x y"},
	} {
		require.Equal(t, c.want, Sentence(c.e))
	}
}

func TestTheStatusOfAServerThatAnswersOtherwiseSaysWhat(t *testing.T) {
	of := func(phase record.Phase, problem string) supervisor.Snapshot {
		return testkit.In(supervisor.Unhealthy, time.Hour, testkit.With(func(s *supervisor.Snapshot) { s.Health.Phase, s.Health.Problem, s.WorkerDeaths = phase, problem, 3 }))
	}
	s := of(record.PhaseMisconfigured, "/health answers 404: name the right path under [health] (found: /api/health)")
	require.Equal(t, "Misconfigured · /health answers 404", StatusLine(s, testkit.Noon))
	require.Contains(t, StatusOf(s, testkit.Noon, MaxTitle).Note, "(found: /api/health)", "the remedy is beside it")
	require.Contains(t, StatusOf(s, testkit.Noon, MaxTitle).Note, "3 workers died within 10 min")
	require.Equal(t, "1 backend: 1 misconfigured", SummaryOf([]supervisor.Snapshot{s}))
	s = of(record.PhaseWrongAnswer, "/health answers 500")
	require.Equal(t, "Unhealthy: wrong answer · /health answers 500", StatusLine(s, testkit.Noon))
	require.Equal(t, "1 backend: 1 unhealthy", SummaryOf([]supervisor.Snapshot{s}))
	s = of(record.PhaseHung, "no answer within 3 s")
	require.Contains(t, StatusLine(s, testkit.Noon), "no answer for")
	s.WorkerDeaths = 1
	require.Empty(t, WorkerDeaths(s), "the last end tells of one")
}

func TestAStartThatWaitsSaysForWhom(t *testing.T) {
	s := testkit.In(supervisor.Starting, 5*time.Second)
	s.Awaits = supervisor.Awaits{Name: "database", Why: "which gave up: no module\nnamed x", Stuck: true}
	require.Equal(t, "Waits for database, which gave up: no module named x · 5 s", StatusLine(s, testkit.Noon))
	require.Equal(t, "Waiting", StateWord(s))
	require.Equal(t, "1 backend: 1 waiting", SummaryOf([]supervisor.Snapshot{s}))
	s.HeldBy = 17
	require.Contains(t, StatusLine(s, testkit.Noon), "Waits for database, which gave up")
	s.HeldBy, s.Awaits = 0, supervisor.Awaits{Name: "database"}
	require.Equal(t, "Waits for database · 5 s", StatusLine(s, testkit.Noon))
}

func TestWordsForPeopleAreWhole(t *testing.T) {
	require.Equal(t, "1 crash", Count(1, "crash", "crashes"))
	require.Equal(t, "0 crashes", Count(0, "crash", "crashes"))
	for s := supervisor.Stopped; s <= supervisor.GaveUp; s++ {
		word := StateWord(testkit.In(s, 0))
		require.NotEmpty(t, word)
		require.Equal(t, strings.ToUpper(word[:1]), word[:1])
		require.True(t, utf8.ValidString(word))
	}
	require.Equal(t, "Healthy · 12 ms", StatusLine(testkit.In(supervisor.Healthy, 0), testkit.Noon))
}

func TestPathsInATextBecomeNames(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"Python crashed in /srv/brain/app/main.py, line 8":     "Python crashed in main.py, line 8",
		"/opt/homebrew/lib/libomp.dylib and /a/b/c are loaded": "libomp.dylib and c are loaded",
		`no module "/srv/x/y"`:                                 `no module "y"`,
		"dlopen(/srv/lib/torch/_C.so): no":                     "dlopen(_C.so): no",
		"it asked for http://127.0.0.1:8000/v1/models/list":    "it asked for http://127.0.0.1:8000/v1/models/list",
		"either/or, 4 / 2 and /tmp":                            "either/or, 4 / 2 and /tmp",
	} {
		require.Equal(t, want, WithoutFolders(in))
	}
}

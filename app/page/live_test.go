package page

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

var liveNow = time.Date(2026, 11, 28, 14, 30, 0, 0, time.UTC)

func runningBackend() Backend {
	return Backend{
		ID: "abc", Name: "search-api", Dir: "/Users/alice/backend", State: "healthy", Word: "Healthy", Line: "Healthy · 12 ms", URL: "http://127.0.0.1:8000", PID: 4711,
		Started: liveNow.Add(-time.Hour), Latency: 12 * time.Millisecond, Memory: 1.2e9, CPU: 0.5, Can: []string{"stop", "restart", "nonsense"},
	}
}

func html(parts ...Part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.HTML)
	}
	return b.String()
}

func liveSamples(n int) []Sample {
	var all []Sample
	for i := range n {
		all = append(all, Sample{At: liveNow.Add(time.Duration(i-n) * 5 * time.Second), CPU: 0.1 * float64(i%5), Memory: 1e9, Latency: 10 * time.Millisecond, OK: true})
	}
	return all
}

func TestACardShowsTheStateByShapeAndWords(t *testing.T) {
	for state, shape := range map[string]string{
		"healthy": "disc", "starting": "ring", "unhealthy": "triangle", "stopped": "square", "gave-up": "cross", "restarting": "ring", "stopping": "ring", "of a newer version": "square",
	} {
		b := runningBackend()
		b.State, b.Word = state, "The Word"
		text := html(plainWords.Card(b, History{}, liveNow)...)
		require.Contains(t, text, `class="shape `+shape+`"`)
		require.Contains(t, text, "The Word")
	}
}

func TestACardOffersWhatCanBeDone(t *testing.T) {
	text := html(plainWords.Card(runningBackend(), History{}, liveNow)...)
	require.Contains(t, text, `data-act="stop"`)
	require.Contains(t, text, `data-act="restart"`)
	require.NotContains(t, text, `data-act="start"`)
	require.NotContains(t, text, "nonsense")
}

func TestATroubleIsShownWithItsRemedyAndACommandToCopy(t *testing.T) {
	b := runningBackend()
	b.Trouble = &Trouble{ID: "d1", At: liveNow.Add(-time.Minute), Summary: "two OpenMP runtimes", Remedy: "Run `vivarium doctor --fix`, or set `X`.", Line: "  OMP: Error #15"}
	text := html(plainWords.Card(b, History{}, liveNow)...)
	require.Contains(t, text, "Two OpenMP runtimes")
	require.Contains(t, text, `data-copy="vivarium doctor --fix"`)
	require.NotContains(t, text, `data-copy="X"`, "a name is no command")
	require.Contains(t, text, `href="/b/abc/deaths/d1"`)
	require.Contains(t, text, `<code>OMP: Error #15</code>`)
	require.Contains(t, text, "The last end")
	b.Trouble.Stall = true
	require.Contains(t, html(plainWords.Card(b, History{}, liveNow)...), "Why it does not answer")
}

func TestTheLineOfTheMenuIsNotSaidTwice(t *testing.T) {
	require.Empty(t, moreOf("Healthy · 12 ms", "Healthy", nil))
	require.Equal(t, "next start at 14:02", moreOf("Restarting · next start at 14:02", "Restarting", nil))
	require.Empty(t, moreOf("Gave up · two OpenMP runtimes", "Gave up", &liveTrouble{Trouble: Trouble{Summary: "Two OpenMP runtimes"}}))
}

func TestChartsShowTheLastFifteenMinutesWithTheirMarks(t *testing.T) {
	samples := liveSamples(100)
	samples = append(samples[:40], samples[60:]...) // nothing was measured for a while
	samples[10].OK = false
	samples[70].Pressure = memory.Warning
	samples = append(samples, Sample{At: liveNow.Add(-time.Hour), CPU: 99, Memory: 1}, Sample{At: liveNow.Add(time.Hour), CPU: 99, Memory: 1}, Sample{At: liveNow, CPU: math.NaN()})
	c := plainWords.newCharts("abc", History{Samples: samples, Marks: []Mark{
		{At: liveNow.Add(-10 * time.Minute), What: "death", Text: "it died <b>"}, {At: liveNow.Add(-20 * time.Minute), Until: liveNow.Add(-10 * time.Minute), What: "sleep"},
		{At: liveNow.Add(-20 * time.Minute), What: "start"}, {At: liveNow.Add(-time.Minute), What: "of a newer version"},
		{At: liveNow.Add(-time.Minute), What: "memory", Text: "restarted at 13.6 GB, before macOS would have ended it"},
	}}, true, liveNow)
	require.Len(t, c.Charts, 3)
	latency, used, cpu := c.Charts[0], c.Charts[1], c.Charts[2]
	require.Equal(t, 2, strings.Count(cpu.Path, "M"), "two pieces, with a gap between them")
	require.Equal(t, 3, strings.Count(latency.Path, "M"), "and one where nothing answered")
	require.Len(t, latency.Missed, 1)
	require.Equal(t, "40 %", cpu.Most)
	require.Contains(t, used.Says, "highest 1000 MB")
	require.Contains(t, used.Says, "the system was short of memory")
	require.Len(t, used.Pressure, 1)
	require.Empty(t, cpu.Pressure)
	require.Contains(t, c.Events[3].Text, "memory: restarted at 13.6 GB, before macOS would have ended it")
	require.Len(t, c.Events, 4, "what a newer version marks is shown by its own name")
	require.Equal(t, 100.0, cpu.Marks[0].X)
	require.Equal(t, []lasting{{span{X: 0, Width: 100}, "sleep"}}, cpu.Lasting)
	require.Equal(t, "of a newer version", c.Events[2].Text)
	require.Contains(t, c.Events[1].Text, "the computer slept for 10m0s")
	require.True(t, plainWords.newCharts("abc", History{}, true, liveNow).Empty)
	gone := plainWords.newCharts("abc", History{Samples: samples}, false, liveNow)
	require.Empty(t, gone.Charts[1].Now, "what was measured last is of a run that is gone")
	require.NotEmpty(t, gone.Charts[1].Most)
}

func TestTheTitleSaysHowManyAreNotWell(t *testing.T) {
	a, b := runningBackend(), runningBackend()
	b.ID, b.Name, b.State = "b", "other", "gave-up"
	require.Equal(t, "(1!) Vivarium", plainWords.Title([]Backend{a, b}, ""))
	require.Equal(t, "search-api – Vivarium", plainWords.Title([]Backend{a}, "abc"))
}

// liveParts are all views, with a text in every place that has one.
func liveParts(t testing.TB, text string) string {
	b := Backend{
		ID: "abc", Name: text, Dir: text, State: text, Word: text, Line: text, Note: text, URL: text, Log: text, PID: 1, Started: liveNow,
		Trouble: &Trouble{ID: "d1", At: liveNow, Kind: text, Summary: text, Remedy: "`" + text + " x` " + text, Line: text}, Can: []string{"stop", text},
	}
	h := History{Samples: liveSamples(5), Marks: []Mark{{At: liveNow, What: "death", Text: text}, {At: liveNow, What: text, Text: text}}}
	parts := append(plainWords.Card(b, h, liveNow),
		plainWords.Nav([]Backend{b}, liveNow, "abc", "log"), plainWords.Cards([]Backend{b}, liveNow), plainWords.Cards(nil, liveNow), plainWords.LogView(b),
		plainWords.Deaths(b, []Death{{Trouble: *b.Trouble, Uptime: time.Hour, Asked: true, Report: true}}, liveNow), plainWords.Deaths(b, nil, liveNow),
		plainWords.DoctorView(b, nil), plainWords.DoctorView(b, &Doctor{Backend: text, Checks: []DoctorCheck{{text, text, "fail", text, text}}}),
		plainWords.EnvironmentView(b, Environment{Vars: []environment.Var{{Name: text, Value: text, From: text, Why: text}}, Missing: []string{text, "X"}, Names: []string{text}, Problem: text}),
		plainWords.ConfigView(b, Config{File: text, Text: text + "\n[environment]\n" + text, Problems: []ConfigProblem{{1, text, text}, {0, text, text}, {99, text, text}}}),
		plainWords.StacksPart("abc", Doing{Summary: text, Remedy: text, Lines: []string{"Thread 0x1 (most recent call first):", `  File "` + text + `", line 1 in ` + text, text}}),
		plainWords.Failed("It failed", errors.New(text)),
	)
	var report strings.Builder
	require.NoError(t, plainWords.Report(&report, hostile(text)))
	require.NoError(t, plainWords.Stalled(&report, text, text, record.Stalled{
		Run: text, At: liveNow, Problem: text, Stall: stall.Stall{Kind: stall.Kind(text), Summary: text, Remedy: text, File: text},
		Stacks: []string{"Thread 0x1 (most recent call first):", `  File "` + text + `", line 1 in ` + text, text},
	}))
	return html(parts...) + report.String()
}

// liveInert asserts that the fragments hold our own elements, and none that a text brought in.
func liveInert(t testing.TB, text string) {
	for _, e := range elements(t, "<body>"+text+"</body>") {
		require.NotContains(t, []string{"script", "style", "iframe", "img", "object", "embed", "link", "meta", "base", "plaintext", "html"}, e.tag)
		for name, value := range e.attrs {
			require.False(t, strings.HasPrefix(name, "on"), "%s in %s", name, e.tag)
			require.NotContains(t, []string{"src", "srcdoc", "style", "action", "formaction", "xlink:href"}, name)
			if name == "href" {
				require.NotContains(t, strings.ToLower(value), "javascript:")
				require.True(t, strings.HasPrefix(value, "/b/abc") || value == "/" || value == "#deciding" || !strings.Contains(value, ":") || strings.HasPrefix(value, "http") || value == "#ZgotmplZ", value)
			}
		}
	}
}

func TestWhatABackendSaysIsInertOnTheLivePage(t *testing.T) {
	for _, attack := range attacks {
		liveInert(t, liveParts(t, attack))
	}
}

func FuzzTheLivePageIsInertWhateverTheTextIs(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := liveParts(t, text)
		require.NotContains(t, all, "NaN")
		liveInert(t, all)
	})
}

func TestNoSecretIsShownOnTheLivePage(t *testing.T) {
	for _, secret := range []string{"password=hunter2hunter2", "Bearer hunter2hunter2", "hf_hunter2hunter2hunter2"} {
		all := liveParts(t, secret)
		i := strings.Index(all, "hunter2")
		require.Negative(t, i, "%s: %s", secret, all[max(0, i-100):max(0, i)])
	}
}

func TestTheShellIsTheSameForEverybody(t *testing.T) {
	var b strings.Builder
	require.NoError(t, Shell(&b))
	require.Contains(t, b.String(), `<main id="main"`)
	require.NotContains(t, b.String(), "{{")
}

func TestTheLiveStyleHasTheColoursOfThePalette(t *testing.T) {
	palette := palettes(t)[0]
	_, rules, found := strings.Cut(LiveStyle(), "/* The live page. */")
	require.True(t, found)
	require.NotRegexp(t, `#[0-9a-f]{3,6}\b[^ {.:\[]`, strings.NewReplacer("#count", "", "#first", "").Replace(rules))
	for _, m := range custom.FindAllStringSubmatch(rules, -1) {
		require.Fail(t, "a colour outside the palette", m[0])
	}
	for _, v := range strings.Split(rules, "var(--")[1:] {
		name, _, _ := strings.Cut(v, ")")
		if name != "mono" {
			require.Contains(t, palette, name)
		}
	}
}

func TestOfVariablesInTheConfigurationOnlyThoseOfTheCrashEnvironmentAreShown(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a section":           {"name = \"x\"\n[environment]\nMY_THING = \"hunter2\"\nOMP_NUM_THREADS = \"4\"\n[log]\nfile = \"a\"", "name = \"x\"\n[environment]\nMY_THING = •••\nOMP_NUM_THREADS = \"4\"\n[log]\nfile = \"a\""},
		"spaces and quotes":   {"[ \"environment\" ] # x\n'MY' = 'hunter2'", "[ \"environment\" ]\n'MY' = •••"},
		"dotted keys":         {"environment.MY = \"hunter2\"\nenvironment.\"OMP_NUM_THREADS\" = \"4\"", "environment.MY = •••\nenvironment.\"OMP_NUM_THREADS\" = \"4\""},
		"an inline table":     {"environment = { OMP_NUM_THREADS = \"4\", MY = \"hunter2\" }\nport = 1", "environment = •••\nport = 1"},
		"several lines":       {"[environment]\nMY = \"\"\"one\nhunter2\n[log]\nx = 1\n\"\"\"\nOMP_NUM_THREADS = \"4\"", "[environment]\nMY = •••\n•••\n•••\n•••\n•••\nOMP_NUM_THREADS = \"4\""},
		"a list over lines":   {"[environment]\nMY = [\n  \"hunter2\",\n  'x = 1',\n]\n[log]", "[environment]\nMY = •••\n•••\n•••\n•••\n[log]"},
		"an escaped quote":    {"environment.MY = [ \"a\\\"]\",\n \"hunter2\" ]\nport = 1", "environment.MY = •••\n•••\nport = 1"},
		"a broken file":       {"[environment]\nMY \"hunter2\"\nOTHER = \"a\" hunter2\nOMP_NUM_THREADS = \"4\" hunter2", "[environment]\n•••\nOTHER = •••\nOMP_NUM_THREADS = •••"},
		"an unended section":  {"[environment\nMY = \"hunter2\"", "[environment]\nMY = •••"},
		"Windows' line ends":  {"[environment]\r\nMY = \"hunter2\"\r\n", "[environment]\nMY = •••"},
		"a secret elsewhere":  {"command = [\"x\", \"--api-key\", \"hunter2hunter2\"]", "command = [\"x\", \"--api-key\", \"[masked]\"]"},
		"a list that goes on": {"environment.MY = [\n \"hunter2\"\n]\nport = 1", "environment.MY = •••\n•••\n•••\nport = 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(hideValues(strings.Split(strings.TrimSuffix(c.text, "\n"), "\n")), "\n")
			require.NotContains(t, got, "hunter2")
			if name != "a secret elsewhere" {
				require.Equal(t, c.want, strings.ReplaceAll(got, "[masked]", "•••"))
			}
		})
	}
}

func FuzzNoValueOfAVariableIsShown(f *testing.F) {
	f.Add("MY", "x = 1", "\"", "\"")
	f.Add("MY", "", "\"\"\"", "\"\"\"")
	f.Add("OMP_NUM_THREADS", "", "'", "'")
	f.Fuzz(func(t *testing.T, key, noise, open, end string) {
		if strings.ContainsAny(key+open+end, "\n[#") || strings.Contains(noise, "hunter") || open == "" {
			return
		}
		for _, v := range environment.Table() {
			if strings.Contains(key, v.Name) {
				return
			}
		}
		for _, text := range []string{
			"[environment]\n" + key + " = " + open + "hunter2hunter2" + end, "environment." + key + " = " + open + "hunter2hunter2" + end,
		} {
			if i := strings.IndexByte(text, '='); strings.Contains(text[:i], "hunter") {
				continue
			}
			require.NotContains(t, fmt.Sprint(hideValues(strings.Split(text, "\n"))), "hunter2", text)
		}
	})
}

func TestAStallInTheListSaysHowLongItLastedAndHowItEnded(t *testing.T) {
	s := record.Stalled{Run: "r1", At: liveNow.Add(-time.Hour), Problem: "no answer within 3 s", Stall: stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked", Remedy: "Make it `def`."}}
	list := func(s record.Stalled) string {
		return html(plainWords.Deaths(runningBackend(), []Death{StallOf(s)}, liveNow))
	}
	require.Contains(t, list(s), "It lasts, or nobody saw its end.")
	s.Until, s.Outcome = s.At.Add(2*time.Minute), record.Recovered
	require.Contains(t, list(s), "It stood still for 2m0s, then it answered again.")
	require.Contains(t, list(s), "The event loop is blocked")
	require.Contains(t, list(s), `href="/b/abc/deaths/`+s.ID()+`"`)
	require.NotContains(t, list(s), "In the log", "no line decided it")
	s.Outcome = record.Ended
	require.Contains(t, list(s), "then the run ended.")
	s.Stall = stall.Stall{Kind: stall.KindUnknown, Summary: "what it does is not known"}
	require.Contains(t, list(s), "No answer within 3 s", "what is known is said")
}

func TestTheReportOnAStallHasItsStacksWithTheOwnFrameMarked(t *testing.T) {
	s := record.Stalled{
		Run: "r1", At: liveNow, Uptime: time.Hour, Busy: true, Stall: stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked", Remedy: "Make it `def`.", File: "/b/main.py", Line: 17},
		Stacks: []string{"Thread 0x000000000000001f [main thread] (most recent call first):", `  File "/b/main.py", line 17 in search`, `  File "/usr/lib/python3.12/asyncio/events.py", line 84 in _run`},
	}
	var b strings.Builder
	require.NoError(t, plainWords.Stalled(&b, "brain", "/b", s))
	for _, want := range []string{"The event loop is blocked", "<code>def</code>", "/b/main.py:17", "yours", "it worked all the time", "it lasts, or nobody saw its end", "loop-blocked"} {
		require.Contains(t, b.String(), want)
	}
	require.Equal(t, 1, strings.Count(b.String(), `class="own"`))
	s.Stacks = nil
	b.Reset()
	require.NoError(t, plainWords.Stalled(&b, "brain", "/b", s))
	require.Contains(t, b.String(), "Its stacks are not known")
}

func TestARowOfTheSameDeathsIsToldOnce(t *testing.T) {
	at := func(minutes int, what, text string) Mark {
		return Mark{At: liveNow.Add(time.Duration(minutes-14) * time.Minute), What: what, Text: text}
	}
	texts := func(marks ...Mark) (all []string) {
		for _, e := range plainWords.newCharts("abc", History{Marks: marks}, true, liveNow).Events {
			all = append(all, e.Text)
		}
		return all
	}
	require.Equal(t, []string{"started", "died: no module faiss (3 times, the last at 14:20:00)"}, texts(
		at(0, "start", ""), at(1, "death", "no module faiss"), at(2, "start", ""), at(3, "death", "no module faiss"), at(3, "start", ""), at(4, "death", "no module faiss"),
	))
	require.Equal(t, []string{"died: a", "started", "died: b", "started", "died: a"}, texts(at(0, "death", "a"), at(1, "start", ""), at(2, "death", "b"), at(3, "start", ""), at(4, "death", "a")))
	require.Equal(t, []string{"died: a", "stood still: a", "died: a"}, texts(at(0, "death", "a"), at(1, "stall", "a"), at(2, "death", "a")), "something else was in between")
	require.Equal(t, []string{"died: a (2 times, the last at 14:17:00)", "started", "died: b (2 times, the last at 14:20:00)"}, texts(
		at(0, "death", "a"), at(1, "death", "a"), at(2, "start", ""), at(3, "death", "b"), at(4, "death", "b"),
	))
	var many []Mark
	for i := range 12 {
		many = append(many, at(i, "death", fmt.Sprint(i)))
	}
	c := plainWords.newCharts("abc", History{Marks: many}, true, liveNow)
	require.Len(t, c.Events, 6, "the latest are told")
	require.Equal(t, 6, c.Earlier)
	require.Equal(t, "died: 11", c.Events[5].Text)
}

func TestACommandInARemedyCanBeCopiedAsItIs(t *testing.T) {
	w := plainWords
	w.Home = "/Users/alice"
	for remedy, want := range map[string][]command{
		"Install it: /Users/alice/b/.venv/bin/python -m pip install faiss-cpu":                             {{"/Users/alice/b/.venv/bin/python -m pip install faiss-cpu", "~/b/.venv/bin/python -m pip install faiss-cpu"}},
		"Install it: '/Users/alice/my b/.venv/bin/python3.12' -m pip install torch":                        {{"'/Users/alice/my b/.venv/bin/python3.12' -m pip install torch", "'~/my b/.venv/bin/python3.12' -m pip install torch"}},
		"Install it: python -m pip install hnswlib (unless it is a file of your own: then check).":         {{"python -m pip install hnswlib", "python -m pip install hnswlib"}},
		"Install it: uv pip install --python /b/.venv/bin/python torch. Then start it.":                    {{"uv pip install --python /b/.venv/bin/python torch", "uv pip install --python /b/.venv/bin/python torch"}},
		"Run `vivarium doctor --fix`, or set `X`.":                                                         {{"vivarium doctor --fix", "vivarium doctor --fix"}},
		"Start processes anew instead of forking: multiprocessing.set_start_method(\"spawn\") at the top.": nil,
		"Your code was at main.py, line 12.":                                                               nil,
		"":                                                                                                 nil,
	} {
		require.Equal(t, want, w.trouble(&Trouble{Remedy: remedy}, liveNow).Commands, remedy)
	}
}

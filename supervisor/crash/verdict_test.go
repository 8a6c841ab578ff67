package crash

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestEveryEndIsJudgedAsItsFixtureSays(t *testing.T) {
	kinds := map[Kind]bool{}
	for _, path := range fixtures(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			e, want := readFixture(t, path)
			v := Judge(e)
			kinds[v.Kind] = true
			if *update {
				raw, err := os.ReadFile(path)
				require.NoError(t, err)
				text, _, _ := strings.Cut(string(raw), verdictMark)
				require.NoError(t, os.WriteFile(path, []byte(text+verdictMark+verdictText(v)), 0o644))
				return
			}
			require.Equal(t, want, verdictText(v))
			require.NotContains(t, v.Line, "There appear to be")
		})
	}
	for _, k := range Kinds() {
		switch k.Kind {
		case KindUnknown, KindCannotStart, KindConfig, KindWrongAnswer, KindRestarted: // no evidence leads there
		default:
			require.True(t, kinds[k.Kind], "no fixture for %s", k.Kind)
		}
	}
}

func TestLeakedSemaphoresAreNeverTheCause(t *testing.T) {
	for _, line := range []string{
		"/x/multiprocessing/resource_tracker.py:224: UserWarning: resource_tracker: There appear to be 1 leaked semaphore objects to clean up at shutdown",
		"/x/multiprocessing/semaphore_tracker.py:144: UserWarning: semaphore_tracker: There appear to be 6 leaked semaphores to clean up at shutdown",
		"resource_tracker: There appear to be 3 leaked shared_memory objects to clean up at shutdown: {'/psm_1'}",
	} {
		for _, path := range fixtures(t) {
			e, _ := readFixture(t, path)
			before := Judge(e)
			e.Tail = append(append([]string(nil), e.Tail...), line, "  warnings.warn('resource_tracker: There appear to be %d '")
			require.Equal(t, before, Judge(e), path)
		}
	}
}

func TestAWorkerIsJudgedFromTheOutputAlone(t *testing.T) {
	for _, e := range []Evidence{{}, {Code: 1, Known: true}, {Signal: "SIGKILL", Known: true}, {Asked: true}} {
		v := JudgeWorker(e)
		require.Equal(t, KindWorkerDied, v.Kind)
		require.Contains(t, v.Summary, "the log does not say why")
	}
}

// A remedy fits where the evidence comes from: there is no vivarium.toml beside a log of elsewhere.
func TestNoRemedyForATextOfElsewhereNamesVivarium(t *testing.T) {
	for _, path := range fixtures(t) {
		e, _ := readFixture(t, path)
		if e.Asked || e.Hung || !e.Known && !e.Foreign {
			continue
		}
		e.Foreign, e.Missing, e.OpenMP = true, nil, nil
		v := Judge(e)
		for _, word := range []string{"vivarium", "Vivarium", "[environment]"} {
			require.NotContains(t, v.Summary+v.Remedy, word, path)
		}
	}
}

func TestAVerdictIsFitForANotice(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	for _, message := range []string{"tab\there", "bell\a", "turned \u202eround", "half \xc3", long, "nul\x00"} {
		v := Judge(Evidence{Known: true, Code: 1, Tail: []string{
			"Traceback (most recent call last):", `  File "/b/main.py", line 1, in <module>`, "ValueError: " + message}})
		require.Equal(t, KindException, v.Kind, "%q", message)
		for _, s := range []string{v.Summary, v.Remedy, v.Line} {
			require.True(t, utf8.ValidString(s))
			require.LessOrEqual(t, utf8.RuneCountInString(s), longestLine)
			require.False(t, strings.ContainsAny(s, "\x00\a\t\n\r\u202e"), "%q", s)
		}
		require.LessOrEqual(t, utf8.RuneCountInString(v.Summary), longestSummary)
	}
}

func FuzzJudge(f *testing.F) {
	for _, path := range fixtures(f) {
		raw, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(string(raw), 1, "", false)
		f.Add(string(raw), 0, "SIGABRT", false)
		f.Add(string(raw), 3, "", true)
	}
	f.Fuzz(func(t *testing.T, tail string, code int, signal string, worker bool) {
		v := Judge(Evidence{Known: true, Code: code, Signal: signal, Worker: worker, Tail: strings.Split(tail, "\n")})
		if v.Kind == "" || v.Summary == "" || !utf8.ValidString(v.Summary+v.Remedy+v.Line) {
			t.Fatalf("%+v", v)
		}
		v = Judge(Evidence{Foreign: true, Tail: strings.Split(tail, "\n")})
		if v.Kind == "" || v.Summary == "" || !utf8.ValidString(v.Summary+v.Remedy+v.Line) || strings.Contains(v.Remedy, "vivarium") {
			t.Fatalf("%+v", v)
		}
	})
}

func BenchmarkJudge64KiB(b *testing.B) {
	line := `INFO:     127.0.0.1:52344 - "GET /health HTTP/1.1" 200 OK of some length`
	var tail []string
	for n := 0; n < 64<<10; n += len(line) + 1 {
		tail = append(tail, line)
	}
	short := strings.Split(strings.Repeat("x\n", 32<<10), "\n")
	trace := []string{"Traceback (most recent call last):", `  File "/b/main.py", line 1, in <module>`, "ValueError: x"}
	for name, e := range map[string]Evidence{
		"unknown":     {Known: true, Code: 1, Tail: tail},
		"exception":   {Known: true, Code: 1, Tail: append(append([]string(nil), tail...), trace...)},
		"segfault":    {Known: true, Signal: "SIGSEGV", Tail: tail},
		"worker":      {Worker: true, Tail: tail},
		"short lines": {Known: true, Code: 1, Tail: short},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Judge(e)
			}
		})
	}
}

// The budget: 10 ms for 64 KiB of elsewhere that fit no rule, however they are made.
func BenchmarkTextOfElsewhere64KiB(b *testing.B) {
	for name, line := range map[string]string{
		"access log": `INFO:     127.0.0.1:52344 - "GET /health HTTP/1.1" 200 OK of some length`,
		"records":    "2026-03-03 11:02:17,123 ERROR ranker.store: could not read part 7 of the index, trying again",
		"caught":     "Exception in thread t:\nTraceback (most recent call last):\n  File \"/b/a.py\", line 1, in f\n    f()\nValueError: x\n" + `INFO:     127.0.0.1:52344 - "GET /health HTTP/1.1" 200 OK`,
		"frames":     `  File "/b/a.py", line 1, in f`,
		"headers":    "Traceback (most recent call last):",
		"JSON":       `{"level": "error", "message": "could not read", "exception": {"part": 7, "reason": "it is not there"}}`,
		"workers":    "[2026-03-03 11:02:17 +0000] [12] [INFO] Worker (pid:31) is fine",
		"prompts":    "kim@mac ranker % ls -l",
		"prose":      "The server is up, I think, but it failed to answer: see the error above, please.",
		"box":        "│ ❱ 3 import hnswlib                          │",
		"group":      `  |   File "/b/a.py", line 1, in f`,
		"allocation": "ggml_metal_buffer: error: failed to allocate buffer, size = 0.00 MiB",
		"symbols":    "%%%%%$$$$$#####>>>>> ((((([[[[[{{{{{ ",
	} {
		tail := strings.Split(strings.Repeat(line+"\n", (64<<10)/(len(line)+1)), "\n")
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Judge(Evidence{Foreign: true, Tail: tail})
			}
		})
	}
}

func TestNoVerdictCarriesASecretOfTheOutput(t *testing.T) {
	v := Judge(Evidence{Known: true, Code: 1, Tail: []string{
		"Traceback (most recent call last):", `  File "main.py", line 3, in <module>`, "    connect()",
		"RuntimeError: Incorrect API key provided: sk-proj-AbCdEf1234567890 for postgres://u:hunter2@db/x",
	}})
	require.Equal(t, KindException, v.Kind)
	for _, text := range []string{v.Summary, v.Remedy, v.Line} {
		require.NotContains(t, text, "AbCdEf1234567890")
		require.NotContains(t, text, "hunter2")
	}
	require.Contains(t, v.Summary, "Incorrect API key")
}

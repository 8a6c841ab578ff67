package page

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func TestThePageSaysTheVerdictTheRemedyAndTheLineThatDecided(t *testing.T) {
	r := openMPDeath(t)
	page := made(t, r)
	require.Contains(t, page, "<h1>Two OpenMP runtimes in one process: libiomp5.dylib and libomp.dylib</h1>")
	require.Contains(t, page, "reach Python: <code>vivarium env</code> shows")
	require.Contains(t, page, `<li id="deciding" class="deciding" value="21"><mark>OMP: Error #15:`)
	require.Contains(t, page, `<a href="#deciding">`)
	require.NotContains(t, page, "/Users/alice", "the home folder is nobody's business")
}

func TestAHeadingBeginsWithACapitalAndANameStaysAsItIs(t *testing.T) {
	for said, want := range map[string]string{
		"two runtimes": "Two runtimes", "sqlite3.OperationalError: locked": "sqlite3.OperationalError: locked", "Python died": "Python died", "é x": "é x", "x": "x", "": "", " x y": " x y",
	} {
		require.Equal(t, want, crashPage{Summary: said}.Heading())
	}
}

func TestThePagesHoldTheirStructure(t *testing.T) {
	whole := openMPDeath(t)
	c := threeCopies()
	whole.OpenMP, whole.Loaded = c.Runtimes, c.Loaded

	exception := record.Record{
		Death: record.Death{At: died, Uptime: 4 * time.Second, Code: 1, Verdict: crash.Verdict{
			Kind: crash.KindException, Summary: "ValueError: no such model at main.py, line 7", Line: "ValueError: no such model",
		}},
		Backend: "chat", Dir: "/Users/alice/backend", Known: true, Samples: samplesBefore(died, 1),
		Tail: strings.Split("Traceback (most recent call last):\n  File \"/Users/alice/backend/main.py\", line 7, in <module>\n    load()\nValueError: no such model", "\n"),
	}
	worker := record.Record{
		Death: record.Death{At: died, Worker: 4712, Verdict: crash.Verdict{Kind: crash.KindWorkerDied, Summary: "a worker process died"}}, Backend: "chat", PID: 4712,
	}
	hungry := record.Record{
		Death:  record.Death{At: died, Uptime: time.Hour, Signal: "SIGKILL", Healthy: true, Verdict: crash.Verdict{Kind: crash.KindKilled, Summary: "memory ran out", Remedy: "Load a smaller model."}},
		Memory: crash.Memory{OOM: true, Source: "cgroup", Limit: 2e9, Peak: 19e8, Last: 18e8}, Known: true, Amended: true, Away: true, Asked: true, PortOwner: "node (PID 12)",
		Programs: []memory.Program{{Name: "Google Chrome", Bytes: 6e9, Processes: 31}, {Name: "<b>\x1b", Bytes: 2e9, Processes: 1}},
		Health:   record.Health{Phase: record.PhaseBusy, Good: died.Add(-time.Minute), Problem: "no answer within 3 s"},
	}
	for name, r := range map[string]record.Record{"openmp": whole, "exception": exception, "worker": worker, "memory": hungry, "nothing": {}} {
		t.Run(name, func(t *testing.T) { golden(t, name, made(t, r)) })
	}
}

func TestAPageAsksNobodyForAnything(t *testing.T) {
	page := made(t, openMPDeath(t))
	require.NotRegexp(t, regexp.MustCompile(`(?i)https?://|src=|url\(|@import`), page)
	for _, e := range elements(t, page) {
		if href, ok := e.attrs["href"]; ok {
			require.Contains(t, []string{"#deciding", "data:,"}, href)
		}
	}
}

// The policy lets nothing in but what the page itself brings, so the hashes have to be those of what stands in it.
func TestThePolicyKnowsThePagesOwnStyleAndScript(t *testing.T) {
	page := made(t, openMPDeath(t))
	all := elements(t, page)
	var policy string
	for _, e := range withTag(all, "meta") {
		if e.attrs["http-equiv"] == "Content-Security-Policy" {
			policy = e.attrs["content"]
		}
	}
	require.Contains(t, policy, "default-src 'none'")
	for _, tag := range []string{"style", "script"} {
		inside := regexp.MustCompile("(?s)<"+tag+">(.*?)</"+tag+">").FindAllStringSubmatch(page, -1)
		require.Len(t, inside, 1)
		require.Contains(t, policy, tag+"-src '"+hash(inside[0][1])+"'")
	}
	require.Less(t, strings.Index(page, "Content-Security-Policy"), strings.Index(page, "<style>"), "it holds for what comes after it")
}

func TestSecretsNeverReachThePage(t *testing.T) {
	const key = "sk-proj-AbCdEf1234567890AbCdEf12"
	r := openMPDeath(t)
	r.Tail = append(r.Tail, "openai.AuthenticationError: Incorrect API key provided: "+key, "HF_TOKEN="+key, "-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "-----END PRIVATE KEY-----")
	r.Verdict.Summary, r.Verdict.Remedy, r.Verdict.Line = "Incorrect API key provided: "+key, "Set OPENAI_API_KEY="+key, "api_key="+key
	r.Health.Problem, r.PortOwner, r.Backend = "GET /?token="+key, "node --token "+key, "x "+key
	r.Env = append(r.Env, environment.Var{Name: "OPENAI_API_KEY", Value: key, Why: key})
	r.Versions["torch"] = key
	r.Dir, r.Log = "/srv/"+key, "/srv/"+key+"/server.log"
	page := made(t, r)
	require.NotContains(t, page, key)
	require.NotContains(t, page, "MIIEvQ")
	require.Contains(t, page, "[masked]")
	require.NotContains(t, plainWords.Markdown(r), key)
}

func TestOfOtherVariablesThereAreNamesAlone(t *testing.T) {
	all := elements(t, made(t, openMPDeath(t)))
	names := withClass(all, "names")
	require.Len(t, names, 1)
	require.Contains(t, names[0].text, "HF_TOKEN")
	require.NotContains(t, names[0].text, "=")
}

func TestTheUsersOtherFoldersAreNotThisBackend(t *testing.T) {
	r := openMPDeath(t)
	r.Tail = []string{"Traceback (most recent call last):", `  File "/Users/alice/backend/main.py", line 1, in a`, `  File "/Users/alice/shared/tools.py", line 2, in b`, "ValueError: in /Users/alice/x"}
	page := made(t, r)
	own := withClass(elements(t, page), "own")
	require.Len(t, own, 1)
	require.Contains(t, own[0].text, "~/backend/main.py:1")
	require.Contains(t, page, "~/shared/tools.py:2")
	require.NotContains(t, page, "/Users/alice")
}

func TestAVariableThatDidNotArriveIsMarked(t *testing.T) {
	missing := withClass(elements(t, made(t, openMPDeath(t))), "missing")
	require.Len(t, missing, 1)
	require.Contains(t, missing[0].text, "KMP_DUPLICATE_LIB_OK")
	require.Contains(t, missing[0].text, "did not arrive in Python")
}

func TestTheHomeFolderIsShortenedAndItsNamesakesAreNot(t *testing.T) {
	for text, want := range map[string]string{
		"/Users/alice/backend/main.py": "~/backend/main.py", "/Users/alice": "~", `"/Users/alice"`: `"~"`, "/Users/alicelike/x": "/Users/alicelike/x",
		"a:/Users/alice/b:/Users/alice/c": "a:~/b:~/c", "/other": "/other",
	} {
		require.Equal(t, want, plainWords.Safe(text))
	}
	for _, home := range []string{"", "/", "relative"} {
		require.Equal(t, "/relative/x", Words{Home: home}.Safe("/relative/x"))
	}
}

func TestCommandsInARemedyAreShownAsSuch(t *testing.T) {
	require.Equal(t, []piece{{"Type ", false}, {"pip install x", true}, {" then ", false}, {"y", true}}, pieces("Type `pip install x` then `y`"))
	require.Equal(t, []piece{{"it's `half", false}}, pieces("it's `half"))
	require.Empty(t, pieces(""))
}

func TestTheSameRecordGivesTheSamePage(t *testing.T) {
	require.Equal(t, made(t, openMPDeath(t)), made(t, openMPDeath(t)))
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAPageThatCannotBeWrittenIsAnError(t *testing.T) {
	require.ErrorContains(t, plainWords.Crash(full{}, openMPDeath(t)), "no space left")
}

// 64 KiB of output are what a record holds; whatever is in them, the page stays one that a browser opens at once.
func TestALongLogMakesNoHugePage(t *testing.T) {
	for name, tail := range map[string][]string{
		"one line":     {strings.Repeat("x", 64<<10)},
		"many lines":   strings.Split(strings.Repeat("\n", 64<<10), "\n"),
		"many threads": strings.Split(strings.Repeat("Thread 0x01 (most recent call first):\n  File \"a\", line 1 in b\n", 1000), "\n"),
		"deep":         strings.Split("Traceback (most recent call last):\n"+strings.Repeat("  File \"a.py\", line 1, in b\n    b()\n", 1500)+"RecursionError: maximum recursion depth exceeded", "\n"),
	} {
		r := openMPDeath(t)
		r.Tail = tail
		require.Less(t, len(made(t, r)), 600<<10, name)
	}
}

func TestADecidingLineFarAboveIsShown(t *testing.T) {
	r := openMPDeath(t)
	for i := range 3 * mostLines {
		r.Tail = append(r.Tail, fmt.Sprintf("line %d", i))
	}
	all := elements(t, made(t, r))
	deciding := withClass(all, "deciding")
	require.Len(t, deciding, 1)
	require.Equal(t, "21", deciding[0].attrs["value"])
	require.Contains(t, withTag(all, "textarea")[0].text, "OMP: Error #15", "in the text for an issue, too")
}

func BenchmarkThePage(b *testing.B) {
	r := openMPDeath(b)
	for b.Loop() {
		made(b, r)
	}
}

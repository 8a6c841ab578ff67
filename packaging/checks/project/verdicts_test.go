package project

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// judged are all verdicts that the rules are tested with, by their fixture's name.
func judged(t *testing.T) map[string]crash.Verdict {
	t.Helper()
	files, err := filepath.Glob("../../../supervisor/crash/testdata/verdicts/*.txt")
	require.NoError(t, err)
	require.Greater(t, len(files), 40)
	all := map[string]crash.Verdict{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, verdict, ok := strings.Cut(string(text), "\n-- verdict --\n")
		require.True(t, ok, file)
		said := map[string]string{}
		for line := range strings.Lines(verdict) {
			key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ":")
			said[key] = strings.TrimSpace(value)
		}
		require.NotEmpty(t, said["summary"], file)
		all[filepath.Base(file)] = crash.Verdict{Kind: crash.Kind(said["kind"]), Summary: said["summary"], Remedy: said["remedy"], Line: said["line"]}
	}
	return all
}

var (
	now        = time.Date(2026, 11, 26, 14, 2, 0, 0, time.UTC)
	restarting = supervisor.Snapshot{Backend: "backend", Dir: "/home/ada/backend", State: supervisor.Restarting}
)

// What a notice shows without being opened: its title, and the first hundred characters of its body.
func TestOfEveryVerdictTheNoticeHasTheCauseInItsTitleAndTheRemedyFirst(t *testing.T) {
	for name, v := range judged(t) {
		for _, what := range []supervisor.What{supervisor.EventCrashed, supervisor.EventWorkerDied, supervisor.EventKeeperLost, supervisor.EventGaveUp, supervisor.EventStopped} {
			for _, away := range []bool{false, true} {
				n, ok := notice.Of(supervisor.Event{What: what, At: now, Away: away, Verdict: v, Text: "process 9", Snapshot: restarting})
				require.True(t, ok, name)
				cause, _ := strings.CutSuffix(n.Title, "…")
				cause = strings.TrimPrefix(strings.TrimPrefix(cause, "backend: "), "gave up: ")
				require.True(t, strings.HasPrefix(v.Summary, cause), "%s: %q does not begin with the cause %q", name, n.Title, v.Summary)
				require.GreaterOrEqual(t, len([]rune(cause)), min(60, len([]rune(v.Summary))), "%s: of the cause there is only %q", name, cause)
				remedy, shown := []rune(v.Remedy), []rune(n.Body)
				first := min(100, len(remedy), len(shown))
				require.GreaterOrEqual(t, first, min(100, len(remedy)), name)
				require.Equal(t, string(remedy[:first]), string(shown[:first]), name)
			}
		}
	}
}

func TestACauseThatWasCorrectedIsNotToldAgain(t *testing.T) {
	for name, v := range judged(t) {
		_, ok := notice.Of(supervisor.Event{What: supervisor.EventAmended, At: now, Verdict: v, Snapshot: restarting})
		require.False(t, ok, name)
	}
}

// common are the kinds that a person meets most; the README has these, and a page of its own has all.
var common = []crash.Kind{
	crash.KindOpenMP, crash.KindForkSafety, crash.KindOutOfMemory, crash.KindSegfault, crash.KindAssertion, crash.KindMissingModule, crash.KindStartupFailed,
	crash.KindException, crash.KindWorkerDied, crash.KindPortTaken, crash.KindArchitecture, crash.KindSignature, crash.KindPermission, crash.KindEnvironment, crash.KindUnknown,
}

func TestTheReadmeAndItsPageSayOfEachKindWhatTheCodeSays(t *testing.T) {
	head := "| kind | what happened | what to do |\n|---|---|---|\n"
	all, short := head, "\n"+head
	listed := map[crash.Kind]bool{}
	for _, m := range crash.Kinds() {
		listed[m.Kind] = true
		row := "| `" + string(m.Kind) + "` | " + strings.ReplaceAll(m.Tells, "|", `\|`) + " | " + strings.ReplaceAll(m.Remedy, "|", `\|`) + " |\n"
		all += row
		if slices.Contains(common, m.Kind) {
			short += row
		}
	}
	for name, v := range judged(t) {
		require.True(t, listed[v.Kind], "%s: nothing is said of the kind %s", name, v.Kind)
	}
	short += "\nThe other kinds are on [a page of their own](packaging/docs/verdicts.md). A kind keeps its name for ever.\n"
	written(t, "README.md", "<!-- kinds: written by `go test ./packaging/checks/project -update` -->", "<!-- end of kinds -->", short)
	page := filepath.Join(top(t), "packaging/docs/verdicts.md")
	want := "# Why a server ended: the kinds of verdict\n\n" +
		"`vivarium explain --json`, `vivarium crashes --json` and the records of deaths name a cause by its kind. A kind keeps its name for ever, and new ones may come.\n" +
		"The remedy that you see is made for your backend; this is what it amounts to.\n" +
		"This page is written by `go test ./packaging/checks/project -update`, from what the code says.\n\n" + all
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(page), 0o755))
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run go test ./packaging/checks/project -update")
}

package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
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
				n, ok := app.Announce(supervisor.Event{What: what, At: now, Away: away, Verdict: v, Text: "process 9", Snapshot: restarting})
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
		_, ok := app.Announce(supervisor.Event{What: supervisor.EventAmended, At: now, Verdict: v, Snapshot: restarting})
		require.False(t, ok, name)
	}
}

func TestTheReadmeSaysOfEachKindWhatTheCodeSays(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| kind | what happened | what to do |\n|---|---|---|\n")
	listed := map[crash.Kind]bool{}
	for _, m := range crash.Kinds() {
		listed[m.Kind] = true
		b.WriteString("| `" + string(m.Kind) + "` | " + strings.ReplaceAll(m.Tells, "|", `\|`) + " | " + strings.ReplaceAll(m.Remedy, "|", `\|`) + " |\n")
	}
	for name, v := range judged(t) {
		require.True(t, listed[v.Kind], "%s: nothing is said of the kind %s", name, v.Kind)
	}
	written(t, "<!-- kinds: written by `go test ./packaging/checks/project -update` -->", "<!-- end of kinds -->", b.String())
}

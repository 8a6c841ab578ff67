package control

import (
	"bytes"
	"encoding/json"
	goflag "flag"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

var updateRows = goflag.Bool("update-rows", false, "write testdata/rows.golden anew")

// rows are one row of every shape, in the order of the golden file.
func rows() []Row {
	whole := testkit.HealthySnapshot()
	crashed := whole
	crashed.State, crashed.Run, crashed.Health, crashed.Usage = supervisor.Restarting, keeper.Run{}, record.Health{}, process.Usage{}
	crashed.Crashes, crashed.Retry, crashed.LastAt = 2, testkit.Midday.Add(time.Second), testkit.Midday
	crashed.Last = crash.Verdict{Kind: "segfault", Summary: "Python died of a segmentation fault", Remedy: "Read the stack.", Line: "Fatal Python error"}
	segv := &keeper.Exit{Run: whole.Run, At: testkit.Midday, Signal: syscall.SIGSEGV, Known: true, Tail: []string{"API_KEY=topsecret"}}
	three := &keeper.Exit{Run: whole.Run, At: testkit.Midday, Code: 3, Known: true}
	lost := &keeper.Exit{Run: whole.Run, At: testkit.Midday}
	taken := supervisor.Snapshot{
		Backend: "brain", Dir: "/srv/brain", State: supervisor.GaveUp, Since: testkit.Midday, Port: 8000, Log: "/l",
		Owner: port.Owner{PID: 17, Name: "node", Why: "it is not this backend", Stamp: "never shown"},
		Last:  crash.Verdict{Kind: crash.KindPortTaken, Summary: "port 8000 is taken", Remedy: "End node."}, LastAt: testkit.Midday,
	}
	broken := supervisor.Snapshot{
		Backend: "brain", Dir: "/srv/brain", Log: "/l", ConfigProblem: "/srv/brain/vivarium.toml:3: port: wants a number",
		ConfigFile: "/srv/brain/vivarium.toml", ConfigChanged: true, Missing: []string{"OMP_NUM_THREADS"}, Semaphores: 4, HeldBy: 99, Note: "adopted",
	}
	hung := whole
	hung.State, hung.Health = supervisor.Unhealthy, record.Health{Phase: record.PhaseHung, Failures: 3}
	hung.Stall = stall.Stall{
		Kind: stall.KindLoop, Summary: "the event loop is blocked by time.sleep, main.py line 17", Remedy: "Make it def.",
		File: "/srv/brain/main.py", Line: 17, Function: "chat", Taken: testkit.Midday,
	}
	misled := whole
	misled.State, misled.WorkerDeaths = supervisor.Unhealthy, 3
	misled.Health = record.Health{Phase: record.PhaseMisconfigured, Problem: "/health answers 404: name the right path"}
	waiting := supervisor.Snapshot{
		Backend: "shop", Dir: "/srv/shop", State: supervisor.Starting, Want: true, Since: testkit.Midday, Log: "/l",
		After: []string{"brain"}, Awaits: supervisor.Awaits{Name: "brain", Why: "which gave up", Stuck: true},
	}
	high := whole
	high.Usage.Memory, high.Usage.Held = 1500<<20, 1300<<20
	high.Memory = guard.Status{
		Machine: 16e9, Warn: 12e9, Restart: 14e9, Pressure: memory.Pressure{Level: memory.Warning, Some: 0.25, Full: 0.0625}, High: true,
		Past: guard.Past{Restarts: 2, At: testkit.Midday.Add(-time.Hour), Bytes: 13.6e9},
	}
	return []Row{
		StatusRow(waiting, testkit.Midday),
		StatusRow(whole, testkit.Midday),
		StatusRow(crashed, testkit.Midday),
		StatusRow(taken, testkit.Midday),
		StatusRow(broken, testkit.Midday),
		StatusRow(supervisor.Snapshot{}, testkit.Midday),
		EventRow(supervisor.Event{What: supervisor.EventHealthy, At: testkit.Midday, Snapshot: whole, Recovery: true}),
		EventRow(supervisor.Event{What: supervisor.EventCrashed, At: testkit.Midday, Snapshot: crashed, Verdict: crashed.Last, Exit: segv, Away: true}),
		EventRow(supervisor.Event{What: supervisor.EventCrashed, At: testkit.Midday, Snapshot: crashed, Verdict: crashed.Last, Exit: three}),
		EventRow(supervisor.Event{What: supervisor.EventKeeperLost, At: testkit.Midday, Snapshot: crashed, Exit: lost}),
		EventRow(supervisor.Event{What: supervisor.EventGaveUp, At: testkit.Midday, Snapshot: taken, Verdict: taken.Last}),
		EventRow(supervisor.Event{What: supervisor.EventStopped, At: testkit.Midday, Snapshot: crashed, Asked: true, Text: "detail"}),
		EventRow(supervisor.Event{What: supervisor.EventUnhealthy, At: testkit.Midday, Snapshot: hung}),
		StatusRow(high, testkit.Midday),
		EventRow(supervisor.Event{What: supervisor.EventMemoryHigh, At: testkit.Midday, Snapshot: high, Text: "1.4 GB, more than 1.0 GB"}),
		EventRow(supervisor.Event{What: supervisor.EventMisconfigured, At: testkit.Midday, Snapshot: misled, Text: misled.Health.Problem}),
	}
}

func TestRowsAreWhatProgramsWereToldTheyAre(t *testing.T) {
	var b bytes.Buffer
	for _, r := range rows() {
		b.Write(encode(r))
	}
	path := filepath.Join("testdata", "rows.golden")
	if *updateRows {
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

func TestARowHasNeitherTheOutputNorAStamp(t *testing.T) {
	for _, r := range rows() {
		text := string(encode(r))
		require.NotContains(t, text, "topsecret")
		require.NotContains(t, text, "boot 99")
		require.NotContains(t, text, "never shown")
	}
}

func TestARowAlwaysHasTheFieldsThatProgramsCountOn(t *testing.T) {
	for _, r := range rows() {
		var m map[string]any
		require.NoError(t, json.Unmarshal(encode(r), &m))
		for _, key := range []string{"v", "at", "backend", "dir", "state", "want", "health", "crashes", "log"} {
			require.Contains(t, m, key)
		}
		require.Equal(t, float64(RowVersion), m["v"])
		require.Equal(t, r.Event != "", m["event"] != nil)
	}
}

func TestAStatusRowReadBackIsTheSnapshot(t *testing.T) {
	for _, r := range rows()[:5] {
		var back Row
		require.NoError(t, json.Unmarshal(encode(r), &back))
		require.Equal(t, r, StatusRow(back.Snapshot(), testkit.Midday), "nothing gets lost on the way to another program")
	}
}

func TestAnEventRowReadBackIsTheEvent(t *testing.T) {
	for _, r := range rows()[5:] {
		var back Row
		require.NoError(t, json.Unmarshal(encode(r), &back))
		again := EventRow(back.Told())
		again.PID, again.Run, again.Started = r.PID, r.Run, r.Started // of an ended run the row names the run, not the snapshot's
		require.Equal(t, r, again)
	}
}

func TestAStateOfANewerVersionIsReadAsStopped(t *testing.T) {
	require.Equal(t, supervisor.Stopped, stateOf("hibernating"))
	for s := supervisor.Stopped; s <= supervisor.GaveUp; s++ {
		require.Equal(t, s, stateOf(s.String()))
	}
}

func TestARowIsOneLine(t *testing.T) {
	s := testkit.HealthySnapshot()
	s.Backend = "two\nlines \x00 and \xff"
	line := string(encode(StatusRow(s, testkit.Midday)))
	require.Equal(t, 1, strings.Count(line, "\n"))
	require.True(t, json.Valid([]byte(line)))
}

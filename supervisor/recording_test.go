package supervisor

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
)

func TestAStateFolderWithAColonMeansNoRecorderSaidOnce(t *testing.T) {
	state := filepath.Join(t.TempDir(), "a:b")
	require.NoError(t, os.Mkdir(state, 0o700))
	s := New("/b", Deps{State: state})
	c := config.Config{Dir: "/b", Recorder: config.Recorder{Enabled: true}}
	spec, note := s.withRecorder(c, keeper.Spec{Env: []string{"A=1"}})
	require.Equal(t, []string{"A=1"}, spec.Env)
	require.Contains(t, note, "colon")
	_, note = s.withRecorder(c, keeper.Spec{})
	require.Empty(t, note)
}

func TestRecordingsOfEarlierRunsAreSwept(t *testing.T) {
	s := New("/b", Deps{State: t.TempDir()})
	runs := string(s.recordings())
	for _, run := range []string{"now", "last", "old"} {
		require.NoError(t, os.MkdirAll(recorder.RunFolder(runs, run), 0o700))
	}
	s.m.Run.ID, s.m.lastRun = "now", "last"
	s.sweepRecordings()
	s.running.Wait()
	entries, err := os.ReadDir(runs)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	require.Equal(t, []string{"last", "now"}, names)

	s.sweepAtBegin(found{exit: &keeper.Exit{Run: keeper.Run{ID: "last"}}})
	require.NoDirExists(t, recorder.RunFolder(runs, "now"))
	require.DirExists(t, recorder.RunFolder(runs, "last"))
}

func TestASignalGoesOnlyToTheProcessWithTheStamp(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	p, err := proc.Find(cmd.Process.Pid)
	require.NoError(t, err)
	require.NoError(t, signalProven(p.PID, p.Stamp, syscall.SIGURG))
	require.Error(t, signalProven(p.PID, p.Stamp+"x", syscall.SIGTERM))
	require.Error(t, signalProven(p.PID, "", syscall.SIGTERM))
	require.NoError(t, signalProven(p.PID, p.Stamp, 0), "it lives on")
}

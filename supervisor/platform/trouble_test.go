package platform

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

func TestWhatKeepsARunFromStartingIsTheLogOrTheProgram(t *testing.T) {
	const log = "/b/logs/server.log"
	for says, err := range map[string]error{
		"the log /b/logs/server.log cannot be written: read-only file system": &keeper.SpawnError{Path: log, Err: syscall.EROFS},
		"the log /b/logs/server.log cannot be written: permission denied":     fmt.Errorf("asking: %w", &keeper.SpawnError{Path: log, Err: fmt.Errorf("opening the log: %w", syscall.EACCES)}),
		"/b/.venv/bin/python cannot be started: exec format error":            &keeper.SpawnError{Path: "/b/.venv/bin/python", Err: syscall.ENOEXEC},
	} {
		v, ok := SpawnTrouble(err, log)
		require.True(t, ok)
		require.Equal(t, says, v.Summary)
		require.NotEmpty(t, v.Remedy)
	}
	_, ok := SpawnTrouble(errors.New("x"), log)
	require.False(t, ok)
}

func TestWhyThereIsNoKeeperIsSaidWithWhatHelps(t *testing.T) {
	require.Contains(t, LaunchTrouble(fmt.Errorf("launching a keeper: %w", &keeper.BusyError{PID: 71})).Remedy, "Process 71")
	require.Contains(t, LaunchTrouble(fmt.Errorf("launching a keeper: %w", keeper.ErrSilent)).Remedy, "end it by hand")
	v := LaunchTrouble(errors.New("no such file"))
	require.Equal(t, "the keeper cannot be started: no such file", v.Summary)
	require.Empty(t, v.Remedy)
}

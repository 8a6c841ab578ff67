package supervisor

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
		var r *refusal
		require.ErrorAs(t, spawnTrouble(err, log), &r)
		require.Equal(t, says, r.verdict.Summary)
		require.NotEmpty(t, r.verdict.Remedy)
		require.True(t, r.final)
	}
	other := errors.New("x")
	require.Equal(t, other, spawnTrouble(other, log))
}

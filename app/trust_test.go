package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNothingInTheAppTrustsAStateFolderThatOthersCanWriteInto(t *testing.T) {
	for _, folder := range []string{".", "b"} {
		state, err := os.MkdirTemp("", "v")
		require.NoError(t, err)
		defer os.RemoveAll(state)
		require.NoError(t, os.MkdirAll(filepath.Join(state, "b"), 0o700))
		require.NoError(t, os.Chmod(filepath.Join(state, folder), 0o777))
		_, err = New(Options{State: state, Log: slog.New(slog.DiscardHandler)})
		require.ErrorContains(t, err, "can be written by other users")
		if folder == "." {
			require.ErrorContains(t, (&Backends{Path: filepath.Join(state, backendsFile)}).Add(t.TempDir()), "can be written by other users")
		}
		files, err := os.ReadDir(state)
		require.NoError(t, err)
		require.Len(t, files, 1, "nothing is made in it")
	}
}

func TestTheAppsLockAndItsLogAreNeverReachedThroughALink(t *testing.T) {
	state, err := os.MkdirTemp("", "v")
	require.NoError(t, err)
	defer os.RemoveAll(state)
	victim := filepath.Join(state, "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	for path, act := range map[string]func() error{
		filepath.Join(state, "app.lock"): func() error { _, err := claimSingleInstance(state); return err },
		filepath.Join(state, "vivarium.log"): func() error {
			_, err := openLog(filepath.Join(state, "vivarium.log"))
			return err
		},
	} {
		require.NoError(t, os.Symlink(victim, path))
		require.ErrorContains(t, act(), "is a link", path)
		text, err := os.ReadFile(victim)
		require.NoError(t, err)
		require.Equal(t, "precious", string(text), path)
	}
}

package control

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

func TestNoBackendIsHeldInAStateFolderThatOthersCanWriteInto(t *testing.T) {
	for _, folder := range []string{".", "b"} {
		state, err := os.MkdirTemp("", "v")
		require.NoError(t, err)
		defer os.RemoveAll(state)
		require.NoError(t, os.MkdirAll(filepath.Join(state, "b"), 0o700))
		require.NoError(t, os.Chmod(filepath.Join(state, folder), 0o777))
		_, err = Hold(keeper.BackendFolder(state, "/srv/brain"))
		require.ErrorContains(t, err, "can be written by other users")
		files, err := os.ReadDir(filepath.Join(state, "b"))
		require.NoError(t, err)
		require.Empty(t, files, "nothing is made in it")
	}
}

func TestTheHoldersLockIsNeverReachedThroughALink(t *testing.T) {
	state, err := os.MkdirTemp("", "v")
	require.NoError(t, err)
	defer os.RemoveAll(state)
	victim, folder := filepath.Join(state, "victim"), keeper.BackendFolder(state, "/srv/brain")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.Symlink(victim, filepath.Join(folder, holderLock)))
	_, err = Hold(folder)
	require.ErrorContains(t, err, "is a link")
	text, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
}

package safefile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheEndOfALogIsReadFromWhereTheRunBegan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	require.Zero(t, Size(path))
	require.Nil(t, LastLines(path, 0))
	require.NoError(t, os.WriteFile(path, []byte("old\nnew\nlast\n"), 0o600))
	require.EqualValues(t, 13, Size(path))
	require.Equal(t, []string{"new", "last"}, LastLines(path, 4))
	require.Equal(t, []string{"old", "new", "last"}, LastLines(path, 1000), "it was rotated")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("x", 100_000)), 0o600))
	require.Len(t, LastLines(path, 0)[0], 64<<10)
	require.Zero(t, Size(t.TempDir()))
}

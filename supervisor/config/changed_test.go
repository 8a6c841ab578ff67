package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A file that was read a moment after it was written is read again at the first look, and from then on looked at only.
func TestAFreshFileIsComparedOnceAndThenLookedAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write := func(text string, at time.Time) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	write("port = 8001\n", time.Now())
	m := markOf(path, []byte("port = 8001\n"))
	require.True(t, m.fresh)
	require.False(t, m.changed())
	require.Nil(t, m.settled.Load(), "another edit may still leave the same looks")
	old := time.Now().Add(-time.Hour)
	write("port = 8002\n", old)
	require.True(t, m.changed(), "the text decides")
	write("port = 8001\n", old)
	require.False(t, m.changed())
	require.NotNil(t, m.settled.Load())
	write("port = 8003\n", old)
	require.False(t, m.changed(), "looks decide now, and these are alike")
	write("port = 8003\n", old.Add(time.Second))
	require.True(t, m.changed())
}

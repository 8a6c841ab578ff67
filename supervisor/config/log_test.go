package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestALogThatIsAPersonsFileIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		mode os.FileMode
		text string
		fine bool
	}{
		{"main.py", 0o644, "import os\n", false}, {"main.py", 0o600, "import os\n", false}, {".env", 0o600, "KEY=1\n", false},
		{"notes.v2", 0o644, "mine\n", false}, {"data.sqlite", 0o600, "x", false},
		{"output.v2", 0o600, "what a keeper has made\n", true}, {"server.log", 0o644, "x\n", true}, {"nohup.out", 0o644, "x\n", true},
		{"main.py", 0o644, "", true}, {"logs.2026", 0o644, "x\n", true},
	} {
		dir := testkit.BackendDir(t, fmt.Sprintf("[log]\nfile = %q\n", c.name))
		require.NoError(t, os.WriteFile(filepath.Join(dir, c.name), []byte(c.text), 0o644))
		require.NoError(t, os.Chmod(filepath.Join(dir, c.name), c.mode))
		_, err := Load(dir)
		if c.fine {
			require.NoError(t, err, c.name)
			continue
		}
		var e *Error
		require.ErrorAs(t, err, &e, c.name)
		require.Equal(t, "log.file", e.Key)
		require.NotEmpty(t, e.Remedy)
		b, err := os.ReadFile(filepath.Join(dir, c.name))
		require.NoError(t, err)
		require.Equal(t, c.text, string(b))
	}
}

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

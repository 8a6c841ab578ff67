package testkit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BackendDir is a folder with links resolved, as macOS's /var needs it, and with that vivarium.toml in it.
func BackendDir(t testing.TB, text string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	if text != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "vivarium.toml"), []byte(text), 0o600))
	}
	return dir
}

var Noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func At(seconds float64) time.Time { return Noon.Add(time.Duration(seconds * float64(time.Second))) }

package doctor

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

// gone takes what has "gone" in its name for taken away.
func gone(info fs.FileInfo) bool { return strings.Contains(info.Name(), "gone") }

func anEnvironment(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{"a.py", "torch/lib/gone.dylib", "torch/__init__.py", "gone-folder/inside-gone.py", "z.py"} {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
	require.NoError(t, os.Symlink("/", filepath.Join(dir, "everything")))
	return dir
}

func TestFilesWithoutContentsAreFoundAndNothingBelowThemIsEntered(t *testing.T) {
	dir := anEnvironment(t)
	files, whole := evicted([]string{dir, filepath.Join(dir, "nowhere")}, gone, 1000, time.Now().Add(time.Minute))
	require.True(t, whole)
	require.Equal(t, []string{filepath.Join(dir, "gone-folder"), filepath.Join(dir, "torch/lib/gone.dylib")}, files)
	_, whole = evicted([]string{dir}, gone, 3, time.Now().Add(time.Minute))
	require.False(t, whole, "it is a look, not a search")
	_, whole = evicted([]string{dir}, gone, 1000, time.Now().Add(-time.Second))
	require.False(t, whole)
}

func TestWhatICloudTookAwayIsToldOnAMacOnly(t *testing.T) {
	for _, c := range []struct {
		goos  string
		gone  func(fs.FileInfo) bool
		state CheckState
		says  string
	}{
		{"darwin", gone, Fail, "iCloud has taken the contents of 2 files away"},
		{"darwin", func(fs.FileInfo) bool { return false }, Pass, "no file"},
		{"linux", gone, "", ""},
	} {
		e := &examiner{goos: c.goos, config: config.Config{Dir: anEnvironment(t)}}
		e.icloud(c.gone)
		if c.says == "" {
			require.Empty(t, e.x.Checks)
			continue
		}
		require.Len(t, e.x.Checks, 1)
		require.Equal(t, "VIV026", e.x.Checks[0].Code)
		require.Equal(t, c.state, e.x.Checks[0].State)
		require.Contains(t, e.x.Checks[0].Text, c.says)
	}
}

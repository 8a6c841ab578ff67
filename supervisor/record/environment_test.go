package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheEnvironmentOfTheLastStartIsKept(t *testing.T) {
	folder := t.TempDir()
	require.Empty(t, Environment(folder))
	for _, env := range []string{"/srv/a/.venv", "/srv/with space/é"} {
		require.NoError(t, SetEnvironment(folder, env))
		require.Equal(t, env, Environment(folder))
		require.NoError(t, SetEnvironment(folder, env), "once more changes nothing")
	}
}

func TestWhatIsNoEnvironmentIsNotBelieved(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, environmentFile)
	for _, text := range []string{"", "relative\n", "/a\x00b\n", "/" + strings.Repeat("x", 9000)} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.Empty(t, Environment(folder))
	}
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	require.Empty(t, Environment(folder))
}

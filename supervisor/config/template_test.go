package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// loaded is the configuration that text makes, without what is only bookkeeping.
func loaded(t *testing.T, dir, text string) Config {
	t.Helper()
	file := filepath.Join(dir, "vivarium.toml")
	_ = os.Remove(file)
	if text != "" {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	c, err := Load(dir)
	require.NoError(t, err)
	c.EnvFileNamed, c.IntervalNamed = false, false
	return c
}

func keysOf(c Config) []any {
	return []any{
		c.Name, c.Command, c.Python, c.Port, c.Autostart, c.EnvFile, c.OnPortConflict, c.KeepAwake, c.Health, c.Restart, c.Stop, c.Log,
	}
}

func TestTheTemplateChangesNothingAndItsCommentsAreTheDefaults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "backend")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), nil, 0o600))
	want := loaded(t, dir, "")
	same := loaded(t, dir, Template())
	require.Equal(t, keysOf(want), keysOf(same))
	require.Empty(t, same.Environment)

	var lines []string
	for line := range strings.Lines(Template()) {
		if key, _, ok := strings.Cut(strings.TrimPrefix(line, "# "), " = "); ok && !strings.Contains(key, " ") {
			line = strings.TrimPrefix(line, "# ")
		}
		lines = append(lines, line)
	}
	plain := loaded(t, dir, strings.Join(lines, ""))
	require.Equal(t, keysOf(want), keysOf(plain))
	require.Equal(t, map[string]string{"OMP_NUM_THREADS": "4"}, plain.Environment)
}

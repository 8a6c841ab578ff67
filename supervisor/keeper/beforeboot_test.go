package keeper

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func TestARunThatTheComputerTookWithItIsKnownAfterwards(t *testing.T) {
	t.Parallel()
	started := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
	run := Run{ID: "a", PID: 4711, Started: started}
	for name, c := range map[string]struct {
		rec   record
		exit  string
		known bool
	}{
		"of another boot":           {record{Run: run, Boot: "another"}, "", true},
		"of this boot":              {record{Run: run, Boot: proc.BootID()}, "", false},
		"its end was seen":          {record{Run: run, Boot: "another"}, "a", false},
		"the end of one before it":  {record{Run: run, Boot: "another"}, "b", true},
		"its end was recorded":      {record{Run: run, Boot: "another", Forgotten: true}, "", false},
		"it was never forked":       {record{Run: Run{ID: "a", Started: started}, Boot: "another"}, "", false},
		"of nobody knows what boot": {record{Run: run}, "", false},
	} {
		dir := t.TempDir()
		r := records{dir}
		require.NoError(t, r.save(c.rec), name)
		if c.exit != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, exitFile), encodeExit(Exit{Run: Run{ID: c.exit, PID: 4711}, At: time.Now()}), 0o600), name)
		}
		got, seen, ok := BeforeBoot(dir)
		require.Equal(t, c.known, ok, name)
		if ok {
			require.Equal(t, "a", got.ID, name)
			require.False(t, seen.Before(started), name)
		}
	}
	_, _, ok := BeforeBoot(t.TempDir())
	require.False(t, ok)
}

package record

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsRecordedNeverFollowsALink(t *testing.T) {
	folder := t.TempDir()
	victim := filepath.Join(folder, "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	r := &Record{Death: Death{Run: "0123456789abcdef", At: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}}
	require.NoError(t, os.Mkdir(filepath.Join(folder, recordsFolder), 0o700))
	for _, path := range []string{filepath.Join(folder, wantFile), filepath.Join(folder, recordsFolder, r.ID()+".json")} {
		require.NoError(t, os.Symlink(victim, path))
		require.NoError(t, os.Symlink(victim, path+".new"))
	}
	require.NoError(t, WriteWant(folder, Saved{Want: true}))
	require.NoError(t, r.Write(folder))
	text, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
	s, err := ReadWant(folder)
	require.NoError(t, err)
	require.True(t, s.Want)
}

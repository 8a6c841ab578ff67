package desktop

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func TestAHiddenIconIsAFactForOthersAndToldOnce(t *testing.T) {
	state := t.TempDir()
	require.False(t, HiddenIcon(state))
	for i, c := range []struct{ hidden, tell bool }{{false, false}, {true, true}, {true, false}, {false, false}, {true, false}} {
		tell, err := NoteIcon(state, c.hidden)
		require.NoError(t, err)
		require.Equal(t, c.tell, tell, i)
		require.Equal(t, c.hidden, HiddenIcon(state), i)
	}
}

// An app that was killed leaves its word behind, and its PID may be given to any other program.
func TestAFactOfAnAppThatIsGoneOrGarbageDoesNotCount(t *testing.T) {
	state := t.TempDir()
	self, err := proc.Find(os.Getpid())
	require.NoError(t, err)
	ours := func(pid int, stamp string) string {
		return fmt.Sprintf(`{"pid":%d,"stamp":%q,"hidden":true,"told":true}`, pid, stamp)
	}
	require.NoError(t, os.WriteFile(filepath.Join(state, iconName), []byte(ours(self.PID, self.Stamp)), 0o600))
	require.True(t, HiddenIcon(state))
	for _, text := range []string{
		ours(self.PID, self.Stamp+"1"), ours(self.PID, ""), ours(1, self.Stamp), ours(0, self.Stamp), ours(-1, self.Stamp), ours(2147483646, self.Stamp),
		fmt.Sprintf(`{"pid":%d,"hidden":true}`, self.PID), "garbage", "",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(state, iconName), []byte(text), 0o600))
		require.False(t, HiddenIcon(state), text)
	}
	tell, err := NoteIcon(filepath.Join(state, "gone"), true)
	require.Error(t, err)
	require.True(t, tell, "what cannot be noted is told all the same")
}

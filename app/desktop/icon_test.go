package desktop

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
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

func TestAFactOfAnAppThatIsGoneOrGarbageDoesNotCount(t *testing.T) {
	state := t.TempDir()
	for _, text := range []string{`{"pid":0,"hidden":true}`, `{"pid":-1,"hidden":true}`, `{"pid":2147483646,"hidden":true}`, "garbage", ""} {
		require.NoError(t, os.WriteFile(filepath.Join(state, iconName), []byte(text), 0o600))
		require.False(t, HiddenIcon(state), text)
	}
	tell, err := NoteIcon(filepath.Join(state, "gone"), true)
	require.Error(t, err)
	require.True(t, tell, "what cannot be noted is told all the same")
}

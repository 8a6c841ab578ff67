package python

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A named pipe in a project must not hold up whoever looks for its interpreter.
func TestNothingThatIsReadHereIsWaitedFor(t *testing.T) {
	for _, name := range []string{"pyvenv.cfg", ".python-version", "script"} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, syscall.Mkfifo(path, 0o700))
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := readHead(path)
			require.Error(t, err)
			_, ok := ScriptText(path)
			require.False(t, ok)
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			require.Fail(t, "it waits for ever")
		}
	}
	_, err := readHead(os.DevNull)
	require.Error(t, err)
}

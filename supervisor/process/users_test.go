package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func TestWhoHasALibraryLoadedIsSeen(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	file := filepath.Join(dir, "a library.so")
	require.NoError(t, os.WriteFile(file, make([]byte, 4096), 0o644))
	users, err := UsersOf([]string{file})
	require.NoError(t, err)
	require.Empty(t, users)
	cmd := exec.Command(python, "-c", "import mmap, sys, time; f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0); time.sleep(1000)", file)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		users, err = UsersOf([]string{filepath.Join(dir, "another.so"), file})
		return err == nil && len(users) == 1
	}, 30*time.Second, 20*time.Millisecond)
	want, err := proc.Find(cmd.Process.Pid)
	require.NoError(t, err)
	require.Equal(t, want.PID, users[0].PID)
	require.Equal(t, want.Stamp, users[0].Stamp)
}

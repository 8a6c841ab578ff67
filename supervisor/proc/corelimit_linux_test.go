package proc

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func coreLimit(t *testing.T, pid int) uint64 {
	t.Helper()
	var l unix.Rlimit
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &l))
	return l.Cur
}

func TestTheCoreOfAnotherProcessIsSwitchedOff(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p, err := Find(cmd.Process.Pid)
	require.NoError(t, err)
	require.NoError(t, NoCore(p))
	require.LessOrEqual(t, coreLimit(t, p.PID), uint64(1))
	p.Stamp += "x"
	require.ErrorIs(t, NoCore(p), ErrGone)
}

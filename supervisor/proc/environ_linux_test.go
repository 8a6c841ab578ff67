package proc

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Start returns when the child has closed what is closed on exec, and that is before the kernel has laid out its environment: who asks
// at once often asks in between.
func TestTheMarkIsReadInTheMiddleOfAnExec(t *testing.T) {
	missed := 0
	for range 500 {
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.Env = []string{RunVariable + "=mark"}
		require.NoError(t, cmd.Start())
		if RunOf(cmd.Process.Pid) != "mark" {
			missed++
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	require.Zero(t, missed, "of 500")
}

// A program that was started with nothing is no program in the middle of an exec; neither is one of the kernel's threads, nor a zombie.
func TestAnEmptyEnvironmentIsNotWaitedFor(t *testing.T) {
	empty := exec.Command("/bin/sleep", "1000")
	empty.Env = []string{}
	require.NoError(t, empty.Start())
	t.Cleanup(func() { _ = empty.Process.Kill(); _ = empty.Wait() })
	require.Eventually(t, func() bool { return !inExec(empty.Process.Pid) }, 5*time.Second, time.Millisecond)
	env, err := Environ(empty.Process.Pid)
	require.NoError(t, err)
	require.Empty(t, env)

	zombie := exec.Command("/bin/true")
	require.NoError(t, zombie.Start())
	t.Cleanup(func() { _ = zombie.Wait() })
	require.Eventually(t, func() bool {
		p, err := Find(zombie.Process.Pid)
		return err == nil && p.Zombie
	}, 5*time.Second, time.Millisecond)
	require.False(t, inExec(zombie.Process.Pid))
	require.False(t, inExec(2), "kthreadd, where it is to be seen")
	require.False(t, inExec(1<<30))
}

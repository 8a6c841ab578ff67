package process

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// locks starts a real Python with ten multiprocessing locks, in a group of its own.
func locks(t *testing.T) (cmd *exec.Cmd, started time.Time) {
	t.Helper()
	python := testkit.RealPython(t)
	cmd = exec.Command(python, "-c", `import multiprocessing, time
context = multiprocessing.get_context("spawn")
all = [context.Lock() for _ in range(10)]
print("up", flush=True)
time.sleep(600)`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	started = time.Now()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil { // unreaped: the number is still its own
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "up\n", line)
	return cmd, started
}

func TestSemaphoresOfARealPythonThatIsKilledWithItsTrackerAreCounted(t *testing.T) {
	if _, err := os.Stat(sharedMemory); err != nil {
		t.Skip("there is no " + sharedMemory + " here")
	}
	before := Semaphores()
	cmd, started := locks(t)
	during := LeftBehind(before, Semaphores(), started)
	mine := ownedBy(t, cmd.Process.Pid, during)
	require.Len(t, mine, 10)
	require.Empty(t, Abandoned(mine), "a living process has them open")
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
	_ = cmd.Wait()
	require.Eventually(t, func() bool { return len(Abandoned(mine)) == 10 }, 20*time.Second, 20*time.Millisecond,
		"SIGKILL to the whole group leaves them for good")
	require.Subset(t, LeftBehind(before, Semaphores(), started), mine)
	for _, name := range mine {
		require.NoError(t, os.Remove(filepath.Join(sharedMemory, name)))
	}
	require.Empty(t, Abandoned(mine))
}

func TestTheTrackerCleansUpAfterALeaderThatIsKilledAlone(t *testing.T) {
	before := Semaphores()
	cmd, started := locks(t)
	mine := ownedBy(t, cmd.Process.Pid, LeftBehind(before, Semaphores(), started))
	require.Len(t, mine, 10)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.Eventually(t, func() bool {
		left := 0
		for name := range Semaphores() {
			for _, m := range mine {
				if m == name {
					left++
				}
			}
		}
		return left == 0
	}, 20*time.Second, 20*time.Millisecond)
}

// ownedBy leaves out what other programs on this machine make meanwhile.
func ownedBy(t *testing.T, pid int, names []string) []string {
	t.Helper()
	maps, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "maps"))
	require.NoError(t, err)
	var own []string
	for _, n := range names {
		var st syscall.Stat_t
		if syscall.Stat(filepath.Join(sharedMemory, n), &st) == nil && strings.Contains(string(maps), " "+strconv.FormatUint(st.Ino, 10)+" ") {
			own = append(own, n)
		}
	}
	return own
}

func TestOnlyNewSemaphoresOfThisUserCount(t *testing.T) {
	dir := t.TempDir()
	put := func(name string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	put("sem.mp-old")
	before := semaphoresIn(dir, uint32(os.Getuid()))
	require.Len(t, before, 1)
	started := time.Now()
	for _, name := range []string{"sem.mp-new", "sem.named", "__KMP_REGISTERED_LIB_12_1000", "psm_shared", "semaphore.txt"} {
		put(name)
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sem.folder"), 0o700))
	require.NoError(t, os.Symlink("sem.named", filepath.Join(dir, "sem.link")))
	after := semaphoresIn(dir, uint32(os.Getuid()))
	require.Equal(t, []string{"sem.mp-new", "sem.named"}, LeftBehind(before, after, started))
	require.Empty(t, LeftBehind(before, after, started.Add(time.Hour)), "older than the run")
	require.Empty(t, LeftBehind(before, before, started))
	require.Len(t, LeftBehind(nil, after, started.Add(-time.Hour)), 3)
	require.Empty(t, semaphoresIn(dir, uint32(os.Getuid())+1), "another user's")
	require.NotNil(t, semaphoresIn(filepath.Join(dir, "gone"), 0), "nil would say that nobody looked")
	require.Empty(t, Abandoned([]string{"sem.of-nobody"}))
	require.Empty(t, Abandoned(nil))
}

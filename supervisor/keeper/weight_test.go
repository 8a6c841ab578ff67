package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// memory reads a field of /proc/PID/<file> in KiB.
func memory(t testing.TB, pid int, file, field string) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return kib
		}
	}
	require.Fail(t, "no such field", field)
	return 0
}

// cpuOf is the processor time of all threads of a process by the scheduler's clock, which is exact where ticks are not.
func cpuOf(t testing.TB, pid int) (total time.Duration) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	require.NoError(t, err)
	require.NotEmpty(t, tasks)
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if err != nil { // a thread may end
			continue
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		require.NoError(t, err)
		total += time.Duration(ns)
	}
	return total
}

func TestTheKeeperIsLight(t *testing.T) {
	if raceEnabled {
		t.Skip("skipped: the race detector multiplies memory")
	}
	needsProc(t)
	dir := stateDir(t)
	c := launched(t, dir)
	pid, _ := c.Keeper()
	_, err := c.Spawn(soon(t), spec(dir, "flood", "20000000", "100"))
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.NoError(t, c.Forget(e.Run.ID))
	_, err = c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	eventually(t, func() bool { return memory(t, pid, "smaps_rollup", "Pss") <= 5<<10 }, "after a flood, when it had a moment to tidy")

	time.Sleep(2 * tidyTime)
	before := cpuOf(t, pid)
	time.Sleep(3 * time.Second)
	t.Log("PSS", memory(t, pid, "smaps_rollup", "Pss"), "KiB, CPU in 3 s", cpuOf(t, pid)-before)
	require.Less(t, cpuOf(t, pid)-before, 1500*time.Microsecond, "it does nothing while nothing happens: 30 ms a minute at most")
}

package keeper

import (
	"fmt"
	"os"
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

// cpuTime is the processor time of a process by its clock, which is exact where ticks are not.
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	require.NoError(t, err)
	ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
	require.NoError(t, err)
	return time.Duration(ns)
}

func TestTheKeeperIsLight(t *testing.T) {
	if raceEnabled {
		t.Skip("skipped: the race detector multiplies memory")
	}
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
	t.Log(memory(t, pid, "smaps_rollup", "Pss"), "KiB")
	time.Sleep(5 * time.Second)
	t.Log(memory(t, pid, "smaps_rollup", "Pss"), "KiB", memory(t, pid, "status", "VmHWM"))
}

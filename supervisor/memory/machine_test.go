package memory

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestThereIsAsMuchMemoryAsTheLeastLimitAllows(t *testing.T) {
	for kind := range testkit.Cgroups {
		t.Run(kind, func(t *testing.T) {
			c := testkit.NewCgroupRig(t, kind)
			c.Put(t, "proc/meminfo", "MemTotal:       16384000 kB\nMemFree:         1000 kB\n")
			require.EqualValues(t, 16384000<<10, linuxMachine(c.Root, 4711), "the group has no limit yet")
			c.Kills(t, "0")
			require.EqualValues(t, 64<<20, linuxMachine(c.Root, 4711))
			limit := "memory.max"
			if strings.Contains(c.Dir, "/memory") {
				limit = "memory.limit_in_bytes"
			}
			c.Put(t, c.Dir+"/"+limit, "9223372036854771712\n")
			require.EqualValues(t, 16384000<<10, linuxMachine(c.Root, 4711), "version 1 says “no limit” by a number")
			c.Put(t, c.Dir+"/"+limit, "max\n")
			require.EqualValues(t, 16384000<<10, linuxMachine(c.Root, 4711))
			c.Put(t, c.Dir+"/"+limit, "99999999999999\n")
			require.EqualValues(t, 16384000<<10, linuxMachine(c.Root, 4711), "more than the computer has")
		})
	}
}

func TestALimitOfAGroupAboveCounts(t *testing.T) {
	c := testkit.NewCgroupRig(t, "v2")
	c.Put(t, "proc/meminfo", "MemTotal:       16384000 kB\n")
	c.Kills(t, "0")
	c.Put(t, filepath.Dir(c.Dir)+"/memory.max", "33554432\n")
	c.Put(t, "sys/memory.max", "1024\n") // above the place where the groups are mounted: no group
	require.EqualValues(t, 32<<20, linuxMachine(c.Root, 4711))
}

func TestASystemThatSaysNothingHasNoSize(t *testing.T) {
	require.Zero(t, linuxMachine(t.TempDir(), 4711))
}

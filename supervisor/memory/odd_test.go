package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// Containers and sandboxes show the kernel's files cut, empty, or not at all.
func TestAnOddGroupIsNoGroupAndNeverAnother(t *testing.T) {
	const mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	for name, c := range map[string]struct{ cgroup, mounts string }{
		"nothing is told":            {"", mounts},
		"half a line":                {"0:\n0\n\n", mounts},
		"no memory":                  {"9:cpu,cpuacct:/jobs\n", mounts},
		"a name like memory":         {"9:memory2:/jobs\n", mounts},
		"nothing is mounted":         {"0::/jobs\n", ""},
		"something else is mounted":  {"0::/jobs\n", "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"},
		"half a mount":               {"0::/jobs\n", "30 23 0:26 / /sys/fs/cgroup rw\n- cgroup2\n30 - cgroup2 cgroup2 rw\n"},
		"a group that is gone":       {"0::/gone (deleted)\n", mounts},
		"a group outside of the top": {"0::/../../jobs\n", mounts},
	} {
		t.Run(name, func(t *testing.T) {
			rig := testkit.NewCgroupRig(t, "v2")
			rig.Put(t, "proc/4711/cgroup", c.cgroup)
			rig.Put(t, "proc/self/mountinfo", c.mounts)
			for _, dir := range []string{"jobs", "sys/jobs", "sys/fs/jobs"} { // what a wrong path would lead to
				rig.Put(t, dir+"/memory.max", "1\n")
			}
			g, err := memory.GroupOf(rig.Root, 4711)
			require.Error(t, err)
			require.Zero(t, g)
			require.Zero(t, g.Allows())
		})
	}
	_, err := memory.GroupOf(t.TempDir(), 4711)
	require.Error(t, err)
}

func TestALimitThatIsNoNumberIsNone(t *testing.T) {
	for text, want := range map[string]uint64{"67108864\n": 67108864, "max\n": 0, "": 0, "-1\n": 0, "9223372036854771712\n": 0, "1e9\n": 0, "12 34\n": 0, "18446744073709551616\n": 0} {
		rig := testkit.NewCgroupRig(t, "v2")
		rig.Kills(t, "3")
		rig.Put(t, rig.Dir+"/memory.max", text)
		rig.Put(t, rig.Dir+"/memory.peak", text)
		g, err := memory.GroupOf(rig.Root, 4711)
		require.NoError(t, err)
		require.Equal(t, want, g.Limit(), "%q", text)
		require.Equal(t, want, g.Peak(), "%q", text)
	}
}

func TestACountThatIsNoNumberIsAnErrorAndNotZero(t *testing.T) {
	rig := testkit.NewCgroupRig(t, "v1")
	rig.Kills(t, "3")
	g, err := memory.GroupOf(rig.Root, 4711)
	require.NoError(t, err)
	n, err := g.Kills()
	require.NoError(t, err)
	require.Equal(t, uint64(3), n)
	for _, text := range []string{"", "under_oom 0\n", "oom_kill x\n", "oom_kill -1\n", "oom_kill\n", "oom_kill_disable 0\n", " oom_kill 3\n"} {
		rig.Put(t, rig.Dir+"/memory.oom_control", text)
		_, err := g.Kills()
		require.Error(t, err, "%q", text)
	}
}

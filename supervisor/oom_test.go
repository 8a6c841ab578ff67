package supervisor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// cgroups are the ways in which Linux shows a process its memory cgroup: below a root, the files that matter, and the folder of the group.
var cgroups = map[string]struct {
	cgroup, mounts, dir string
	v2                  bool
}{
	"v2":                       {"0::/user.slice/app.scope\n", "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", "sys/fs/cgroup/user.slice/app.scope", true},
	"v2 in a container":        {"0::/\n", "1 2 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "sys/fs/cgroup", true},
	"v2 seen from a neighbour": {"0::/../other\n", "1 2 0:26 /mine /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "sys/fs/cgroup", true},
	"v1":                       {"9:name=systemd:/\n4:cpu,memory:/jobs/7\n0::/\n", "31 25 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 25 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,cpu,memory\n33 25 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "sys/fs/cgroup/memory/jobs/7", false},
	"v1 in a container":        {"4:memory:/docker/abc\n", "32 25 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n", "sys/fs/cgroup/memory", false},
}

func (c *cgroupRig) put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(c.root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// cgroupRig is a /proc and a /sys/fs/cgroup of process 4711, below a folder.
type cgroupRig struct {
	root, dir string
	v2        bool
}

func newCgroupRig(t *testing.T, kind string) *cgroupRig {
	k := cgroups[kind]
	c := &cgroupRig{root: t.TempDir(), dir: k.dir, v2: k.v2}
	c.put(t, "proc/4711/cgroup", k.cgroup)
	c.put(t, "proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/vda rw\n"+k.mounts)
	return c
}

func (c *cgroupRig) kills(t *testing.T, n string) {
	if c.v2 {
		c.put(t, c.dir+"/memory.events", "low 0\nhigh 0\nmax 17\noom 9\noom_kill "+n+"\n")
		c.put(t, c.dir+"/memory.max", "67108864\n")
		c.put(t, c.dir+"/memory.peak", "67108800\n")
		return
	}
	c.put(t, c.dir+"/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill "+n+"\n")
	c.put(t, c.dir+"/memory.limit_in_bytes", "67108864\n")
	c.put(t, c.dir+"/memory.max_usage_in_bytes", "67108800\n")
}

func TestWhatTheKernelEndsInACgroupIsCountedOnce(t *testing.T) {
	for kind := range cgroups {
		t.Run(kind, func(t *testing.T) {
			c := newCgroupRig(t, kind)
			c.kills(t, "2") // long ago
			w := watchMemory(c.root, 4711, 0, nil)
			_, ok := w.ended(4711)
			require.False(t, ok)
			c.kills(t, "3")
			m, ok := w.ended(4711)
			require.True(t, ok)
			require.Equal(t, crash.Memory{OOM: true, Source: "cgroup", Limit: 64 << 20, Peak: 67108800}, m)
			_, ok = w.ended(4711)
			require.False(t, ok, "the next death has to have a cause of its own")
		})
	}
}

func TestWhatTheKernelEndedMinutesAgoIsNotWhyThisRunDied(t *testing.T) {
	c := newCgroupRig(t, "v2")
	c.kills(t, "0")
	w := watchMemory(c.root, 4711, 0, nil)
	c.kills(t, "1") // a stranger in the same group
	w.look()
	_, ok := w.ended(4711)
	require.True(t, ok, "a worker may have ended a moment before the look")
	c.kills(t, "2")
	w.look()
	w.look()
	_, ok = w.ended(4711)
	require.False(t, ok)
}

func TestWithoutALimitThereIsNoLimit(t *testing.T) {
	c := newCgroupRig(t, "v2")
	c.kills(t, "0")
	c.put(t, c.dir+"/memory.max", "max\n")
	require.NoError(t, os.Remove(filepath.Join(c.root, c.dir, "memory.peak")), "kernels before 5.19 have none")
	w := watchMemory(c.root, 4711, 0, nil)
	c.put(t, c.dir+"/memory.events", "oom_kill 1\n")
	m, ok := w.ended(4711)
	require.True(t, ok)
	require.Zero(t, m.Limit)
	require.Zero(t, m.Peak)
	c.put(t, "v1", "9223372036854771712\n")
	require.Zero(t, number(filepath.Join(c.root, "v1")), "v1 says “no limit” by a number")
}

func TestWhereTheKernelCountsNothingNothingIsSaid(t *testing.T) {
	for name, w := range map[string]*memoryWatch{
		"no process": watchMemory(t.TempDir(), 4711, 0, nil), "none at all": nil, "the root group of v2 has no events": func() *memoryWatch {
			return watchMemory(newCgroupRig(t, "v2").root, 4711, 0, nil)
		}(),
	} {
		w.look()
		_, ok := w.ended(4711)
		require.False(t, ok, name)
	}
}

func TestTheKernelsLogIsBelievedOnThisProcessAfterItsStartAlone(t *testing.T) {
	const log = `<6>[  100.000000] Memory cgroup out of memory: Killed process 4711 (python3) total-vm:8kB, anon-rss:4kB
<4>[  150.250000] python3 invoked oom-killer: gfp_mask=0x140dca, order=0, oom_score_adj=0
<3>[  200.500000] Out of memory: Killed process 812 (python3.12) total-vm:8kB
<6>[  201.000000] oom_reaper: reaped process 4711 (python3), now anon-rss:0kB
`
	for name, tt := range map[string]struct {
		pid   int
		since time.Duration
		want  bool
	}{
		"of this run":                        {4711, 99 * time.Second, true},
		"an earlier process of the same PID": {4711, 101 * time.Second, false},
		"killed for want of the machine's":   {812, 0, true},
		"another process":                    {81, 0, false},
		"a PID that begins with the same":    {471, 0, false},
	} {
		w := &memoryWatch{since: tt.since, log: func() string { return log }}
		m, ok := w.ended(tt.pid)
		require.Equal(t, tt.want, ok, name)
		if ok {
			require.Equal(t, "kernel log", m.Source)
		}
	}
	require.False(t, killedLine("[ soon] Out of memory: Killed process 7 (x)", 7, 0), "a time that cannot be read proves nothing")
	require.False(t, killedLine("[ 300.0] systemd: Killed process 7 (x)", 7, 0), "somebody else's words")
}

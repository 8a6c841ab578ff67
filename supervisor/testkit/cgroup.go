package testkit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Cgroups are the ways in which Linux shows a process its memory cgroup: below a root, the files that matter, and the folder of the group.
var Cgroups = map[string]struct {
	cgroup, mounts, dir string
	v2                  bool
}{
	"v2":                       {"0::/user.slice/app.scope\n", "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", "sys/fs/cgroup/user.slice/app.scope", true},
	"v2 in a container":        {"0::/\n", "1 2 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "sys/fs/cgroup", true},
	"v2 seen from a neighbour": {"0::/../other\n", "1 2 0:26 /mine /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "sys/fs/cgroup", true},
	"v1":                       {"9:name=systemd:/\n4:cpu,memory:/jobs/7\n0::/\n", "31 25 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 25 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,cpu,memory\n33 25 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "sys/fs/cgroup/memory/jobs/7", false},
	"v1 in a container":        {"4:memory:/docker/abc\n", "32 25 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n", "sys/fs/cgroup/memory", false},
}

func (c *cgroupRig) Put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(c.Root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// cgroupRig is a /proc and a /sys/fs/cgroup of process 4711, below a folder.
type cgroupRig struct {
	Root, Dir string
	v2        bool
}

func NewCgroupRig(t *testing.T, kind string) *cgroupRig {
	k := Cgroups[kind]
	c := &cgroupRig{Root: t.TempDir(), Dir: k.dir, v2: k.v2}
	c.Put(t, "proc/4711/cgroup", k.cgroup)
	c.Put(t, "proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/vda rw\n"+k.mounts)
	return c
}

func (c *cgroupRig) Kills(t *testing.T, n string) {
	if c.v2 {
		c.Put(t, c.Dir+"/memory.events", "low 0\nhigh 0\nmax 17\noom 9\noom_kill "+n+"\n")
		c.Put(t, c.Dir+"/memory.max", "67108864\n")
		c.Put(t, c.Dir+"/memory.peak", "67108800\n")
		return
	}
	c.Put(t, c.Dir+"/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill "+n+"\n")
	c.Put(t, c.Dir+"/memory.limit_in_bytes", "67108864\n")
	c.Put(t, c.Dir+"/memory.max_usage_in_bytes", "67108800\n")
}

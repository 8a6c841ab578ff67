package postmortem

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestWhatTheKernelEndsInACgroupIsCountedOnce(t *testing.T) {
	for kind := range testkit.Cgroups {
		t.Run(kind, func(t *testing.T) {
			c := testkit.NewCgroupRig(t, kind)
			c.Kills(t, "2") // long ago
			w := NewMemoryWatch(c.Root, 4711, 0, nil)
			_, ok := w.ended(4711)
			require.False(t, ok)
			c.Kills(t, "3")
			m, ok := w.ended(4711)
			require.True(t, ok)
			require.Equal(t, crash.Memory{OOM: true, Source: "cgroup", Limit: 64 << 20, Peak: 67108800}, m)
			_, ok = w.ended(4711)
			require.False(t, ok, "the next death has to have a cause of its own")
		})
	}
}

func TestWhatTheKernelEndedMinutesAgoIsNotWhyThisRunDied(t *testing.T) {
	c := testkit.NewCgroupRig(t, "v2")
	c.Kills(t, "0")
	w := NewMemoryWatch(c.Root, 4711, 0, nil)
	c.Kills(t, "1") // a stranger in the same group
	w.Look()
	_, ok := w.ended(4711)
	require.True(t, ok, "a worker may have ended a moment before the look")
	c.Kills(t, "2")
	w.Look()
	w.Look()
	_, ok = w.ended(4711)
	require.False(t, ok)
}

func TestWithoutALimitThereIsNoLimit(t *testing.T) {
	c := testkit.NewCgroupRig(t, "v2")
	c.Kills(t, "0")
	c.Put(t, c.Dir+"/memory.max", "max\n")
	require.NoError(t, os.Remove(filepath.Join(c.Root, c.Dir, "memory.peak")), "kernels before 5.19 have none")
	w := NewMemoryWatch(c.Root, 4711, 0, nil)
	c.Put(t, c.Dir+"/memory.events", "oom_kill 1\n")
	m, ok := w.ended(4711)
	require.True(t, ok)
	require.Zero(t, m.Limit)
	require.Zero(t, m.Peak)
}

func TestWhereTheKernelCountsNothingNothingIsSaid(t *testing.T) {
	for name, w := range map[string]*MemoryWatch{
		"no process": NewMemoryWatch(t.TempDir(), 4711, 0, nil), "none at all": nil, "the root group of v2 has no events": func() *MemoryWatch {
			return NewMemoryWatch(testkit.NewCgroupRig(t, "v2").Root, 4711, 0, nil)
		}(),
	} {
		w.Look()
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
		w := &MemoryWatch{since: tt.since, log: func() string { return log }}
		m, ok := w.ended(tt.pid)
		require.Equal(t, tt.want, ok, name)
		if ok {
			require.Equal(t, "kernel log", m.Source)
		}
	}
	require.False(t, killedLine("[ soon] Out of memory: Killed process 7 (x)", 7, 0), "a time that cannot be read proves nothing")
	require.False(t, killedLine("[ 300.0] systemd: Killed process 7 (x)", 7, 0), "somebody else's words")
}

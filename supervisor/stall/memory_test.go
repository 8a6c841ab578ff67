package stall

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShortMemoryIsToldInFiguresAndPlentyIsNot(t *testing.T) {
	const gb = 1 << 30
	for name, c := range map[string]struct {
		m    memory
		want string
	}{
		"plenty":                     {memory{total: 16 * gb, available: 9 * gb}, ""},
		"nothing is known":           {memory{}, ""},
		"some waiting":               {memory{waiting: 4, total: 16 * gb, available: 2 * gb}, ""},
		"much waiting":               {memory{waiting: 41.5, total: 16 * gb, available: 2 * gb}, "42 % of the time something waits for memory"},
		"swapped, and waiting":       {memory{waiting: 20, swapped: 3 * gb, total: 16 * gb, available: gb}, "20 % of the time something waits for memory, 3.2 GB of this process are swapped out"},
		"swapped, and nobody misses": {memory{swapped: 3 * gb, total: 16 * gb, available: 9 * gb}, ""},
		"little left":                {memory{total: 16 * gb, available: gb / 4}, "0.3 GB of 17.2 GB are left"},
	} {
		require.Equal(t, c.want, c.m.words(), name)
	}
}

func TestTheSystemsFilesOfMemoryAreRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("these are Linux's files")
	}
	root := t.TempDir()
	for name, text := range map[string]string{
		"proc/meminfo":         "MemTotal:       24684084 kB\nMemFree:        15533016 kB\nMemAvailable:     201234 kB\n",
		"proc/pressure/memory": "some avg10=1.00 avg60=0.50 avg300=0.00 total=1508664\nfull avg10=0.90 avg60=0.00 avg300=0.00 total=192223\n",
		"proc/7/status":        "Name:\tpython3\nVmRSS:\t 1000000 kB\nVmSwap:\t 2097152 kB\n",
		"proc/7/cgroup":        "0::/user.slice/app.scope\n",
		"sys/fs/cgroup/user.slice/app.scope/memory.pressure": "some avg10=63.20 avg60=0.00 avg300=0.00 total=1\n",
	} {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	m := memoryAt(root, 7)
	require.Equal(t, memory{waiting: 63.2, swapped: 2097152 << 10, total: 24684084 << 10, available: 201234 << 10}, m)
	require.Contains(t, m.words(), "63 % of the time")
	require.Equal(t, memory{waiting: 1, total: 24684084 << 10, available: 201234 << 10}, memoryAt(root, 8), "a process that is gone")
	require.Empty(t, memoryAt(t.TempDir(), 7).words())
	require.NotZero(t, memoryAt("/", os.Getpid()).total, "this machine")
}

func FuzzFilesOfMemory(f *testing.F) {
	f.Add("some avg10=12.34 avg60=1", "VmSwap:\t 1 kB", "0::/a")
	f.Add("some avg10=NaN", "VmSwap: -1 kB\nVmSwap:", "0::/../../etc")
	f.Fuzz(func(t *testing.T, pressure, status, group string) {
		n := parsePressure(pressure)
		require.True(t, n >= 0 && n <= 100)
		_ = parseKilobytes(status, "VmSwap")
		require.NotContains(t, cgroupOf(group), "..")
	})
}

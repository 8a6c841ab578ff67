package stall

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheSystemsFilesOfMemoryAreRead(t *testing.T) {
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

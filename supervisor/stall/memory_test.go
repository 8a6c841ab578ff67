package stall

import (
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

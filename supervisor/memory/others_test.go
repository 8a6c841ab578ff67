package memory

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func TestTheProcessesOfAnAppAreOneProgram(t *testing.T) {
	paths := map[int]string{
		1: "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
		2: "/Applications/Google Chrome.app/Contents/Frameworks/Google Chrome Framework.framework/Versions/1/Helpers/Google Chrome Helper (Renderer).app/Contents/MacOS/Google Chrome Helper (Renderer)",
		3: "/opt/homebrew/bin/ollama", 4: "/usr/bin/python3.12", 5: "", 6: "/usr/bin/python3.12", 7: "/bin/tiny",
	}
	var all []holder
	for pid, held := range map[int]uint64{1: 1 * gb, 2: 3 * gb, 3: 6 * gb, 4: 9 * gb, 5: 2 * gb, 6: gb / 2, 7: 1 << 20} {
		all = append(all, holder{proc.Process{PID: pid, Name: "kernel name"}, held})
	}
	found := programs(all, func(pid int) string { return paths[pid] }, func(pid int) bool { return pid == 4 })
	require.Equal(t, []Program{{"ollama", 6 * gb, 1}, {"Google Chrome", 4 * gb, 2}, {"kernel name", 2 * gb, 1}, {"python3.12", gb / 2, 1}}, found)
}

func TestNoMoreThanAFewProgramsAreNamed(t *testing.T) {
	var all []holder
	for pid := 1; pid <= 100; pid++ {
		all = append(all, holder{proc.Process{PID: pid, Name: strings.Repeat("x", pid)}, uint64(pid) * gb})
	}
	found := programs(all, func(int) string { return "" }, nil)
	require.Len(t, found, mostPrograms)
	require.Greater(t, found[0].Bytes, found[mostPrograms-1].Bytes)
	for _, p := range found {
		require.LessOrEqual(t, len(p.Name), longestName)
	}
}

func TestANameIsPlainText(t *testing.T) {
	for name, tt := range map[string]struct{ path, kernel, want string }{
		"a kernel's name":   {"", "kworker/0:1", "kworker/0:1"},
		"a program":         {"/usr/bin/python3.12", "python3", "python3.12"},
		"an app":            {"/Applications/LM Studio.app/Contents/MacOS/LM Studio", "LM Studio", "LM Studio"},
		"control and bytes": {"/tmp/a\x1b[31m\xffb\n", "x", "a[31mb"},
		"no name at all":    {"/.app/", "", ".app"},
	} {
		require.Equal(t, tt.want, programName(tt.path, tt.kernel), name)
	}
}

func TestTheLargestProgramsOfThisMachineAreInOrder(t *testing.T) {
	found := Largest(func(int) bool { return false })
	require.True(t, slices.IsSortedFunc(found, func(a, b Program) int { return compare(b.Bytes, a.Bytes) }))
	for _, p := range found {
		require.NotEmpty(t, p.Name)
		require.Positive(t, p.Processes)
	}
}

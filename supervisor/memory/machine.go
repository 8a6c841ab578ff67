package memory

import (
	"os"
	"path/filepath"
)

// Machine is how much memory there is for a process, in bytes: the computer's, or what the cgroups that it is in allow it, if that is less,
// since that is where the kernel ends it. 0 if the system does not say.
func Machine(pid int) uint64 { return machine(pid) }

// linuxMachine reads below root, which is "/" but in tests.
func linuxMachine(root string, pid int) uint64 {
	text, _ := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	var total uint64
	kilobytes(text, map[string]*uint64{"MemTotal": &total})
	if g, err := GroupOf(root, pid); err == nil {
		if limit := g.Allows(); limit > 0 && (total == 0 || limit < total) {
			return limit
		}
	}
	return total
}

package terminal

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetProgram unmaps what was used of this program's own file, code for the start and for pages that are made after a crash. The
// kernel maps it again, from its cache, as it is used; where memory is short it need not look for it. Failing costs nothing.
func forgetProgram() {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range cleanMappings(string(text), exe) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

type mapping struct{ from, to uintptr }

// cleanMappings are the parts of smaps, the text of /proc/self/smaps, that are a view on the file and nothing else. Where a page is
// anonymous it was written to, by relocation for instance, and exists nowhere else.
func cleanMappings(smaps, file string) []mapping {
	var all []mapping
	var now mapping
	ours := false
	for line := range strings.Lines(smaps) {
		var m mapping
		var access, offset, device string
		var inode uint64
		if n, _ := fmt.Sscanf(line, "%x-%x %4s %s %s %d", &m.from, &m.to, &access, &offset, &device, &inode); n == 6 {
			now, ours = m, access[0] == 'r' && access[1] == '-' && access[3] == 'p' && strings.HasSuffix(strings.TrimSuffix(line, "\n"), " "+file)
			continue
		}
		if rest, ok := strings.CutPrefix(line, "Anonymous:"); ok && ours && strings.Join(strings.Fields(rest), " ") == "0 kB" {
			all = append(all, now)
		}
	}
	return all
}

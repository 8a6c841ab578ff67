package memory

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Group is the memory cgroup of a run, where Linux counts what it ends for want of memory. Files are read below root, which is "/"
// but in tests.
type Group struct {
	dir    string // its folder
	top    string // where the groups are mounted: what is above it cannot be seen
	events string // the name of the file with the count "oom_kill N"
	limit  string // names of files of one number each
	peak   string
}

// GroupOf finds the cgroup of a process, of either version. Both count what the kernel ended in the group for whatever want of memory,
// the group's own limit or the whole machine's (v2: Documentation/admin-guide/cgroup-v2.rst; v1 since Linux 4.13).
func GroupOf(root string, pid int) (Group, error) {
	text, err := os.ReadFile(filepath.Join(root, "proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return Group{}, err
	}
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return Group{}, err
	}
	var second Group // v2; where both are mounted, memory is v1's if that has it
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3) // "4:memory:/user.slice", "0::/user.slice"
		if len(f) != 3 {
			continue
		}
		v2 := f[0] == "0" && f[1] == ""
		if !v2 && !hasWord(f[1], "memory") {
			continue
		}
		top, below, ok := mountedAt(string(mounts), f[2], v2)
		if !ok {
			continue
		}
		top = filepath.Join(root, top)
		g := Group{dir: filepath.Join(top, below), top: top}
		if !v2 {
			g.events, g.limit, g.peak = "memory.oom_control", "memory.limit_in_bytes", "memory.max_usage_in_bytes"
			return g, nil
		}
		g.events, g.limit, g.peak = "memory.events", "memory.max", "memory.peak"
		second = g
	}
	if _, err := second.Kills(); err != nil {
		return Group{}, errors.New("the process is in no memory cgroup that counts")
	}
	return second, nil
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// mountedAt is where the cgroups are mounted, and the folder of one below that, from /proc/self/mountinfo: "… ROOT MOUNTPOINT options… - TYPE source superoptions".
func mountedAt(mounts, group string, v2 bool) (top, below string, ok bool) {
	for line := range strings.Lines(mounts) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		f, g := strings.Fields(left), strings.Fields(right)
		if !ok || len(f) < 5 || len(g) < 3 {
			continue
		}
		if v2 != (g[0] == "cgroup2") || !v2 && (g[0] != "cgroup" || !hasWord(g[2], "memory")) {
			continue
		}
		below, ok := strings.CutPrefix(group, strings.TrimSuffix(f[3], "/"))
		if !ok || below != "" && below[0] != '/' { // it is seen from within a container: its own group is the mount's root
			below = ""
		}
		return f[4], below, true
	}
	return "", "", false
}

// Kills is how many processes the kernel has ended in the group for want of memory.
func (g Group) Kills() (uint64, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, g.events))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.ParseUint(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, errors.New("the kernel does not count what it ends")
}

// Limit is the group's own limit in bytes, 0 if it has none.
func (g Group) Limit() uint64 { return number(filepath.Join(g.dir, g.limit)) }

// Peak is the most that the group had, 0 if the kernel does not say (before 5.19).
func (g Group) Peak() uint64 { return number(filepath.Join(g.dir, g.peak)) }

// Allows is the least of the limits of the group and of those that it lies in, in bytes; 0 if there is none.
func (g Group) Allows() uint64 {
	least := uint64(0)
	for dir := g.dir; len(dir) >= len(g.top) && strings.HasPrefix(dir, g.top); dir = filepath.Dir(dir) {
		if n := number(filepath.Join(dir, g.limit)); n > 0 && (least == 0 || n < least) {
			least = n
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return least
}

// number reads a file of one number; 0 for "max", and for what cannot be read. v1 says "no limit" with a number near 2^63.
func number(path string) uint64 {
	text, _ := os.ReadFile(path)
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= 1<<62 {
		return 0
	}
	return n
}

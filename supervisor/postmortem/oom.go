package postmortem

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// memoryGroup is the memory cgroup of a run, where Linux counts what it ends for want of memory. Files are read below root, which is "/"
// but in tests.
type memoryGroup struct {
	events string // the file with the count "oom_kill N"
	limit  string // files of one number each
	peak   string
}

// memoryGroupOf finds the cgroup of a process, of either version. Both count what the kernel ended in the group for whatever want of memory,
// the group's own limit or the whole machine's (v2: Documentation/admin-guide/cgroup-v2.rst; v1 since Linux 4.13).
func memoryGroupOf(root string, pid int) (memoryGroup, error) {
	text, err := os.ReadFile(filepath.Join(root, "proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return memoryGroup{}, err
	}
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return memoryGroup{}, err
	}
	var second memoryGroup // v2; where both are mounted, memory is v1's if that has it
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3) // "4:memory:/user.slice", "0::/user.slice"
		if len(f) != 3 {
			continue
		}
		v2 := f[0] == "0" && f[1] == ""
		if !v2 && !hasWord(f[1], "memory") {
			continue
		}
		dir, ok := mountedAt(string(mounts), f[2], v2)
		if !ok {
			continue
		}
		dir = filepath.Join(root, dir)
		if !v2 {
			return memoryGroup{filepath.Join(dir, "memory.oom_control"), filepath.Join(dir, "memory.limit_in_bytes"), filepath.Join(dir, "memory.max_usage_in_bytes")}, nil
		}
		second = memoryGroup{filepath.Join(dir, "memory.events"), filepath.Join(dir, "memory.max"), filepath.Join(dir, "memory.peak")}
	}
	if _, err := second.kills(); err != nil {
		return memoryGroup{}, errors.New("the process is in no memory cgroup that counts")
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

// mountedAt is the folder of a cgroup, from /proc/self/mountinfo: "… ROOT MOUNTPOINT options… - TYPE source superoptions".
func mountedAt(mounts, group string, v2 bool) (string, bool) {
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
		return filepath.Join(f[4], below), true
	}
	return "", false
}

func (g memoryGroup) kills() (uint64, error) {
	text, err := os.ReadFile(g.events)
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

// number reads a file of one number; 0 for "max", and for what cannot be read. v1 says "no limit" with a number near 2^63.
func number(path string) uint64 {
	text, _ := os.ReadFile(path)
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= 1<<62 {
		return 0
	}
	return n
}

// MemoryWatch tells after the end of a run whether the kernel ended something of its group for want of memory. A nil one knows nothing.
type MemoryWatch struct {
	group memoryGroup
	since time.Duration // on the clock of the kernel's log
	log   func() string // the kernel's log; nil where it cannot be read, or has other PIDs

	mu             sync.Mutex
	before, latest uint64 // what the group had lost at the last look but one, and at the last
}

func NewMemoryWatch(root string, pid int, since time.Duration, log func() string) *MemoryWatch {
	w := &MemoryWatch{since: since, log: log}
	if g, err := memoryGroupOf(root, pid); err == nil {
		w.group = g
		w.before, _ = g.kills() // it was read just now
		w.latest = w.before
	}
	return w
}

// Look is for the look at the whole tree, once a minute: what the kernel ended in a group of many processes long before a death has
// nothing to do with it.
func (w *MemoryWatch) Look() {
	if w == nil || w.group == (memoryGroup{}) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if now, err := w.group.kills(); err == nil {
		w.before, w.latest = w.latest, now
	}
}

// ended is the kernel's word on a process that was just killed, the run's leader or one of its workers.
func (w *MemoryWatch) ended(pid int) (crash.Memory, bool) {
	if w == nil {
		return crash.Memory{}, false
	}
	if w.group != (memoryGroup{}) {
		w.mu.Lock()
		now, err := w.group.kills()
		more := err == nil && now > w.before
		if more {
			w.before, w.latest = now, now
		}
		w.mu.Unlock()
		if more {
			return crash.Memory{OOM: true, Source: "cgroup", Limit: number(w.group.limit), Peak: number(w.group.peak)}, true
		}
	}
	if w.log != nil && killedLine(w.log(), pid, w.since) {
		return crash.Memory{OOM: true, Source: "kernel log"}, true
	}
	return crash.Memory{}, false
}

// killedLine is the kernel's word on a process that it ended for want of memory, as in
// "[ 1234.567890] Memory cgroup out of memory: Killed process 4711 (python3) total-vm:…".
func killedLine(log string, pid int, since time.Duration) bool {
	needle := "Killed process " + strconv.Itoa(pid) + " ("
	for line := range strings.Lines(log) {
		before, _, ok := strings.Cut(line, needle)
		if !ok || !strings.Contains(before, "ut of memory") {
			continue
		}
		_, stamp, _ := strings.Cut(before, "[")
		stamp, _, _ = strings.Cut(stamp, "]")
		seconds, err := strconv.ParseFloat(strings.TrimSpace(stamp), 64)
		if err == nil && time.Duration(seconds*float64(time.Second)) >= since {
			return true
		}
	}
	return false
}

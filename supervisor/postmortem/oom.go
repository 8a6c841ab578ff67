package postmortem

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/memory"
)

// MemoryWatch tells after the end of a run whether the kernel ended something of its group for want of memory. A nil one knows nothing.
type MemoryWatch struct {
	group memory.Group
	since time.Duration // on the clock of the kernel's log
	log   func() string // the kernel's log; nil where it cannot be read, or has other PIDs

	mu             sync.Mutex
	before, latest uint64 // what the group had lost at the last look but one, and at the last
}

func NewMemoryWatch(root string, pid int, since time.Duration, log func() string) *MemoryWatch {
	w := &MemoryWatch{since: since, log: log}
	if g, err := memory.GroupOf(root, pid); err == nil {
		w.group = g
		w.before, _ = g.Kills() // it was read just now
		w.latest = w.before
	}
	return w
}

// Look is for the look at the whole tree, once a minute: what the kernel ended in a group of many processes long before a death has
// nothing to do with it.
func (w *MemoryWatch) Look() {
	if w == nil || w.group == (memory.Group{}) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if now, err := w.group.Kills(); err == nil {
		w.before, w.latest = w.latest, now
	}
}

// ended is the kernel's word on a process that was just killed, the run's leader or one of its workers.
func (w *MemoryWatch) ended(pid int) (crash.Memory, bool) {
	if w == nil {
		return crash.Memory{}, false
	}
	if w.group != (memory.Group{}) {
		w.mu.Lock()
		now, err := w.group.Kills()
		more := err == nil && now > w.before
		if more {
			w.before, w.latest = now, now
		}
		w.mu.Unlock()
		if more {
			return crash.Memory{OOM: true, Source: "cgroup", Limit: w.group.Limit(), Peak: w.group.Peak()}, true
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

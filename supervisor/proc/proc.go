// Package proc identifies processes: by PID and the kernel's mark of its start together, never by a PID alone. It lists them, reads their
// arguments and environment, and signals one that is still the one that was meant. Begin with Find and Signal. It is built from the standard
// library and x/sys, because the keeper needs it, and must not know what a process is for.
package proc

import (
	"errors"
	"strings"
	"sync"
	"syscall"
)

// Process is one process as the kernel tells it. PID and Stamp together identify it; a PID alone never does.
type Process struct {
	PID, PPID, Group, UID int
	Stamp                 string
	Name                  string // the kernel's short name, at most 15 bytes
	Zombie                bool   // it has ended and waits for its parent
}

// Processes lists all processes that can be seen.
func Processes() ([]Process, error) { return processes() }

// Find returns the process with that PID, or ErrGone.
func Find(pid int) (Process, error) {
	if pid <= 0 {
		return Process{}, ErrGone
	}
	return find(pid)
}

// Args is the command line of a process. It is empty for a zombie.
func Args(pid int) ([]string, error) { return args(pid) }

// Environ is the environment with which a process was started. That of another user cannot be read.
func Environ(pid int) ([]string, error) { return environ(pid) }

// RunOf is the Run ID that a process carries, "" if it carries none or cannot be asked.
func RunOf(pid int) string {
	env, err := environ(pid)
	if err != nil {
		return ""
	}
	for _, v := range env {
		if id, ok := strings.CutPrefix(v, RunVariable+"="); ok {
			return id
		}
	}
	return ""
}

// Alive says whether p is still that process, and has not ended.
func Alive(p Process) bool {
	q, err := find(p.PID)
	return err == nil && q.Stamp == p.Stamp && !q.Zombie
}

// IsTracker says whether a process is one of Python's resource trackers, which unlink the named semaphores once nobody is
// left who could use them. Killed with the others they leak all of them. The module's name alone proves nothing: multiprocessing
// hands a PYTHONWARNINGS that names it to every child as -W.
func IsTracker(pid int) bool {
	argv, err := args(pid)
	if err != nil {
		return false
	}
	for _, a := range argv {
		if strings.Contains(a, "resource_tracker import main") || strings.Contains(a, "semaphore_tracker import main") {
			return true
		}
	}
	return false
}

var BootID = sync.OnceValue(boot)

// splitZeros splits what /proc gives: strings that each end in a zero.
func splitZeros(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// RunVariable is the environment variable that every process of a run carries; its value is the Run's ID. Whoever
// carries it is ours; empty or unreadable means unknown, and unknown is untouched.
const RunVariable = "VIVARIUM_RUN"

// ErrGone: the process has ended, or its PID now belongs to another one.
var ErrGone = errors.New("no such process")

// IgnoringEINTR repeats a system call that a signal interrupted.
func IgnoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

package keeper

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

const fionread = 0x4004667f // FIONREAD in <sys/filio.h>

// adopt: macOS has no subreapers; orphans go to launchd and are found by the process table.
func adopt() error { return nil }

// run reaps for ever.
func (r *reaper) run() {
	for range r.wake {
		r.mu.Lock()
		pid := r.leader
		r.mu.Unlock()
		if pid != 0 {
			r.await(pid)
		}
	}
}

// await reaps the leader when it has ended.
func (r *reaper) await(pid int) {
	kq, err := unix.Kqueue()
	if err == nil {
		defer unix.Close(kq)
		unix.CloseOnExec(kq)
	}
	d := death{
		notice: func() notice {
			if err != nil { // out of descriptors
				return notice{err: err}
			}
			return kevent(kq, pid)
		},
		find: func() (proc.Process, error) { return proc.Find(pid) },
		wait: func() (int, syscall.WaitStatus, error) {
			got, err := r.take(pid)
			return got.pid, got.status, err
		},
		snapshot: func() {
			all, _ := proc.Processes()
			r.leave(inGroup(all, pid))
		},
		pause: time.Sleep,
	}
	if status, known := d.await(); known {
		r.died(pid, status, true)
	} else {
		r.lost(pid)
	}
}

// nobody is never certain here: whoever called setsid is in no group that could be asked.
func (r *reaper) nobody() bool { return false }

// kevent adds the child to the queue and waits for its exit.
func kevent(kq, pid int) notice {
	change := []unix.Kevent_t{{Ident: uint64(pid), Filter: unix.EVFILT_PROC, Flags: unix.EV_ADD | unix.EV_ONESHOT, Fflags: unix.NOTE_EXIT}}
	got := make([]unix.Kevent_t, 1)
	n, err := unix.Kevent(kq, change, got, nil)
	switch {
	case err != nil:
		return notice{err: err}
	case n > 0 && got[0].Flags&unix.EV_ERROR != 0:
		return notice{failed: syscall.Errno(got[0].Data)}
	}
	return notice{exit: n > 0 && got[0].Filter == unix.EVFILT_PROC && got[0].Fflags&unix.NOTE_EXIT != 0}
}

// closeDescriptors closes everything from 3 on.
func closeDescriptors() {
	for fd := 3; fd < 1<<14; fd++ {
		syscall.Close(fd)
	}
}

func widen(int) {}

// pipe makes a pipe that no child inherits by accident: macOS cannot do it in one call, so forks wait.
func pipe() (r, w int, err error) {
	var p [2]int
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := syscall.Pipe(p[:]); err != nil {
		return 0, 0, err
	}
	syscall.CloseOnExec(p[0])
	syscall.CloseOnExec(p[1])
	return p[0], p[1], nil
}

const maxOpenFiles = 10240 // OPEN_MAX: setrlimit refuses more

// exchange swaps two files or folders in one step.
func exchange(a, b string) error {
	return unix.RenameatxNp(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_SWAP)
}

// leave notes who is in the leader's group.
func (r *reaper) leave(group []proc.Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = group
}

package keeper

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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
			awaitExit(pid)
			all, _ := processes()
			r.mu.Lock()
			r.left = inGroup(all, pid)
			r.mu.Unlock()
			r.reap(pid)
		}
	}
}

// nobody is never certain here: whoever called setsid is in no group that could be asked.
func (r *reaper) nobody() bool { return false }

// awaitExit returns when the child has ended; it is not reaped yet.
func awaitExit(pid int) {
	kq, err := unix.Kqueue()
	if err != nil {
		awaitExitSlowly(pid)
		return
	}
	defer unix.Close(kq)
	unix.CloseOnExec(kq)
	event := unix.Kevent_t{Ident: uint64(pid), Filter: unix.EVFILT_PROC, Flags: unix.EV_ADD | unix.EV_ONESHOT, Fflags: unix.NOTE_EXIT}
	change := []unix.Kevent_t{event}
	got := make([]unix.Kevent_t, 1)
	for {
		n, err := unix.Kevent(kq, change, got, nil)
		if err == unix.EINTR {
			change = nil // it is registered
			continue
		}
		if err == unix.ESRCH { // a zombie already
			return
		}
		if err != nil {
			awaitExitSlowly(pid)
			return
		}
		if n > 0 {
			return
		}
	}
}

// awaitExitSlowly is for a kernel that gives no kqueue any more.
func awaitExitSlowly(pid int) {
	for {
		if p, err := find(pid); err != nil || p.Zombie {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
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

package keeper

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

const fionread = unix.TIOCINQ

// adopt makes the orphans of a run children of this process: one waitid then tells that nobody is left.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// run reaps for ever.
func (r *reaper) run() {
	for {
		pid, err := exited(0)
		if err != nil { // ECHILD: nobody left to wait for
			<-r.wake
			continue
		}
		r.reap(pid)
	}
}

// reap takes the exit status of a child that has ended, and tells of it if it was the leader.
func (r *reaper) reap(pid int) {
	if got, _ := r.take(pid); got.leader {
		r.died(pid, got.status, true)
	}
}

// nobody says whether there is surely no process left of any run.
func (r *reaper) nobody() bool {
	for {
		pid, err := exited(unix.WNOHANG)
		if err == unix.ECHILD {
			return true
		}
		r.mu.Lock()
		leader := pid == r.leader
		r.mu.Unlock()
		if err != nil || pid == 0 || leader {
			return false
		}
		r.reap(pid)
	}
}

// exited returns a child that has ended, without reaping it.
func exited(options int) (int, error) {
	// x/sys leaves the union in siginfo_t opaque. si_pid is its first field.
	var info struct {
		unix.Siginfo
		_ [0]uintptr
	}
	_, err := proc.IgnoringEINTR(func() (int, error) {
		return 0, unix.Waitid(unix.P_ALL, 0, &info.Siginfo, unix.WEXITED|unix.WNOWAIT|options, nil)
	})
	if err != nil {
		return 0, err
	}
	const union = 3 * 4 // signo, errno, code
	at := (union + unsafe.Alignof(uintptr(0)) - 1) &^ (unsafe.Alignof(uintptr(0)) - 1)
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info.Siginfo), at))), nil
}

// closeDescriptors closes everything from 3 on.
func closeDescriptors() {
	if unix.CloseRange(3, 1<<31-1, 0) == nil {
		return
	}
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) != nil || lim.Max > 1<<20 {
		lim.Max = 1 << 20
	}
	for fd := 3; fd < int(lim.Max); fd++ {
		syscall.Close(fd)
	}
}

// widen makes room in a pipe, so that a burst of output does not wait for the disk. More of it than the processor's cache holds would
// cost whoever writes little at a time more than it saves.
func widen(fd int) { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 256<<10) }

// pipe makes a pipe that no child inherits by accident.
func pipe() (r, w int, err error) {
	var p [2]int
	err = syscall.Pipe2(p[:], syscall.O_CLOEXEC)
	return p[0], p[1], err
}

const maxOpenFiles = 65536

// exchange swaps two files or folders in one step.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

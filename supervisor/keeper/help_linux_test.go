package keeper

import (
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

func shellCommand(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

func getsid(pid int) (int, error) { return unix.Getsid(pid) }

func mountSmall(dir string, kib int) error {
	return unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kib))
}

func unmount(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }

// raiseFileSize takes the limit on the size of files from a process.
func raiseFileSize(pid int) error {
	lim := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &lim, nil)
}

// asNobody runs f as another user: the identity of one thread, which ends with f.
func asNobody(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: Go throws the thread away
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); errno != 0 {
			done <- errno
			return
		}
		done <- f()
	}()
	return <-done
}

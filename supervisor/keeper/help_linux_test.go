package keeper

import (
	"fmt"
	"os/exec"

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

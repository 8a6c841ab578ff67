package recorder

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

type darwin struct{}

// Real is this machine.
func Real() System { return darwin{} }

const stateStopped = 4 // SSTOP in <sys/proc.h>

func kinfo(pid int) (*unix.KinfoProc, error) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(k.Proc.P_pid) != pid {
		return nil, fmt.Errorf("asking for process %d: %w", pid, errors.Join(err, syscall.ESRCH))
	}
	return k, nil
}

// Catches is not asked of the kernel: both signals of the recorder are ignored by default on macOS, and harm nobody.
func (darwin) Catches(pid int, s syscall.Signal) (bool, error) {
	if s != unix.SIGURG && s != unix.SIGINFO {
		return false, errors.ErrUnsupported
	}
	return true, nil
}

// Threads and Holds are not there yet: without them no raw dump is asked for.
func (darwin) Threads(int) (map[int]ThreadUse, error) { return nil, errors.ErrUnsupported }

func (darwin) Holds(int, int, os.FileInfo) (bool, error) { return false, errors.ErrUnsupported }

func (darwin) Stopped(pid int) (bool, error) {
	k, err := kinfo(pid)
	if err != nil {
		return false, err
	}
	return k.Proc.P_stat == stateStopped, nil
}

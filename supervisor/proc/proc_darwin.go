package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const stateZombie = 5 // SZOMB in <sys/proc.h>

func processes() ([]Process, error) {
	list, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	all := make([]Process, len(list))
	for i := range list {
		all[i] = processOf(&list[i])
	}
	return all, nil
}

func find(pid int) (Process, error) {
	k, err := kinfo(pid)
	if err != nil {
		return Process{}, err
	}
	return processOf(k), nil
}

func kinfo(pid int) (*unix.KinfoProc, error) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(k.Proc.P_pid) != pid { // for a PID that is not there it answers with nothing: EIO
		return nil, ErrGone
	}
	return k, nil
}

func processOf(k *unix.KinfoProc) Process {
	t := k.Proc.P_starttime
	return Process{
		PID: int(k.Proc.P_pid), PPID: int(k.Eproc.Ppid), Group: int(k.Eproc.Pgid), UID: int(k.Eproc.Ucred.Uid),
		Stamp:  strconv.FormatInt(t.Sec, 10) + "." + strconv.FormatInt(int64(t.Usec), 10),
		Name:   unix.ByteSliceToString(k.Proc.P_comm[:]),
		Zombie: k.Proc.P_stat == stateZombie,
	}
}

func args(pid int) ([]string, error) {
	argv, _, err := procargs(pid)
	return argv, err
}

func environ(pid int) ([]string, error) {
	_, env, err := procargs(pid)
	return env, err
}

func procargs(pid int) (argv, env []string, err error) {
	b, err := procargsAsk{
		read: func() ([]byte, error) { return unix.SysctlRaw("kern.procargs2", pid) },
		find: func() (Process, time.Duration, error) {
			k, err := kinfo(pid)
			if err != nil {
				return Process{}, 0, err
			}
			t := k.Proc.P_starttime
			return processOf(k), time.Since(time.Unix(t.Sec, int64(t.Usec)*1000)), nil
		},
		uid:  os.Getuid(),
		wait: time.Sleep,
	}.answer()
	switch {
	case err == ErrGone, err == nil && b == nil: // it has ended
		return nil, nil, err
	case err != nil:
		return nil, nil, fmt.Errorf("asking for the arguments of process %d: %w", pid, err)
	}
	return ParseProcargs(b)
}

// Signal sends a signal to p if it is still that process. macOS has no pidfd; between the look and the signal there is
// nothing but these two calls.
func Signal(p Process, sig syscall.Signal) error {
	q, err := Find(p.PID)
	if err != nil || q.Stamp != p.Stamp {
		return ErrGone
	}
	err = syscall.Kill(p.PID, sig)
	if err == syscall.ESRCH || err == syscall.EPERM && q.Zombie {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("signalling process %d: %w", p.PID, err)
	}
	return nil
}

func boot() string {
	if id, err := unix.Sysctl("kern.bootsessionuuid"); err == nil && id != "" {
		return id
	}
	if t, err := unix.SysctlTimeval("kern.boottime"); err == nil {
		return strconv.FormatInt(t.Sec, 10)
	}
	return "unknown"
}

func PeerOf(fd int) (uid, pid int, err error) {
	c, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, 0, err
	}
	// Who has hung up already has no PID here (ENOTCONN), while its user is remembered: a keeper that is busy says so and hangs up.
	pid, _ = unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	return int(c.Uid), pid, nil
}

// handles: nothing here is ever ended by SIGABRT.
func handles(int, syscall.Signal) (exe string, catches bool, err error) { return "", false, nil }

func noCore(Process) error { return errors.ErrUnsupported }

package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func processes() ([]Process, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	list := make([]Process, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := find(pid); err == nil { // it may end while we look
			list = append(list, p)
		}
	}
	return list, nil
}

func find(pid int) (Process, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := readProc(dir + "/stat")
	if err != nil {
		return Process{}, err
	}
	p, err := ParseStat(b)
	if err != nil {
		return Process{}, err
	}
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return Process{}, ErrGone
	}
	p.UID = int(st.Uid)
	return p, nil
}

// ParseStat reads /proc/PID/stat. The name stands in brackets and may itself contain brackets and spaces.
func ParseStat(b []byte) (Process, error) {
	open, closed := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || closed < open {
		return Process{}, errors.New("unreadable process status")
	}
	f := strings.Fields(string(b[closed+1:])) // f[0] is field 3
	if len(f) < 20 {
		return Process{}, errors.New("unreadable process status")
	}
	p := Process{Name: string(b[open+1 : closed]), Stamp: BootID() + "/" + f[19]}
	p.PID, _ = strconv.Atoi(strings.TrimSpace(string(b[:open])))
	p.PPID, _ = strconv.Atoi(f[1])
	p.Group, _ = strconv.Atoi(f[2])
	// A main thread that called pthread_exit shows as Z while the others live on.
	p.Zombie = f[0] == "X" || f[0] == "Z" && (f[17] == "0" || f[17] == "1")
	return p, nil
}

func args(pid int) ([]string, error) { return zeros(pid, "cmdline") }

func environ(pid int) ([]string, error) { return zeros(pid, "environ") }

// zeros asks again where there is nothing yet: in the middle of an exec a process has neither arguments nor environment, and who is
// taken for a stranger then is missed by whoever ends a run.
func zeros(pid int, name string) ([]string, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/" + name
	b, err := readProc(path)
	for patience := 100; err == nil && len(b) == 0 && patience > 0; patience-- {
		waiting := inExec(pid) // looked at before the next reading, which may find that it is over
		if waiting {
			time.Sleep(time.Millisecond)
		}
		if b, err = readProc(path); !waiting {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return splitZeros(b), nil
}

// inExec says whether the kernel is still laying out the memory of a new program. Its own threads and zombies have no program at all.
func inExec(pid int) bool {
	const envEnd = 48 // field 51 of stat, which is written last
	b, err := readProc("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) <= envEnd || f[envEnd] != "0" {
		return false
	}
	_, err = os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return err == nil
}

// readProc is os.ReadFile without the netpoller and without asking for a size that /proc does not tell.
func readProc(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		if err == syscall.ENOENT || err == syscall.ESRCH {
			return nil, ErrGone
		}
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	b := make([]byte, 0, 1024)
	for {
		n, err := IgnoringEINTR(func() (int, error) { return syscall.Read(fd, b[len(b):cap(b)]) })
		if err == syscall.ESRCH {
			return nil, ErrGone
		}
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return b, nil
		}
		b = b[:len(b)+n]
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// Signal sends a signal to p if it is still that process: the pidfd is taken first and the stamp looked at through it, so
// that a reused PID cannot slip in between.
func Signal(p Process, sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err == unix.ESRCH || err == unix.EINVAL {
		return ErrGone
	}
	if err == nil {
		defer unix.Close(fd)
	}
	q, ferr := Find(p.PID)
	if ferr != nil || q.Stamp != p.Stamp {
		return ErrGone
	}
	if err != nil { // kernels before 5.3, and sandboxes that forbid it
		err = syscall.Kill(p.PID, sig)
	} else {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
	if err == unix.ESRCH {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("signalling process %d: %w", p.PID, err)
	}
	return nil
}

func boot() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

func PeerOf(fd int) (uid, pid int, err error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, 0, err
	}
	return int(c.Uid), int(c.Pid), nil
}

// handles gives the program of a process, and whether it catches the signal.
func handles(pid int, sig syscall.Signal) (exe string, catches bool, err error) {
	dir := "/proc/" + strconv.Itoa(pid)
	if exe, err = os.Readlink(dir + "/exe"); err != nil {
		return "", false, err
	}
	status, err := readProc(dir + "/status")
	return exe, err == nil && caught(string(status), sig), err
}

// noCore sets the limit to one byte: with 0 a core_pattern that is a pipe, as apport's and systemd's, would still be fed; 1 the kernel takes for
// "none, whatever the pattern is". A core that is a file is larger than either.
func noCore(p Process) error {
	if !Alive(p) {
		return ErrGone
	}
	var old unix.Rlimit
	if err := unix.Prlimit(p.PID, unix.RLIMIT_CORE, nil, &old); err != nil {
		return fmt.Errorf("reading the core limit of process %d: %w", p.PID, err)
	}
	none := unix.Rlimit{Cur: min(1, old.Max), Max: old.Max}
	if err := unix.Prlimit(p.PID, unix.RLIMIT_CORE, &none, nil); err != nil {
		return fmt.Errorf("setting the core limit of process %d: %w", p.PID, err)
	}
	return nil
}

package process

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

const clockTick = 10 * time.Millisecond // USER_HZ is 100 on every architecture that Go and Linux share

// family reads the tree from /proc/PID/task/*/children: a walk of the whole /proc every few seconds costs tens of milliseconds a minute.
func family(pid int) ([]member, error) {
	leader, err := readMember(pid)
	if err != nil {
		return nil, err
	}
	tree := []member{leader}
	for i := 0; i < len(tree) && len(tree) < 10_000; i++ {
		children, err := childMembers(tree[i])
		switch {
		case errors.Is(err, errNoChildrenFiles):
			return familyByWalk(pid)
		case errors.Is(err, proc.ErrGone):
			continue // it ended while we looked
		case err != nil:
			return nil, err
		}
		for _, c := range children {
			if !slices.ContainsFunc(tree, func(m member) bool { return m.PID == c.PID }) {
				c.depth = tree[i].depth + 1
				tree = append(tree, c)
			}
		}
	}
	return tree, nil
}

// familyByWalk serves kernels without CONFIG_PROC_CHILDREN.
func familyByWalk(pid int) ([]member, error) {
	all, err := proc.Processes()
	if err != nil {
		return nil, err
	}
	tree := treeOf(pid, all)
	if len(tree) == 0 {
		return nil, proc.ErrGone
	}
	for i := range tree {
		tree[i].cpu, _ = cpuTime(tree[i].PID)
	}
	return tree, nil
}

// childMembers looks again when a child or a thread ended during the look: the kernel's list then skips children that live, and a worker
// that was skipped would be taken for dead.
func childMembers(parent member) ([]member, error) {
	for range 5 {
		pids, whole, err := childPIDs(parent)
		if err != nil {
			return nil, err
		}
		members := make([]member, 0, len(pids))
		for _, child := range pids {
			m, err := readMember(child)
			if err != nil || m.PPID != parent.PID {
				whole = false
				continue
			}
			members = append(members, m)
		}
		if whole {
			return members, nil
		}
	}
	return nil, errUnstable
}

var errNoChildrenFiles = errors.New("this kernel lists no children")

// childPIDs gives the children that each thread of the process has; whole is false if a thread ended meanwhile. Of a process that had one
// thread when its status was read no other thread can have children that were there before.
func childPIDs(parent member) (pids []int, whole bool, err error) {
	dir := "/proc/" + strconv.Itoa(parent.PID) + "/task"
	threads := []string{strconv.Itoa(parent.PID)}
	if parent.threads != 1 {
		if threads, err = entries(dir); err != nil {
			return nil, false, err
		}
	} else if _, err := os.Lstat(dir); err != nil {
		return nil, false, proc.ErrGone
	}
	whole = true
	for _, thread := range threads {
		b, err := readSmallProc(dir + "/" + thread + "/children")
		if err != nil {
			if _, gone := os.Lstat(dir + "/" + thread); gone == nil && errors.Is(err, fs.ErrNotExist) {
				return nil, false, errNoChildrenFiles
			}
			whole = false
			continue
		}
		for _, word := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(word); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids, whole, nil
}

// entries are the names in a folder of /proc. os.ReadDir would try the netpoller first.
func entries(dir string) ([]string, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, proc.ErrGone
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	var names []string
	for buf := make([]byte, 4096); ; {
		n, err := proc.IgnoringEINTR(func() (int, error) { return unix.ReadDirent(fd, buf) })
		if err != nil {
			return nil, proc.ErrGone
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// readMember reads everything from one look at the status: this is done for every process of the tree at each look.
func readMember(pid int) (member, error) {
	b, err := readSmallProc("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return member{}, proc.ErrGone
	}
	p, err := proc.ParseStat(b)
	if err != nil {
		return member{}, err
	}
	cpu, err := parseCPU(b)
	return member{Process: p, cpu: cpu, threads: threadsIn(b)}, err
}

// threadsIn is field 20 of /proc/PID/stat, 0 if it cannot be read.
func threadsIn(stat []byte) int {
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // f[0] is field 3
	if len(f) < 18 {
		return 0
	}
	n, _ := strconv.Atoi(f[17])
	return n
}

func cpuTime(pid int) (time.Duration, error) {
	b, err := readSmallProc("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, proc.ErrGone
	}
	return parseCPU(b)
}

// parseCPU adds fields 14 to 17 of /proc/PID/stat: its own time in user and kernel mode, and that of children it has waited for.
func parseCPU(stat []byte) (time.Duration, error) {
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // f[0] is field 3
	if len(f) < 15 {
		return 0, errors.New("unreadable process status")
	}
	var ticks int64
	for _, s := range f[11:15] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, errors.New("unreadable process status")
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// age is how long the process has run; 0 if that is unknown.
func age(pid int) time.Duration {
	b, err := readSmallProc("/proc/" + strconv.Itoa(pid) + "/stat")
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var now unix.Timespec
	if err != nil || len(f) < 20 || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	ticks, _ := strconv.ParseInt(f[19], 10, 64)
	return time.Duration(now.Nano()) - time.Duration(ticks)*clockTick
}

// executable is the path of the program that the process runs, "" if it cannot be seen.
func executable(pid int) string {
	path, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return strings.TrimSuffix(filepath.Clean(path), " (deleted)") // after an upgrade of Python
}

// readSmallProc reads a file of /proc that the kernel writes in one go. os.ReadFile would try the netpoller first.
func readSmallProc(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 512)
	for {
		n, err := unix.Read(fd, b[len(b):cap(b)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return b, nil
		}
		b = slices.Grow(b[:len(b)+n], 512)
	}
}

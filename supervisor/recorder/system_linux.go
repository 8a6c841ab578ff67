package recorder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type linux struct{ proc string }

// Real is this machine.
func Real() System { return linux{proc: "/proc"} }

func (l linux) Catches(pid int, s syscall.Signal) (bool, error) {
	text, err := os.ReadFile(filepath.Join(l.proc, strconv.Itoa(pid), "status"))
	if err != nil {
		return false, fmt.Errorf("asking which signals process %d catches: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		if mask, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			if err != nil || s < 1 || s > 64 {
				break
			}
			return bits>>(uint(s)-1)&1 == 1, nil
		}
	}
	return false, fmt.Errorf("asking which signals process %d catches: it is not told", pid)
}

// Threads takes the nanoseconds of schedstat: the ticks of stat would hide a thread that ran for a few milliseconds.
func (l linux) Threads(pid int) (map[int]ThreadUse, error) {
	top := filepath.Join(l.proc, strconv.Itoa(pid), "task")
	tasks, err := os.ReadDir(top)
	if err != nil {
		return nil, fmt.Errorf("asking for the threads of process %d: %w", pid, err)
	}
	use := make(map[int]ThreadUse, len(tasks))
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(top, t.Name(), "schedstat"))
		if err == nil {
			var state byte
			state, err = l.state(filepath.Join(top, t.Name()))
			if field := strings.Fields(string(text)); err == nil && len(field) > 1 {
				var ran, waited int64
				ran, err = strconv.ParseInt(field[0], 10, 64)
				waited, _ = strconv.ParseInt(field[1], 10, 64)
				use[tid] = ThreadUse{CPU: time.Duration(ran), Waited: time.Duration(max(0, waited)), Running: state == 'R'}
			}
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) || os.IsNotExist(err) && exists(filepath.Join(top, t.Name())) {
			return nil, fmt.Errorf("asking for the threads of process %d: %w", pid, err)
		}
	}
	return use, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// state is the letter after the name, which stands in brackets and may hold any.
func (l linux) state(dir string) (byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0, err
	}
	i := strings.LastIndexByte(string(text), ')')
	if i < 0 || i+2 >= len(text) {
		return 0, errors.New("unreadable process status")
	}
	return text[i+2], nil
}

func (l linux) Stopped(pid int) (bool, error) {
	s, err := l.state(filepath.Join(l.proc, strconv.Itoa(pid)))
	if err != nil {
		return false, fmt.Errorf("asking whether process %d is stopped: %w", pid, err)
	}
	return s == 'T' || s == 't', nil
}

func (l linux) Holds(pid, fd int, file os.FileInfo) (bool, error) {
	info, err := os.Stat(filepath.Join(l.proc, strconv.Itoa(pid), "fd", strconv.Itoa(fd)))
	if err != nil {
		return false, fmt.Errorf("asking for descriptor %d of process %d: %w", fd, pid, err)
	}
	return os.SameFile(info, file), nil
}

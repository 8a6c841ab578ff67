package stall

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func stateOf(pid int) (State, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", fmt.Errorf("asking for the state of process %d: %w", pid, err)
	}
	i := strings.LastIndexByte(string(text), ')') // the name may hold any character
	if i < 0 || i+2 >= len(text) {
		return "", errors.New("unreadable process status")
	}
	switch text[i+2] {
	case 'R':
		return Running, nil
	case 'D':
		return Disk, nil
	case 'T':
		return Stopped, nil
	case 't':
		return Traced, nil
	}
	return Sleeping, nil
}

func peers(pid int) ([]string, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	entries, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return nil, fmt.Errorf("asking for the connections of process %d: %w", pid, err)
	}
	sockets := map[string]bool{}
	for _, e := range entries {
		name, _ := os.Readlink(filepath.Join(dir, "fd", e.Name()))
		if inode, ok := strings.CutPrefix(name, "socket:["); ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var all []tcp
	for _, family := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(dir, "net", family))
		if err != nil {
			continue
		}
		all = append(all, parseTCP(f)...)
		f.Close()
	}
	found := outgoing(all, func(inode string) bool { return sockets[inode] })
	slices.Sort(found)
	return found, nil
}

func shortMemory(pid int) string { return memoryAt("/", pid).words() }

// memoryAt reads below a root. The pressure is that of the process's own control group, where it has one: a limit of a container is felt there.
func memoryAt(root string, pid int) memory {
	dir := filepath.Join(root, "proc", strconv.Itoa(pid))
	var m memory
	m.swapped = parseKilobytes(small(filepath.Join(dir, "status")), "VmSwap")
	info := small(filepath.Join(root, "proc/meminfo"))
	m.total, m.available = parseKilobytes(info, "MemTotal"), parseKilobytes(info, "MemAvailable")
	m.waiting = parsePressure(small(filepath.Join(root, "proc/pressure/memory")))
	if group := cgroupOf(small(filepath.Join(dir, "cgroup"))); group != "" {
		m.waiting = max(m.waiting, parsePressure(small(filepath.Join(root, "sys/fs/cgroup", group, "memory.pressure"))))
	}
	return m
}

// small is the text of a small file of the system, "" if it cannot be read.
func small(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return ""
	}
	return string(text)
}

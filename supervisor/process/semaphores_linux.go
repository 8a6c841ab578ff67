package process

import (
	"bytes"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	sharedMemory    = "/dev/shm"
	semaphorePrefix = "sem."
)

func listSemaphores() map[string]time.Time {
	return semaphoresIn(sharedMemory, uint32(os.Getuid()))
}

// semaphoresIn is never nil: nil says that nobody looked.
func semaphoresIn(dir string, uid uint32) map[string]time.Time {
	all := map[string]time.Time{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return all
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), semaphorePrefix) || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // just unlinked
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid == uid {
			all[e.Name()] = info.ModTime()
		}
	}
	return all
}

func abandoned(names []string) []string {
	inodes := map[string]uint64{}
	for _, n := range names {
		var st syscall.Stat_t
		if syscall.Lstat(filepath.Join(sharedMemory, n), &st) == nil && st.Uid == uint32(os.Getuid()) {
			inodes[n] = st.Ino
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	held := heldSemaphores("/proc")
	var left []string
	for n, inode := range inodes {
		if !held[inode] {
			left = append(left, n)
		}
	}
	sort.Strings(left)
	return left
}

// heldSemaphores are the inodes of those that some process has mapped. Names do not serve: glibc maps a new semaphore under a
// temporary name, links it to its own and unlinks the first, so its maker's map reads "/dev/shm/sem.a1B2c3 (deleted)" for ever. Maps of
// other users' processes cannot be read; they hold nothing of ours.
func heldSemaphores(proc string) map[uint64]bool {
	held := map[uint64]bool{}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return held
	}
	mark := []byte(" " + filepath.Join(sharedMemory, semaphorePrefix))
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		maps, err := os.ReadFile(filepath.Join(proc, e.Name(), "maps"))
		if err != nil || !bytes.Contains(maps, mark) {
			continue
		}
		for _, line := range bytes.Split(maps, []byte("\n")) {
			f := bytes.Fields(line) // address, permissions, offset, device, inode, path
			if len(f) < 6 || !bytes.Contains(line, mark) {
				continue
			}
			if inode, err := strconv.ParseUint(string(f[4]), 10, 64); err == nil {
				held[inode] = true
			}
		}
	}
	return held
}

package process

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// Leftovers are the paths of what dead processes of this user left in shared memory: named semaphores that nobody has open any more, and
// the marks by which LLVM's OpenMP finds a second copy of itself, which an abort leaves behind. Where shared memory has no folder (macOS) there
// are none to be seen.
func Leftovers() []string {
	var all []string
	var names []string
	for name := range Semaphores() {
		if strings.HasPrefix(name, "sem.mp-") || strings.HasPrefix(name, "sem.loky-") { // Python's own: others may be meant to stay
			names = append(names, name)
		}
	}
	for _, name := range Abandoned(names) {
		all = append(all, filepath.Join(sharedFolder, name))
	}
	all = append(all, openMPMarks(sharedFolder, os.Getuid(), func(pid int) bool {
		_, err := proc.Find(pid)
		return !errors.Is(err, proc.ErrGone) // what cannot be seen may live
	})...)
	slices.Sort(all)
	return all
}

const sharedFolder = "/dev/shm"

// openMPMarks are those of processes that are dead. A PID may be somebody else's by now: then its mark stays, which costs a page of memory.
func openMPMarks(folder string, uid int, alive func(pid int) bool) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), "__KMP_REGISTERED_LIB_") // and "<pid>_<uid>"; older runtimes leave the user out
		number, user, _ := strings.Cut(rest, "_")
		pid, err := strconv.Atoi(number)
		if !ok || err != nil || pid <= 0 || user != "" && user != strconv.Itoa(uid) || !e.Type().IsRegular() || alive(pid) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid {
			all = append(all, filepath.Join(folder, e.Name()))
		}
	}
	return all
}

// Clean removes what Leftovers finds at this moment, and returns what it removed.
func Clean() ([]string, error) {
	var removed []string
	var failed []error
	for _, path := range Leftovers() {
		switch err := os.Remove(path); {
		case err == nil:
			removed = append(removed, path)
		case !errors.Is(err, fs.ErrNotExist):
			failed = append(failed, err)
		}
	}
	return removed, errors.Join(failed...)
}

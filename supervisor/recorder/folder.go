package recorder

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The files of a process in its run's folder, after its PID.
const (
	stacksSuffix     = ".stacks"
	exceptionsSuffix = ".exceptions"
)

// mostFiles of a run are kept when its folder is swept; the Python file writes none where there are 512.
const mostFiles = 256

// Prepare makes the backend's folder of recordings. Without it the recorder is silent.
func Prepare(runs string) error {
	if err := ownFolder(runs); err != nil {
		return fmt.Errorf("preparing the folder of recordings: %w", err)
	}
	return nil
}

// RunFolder is where the processes of a run write. It is empty for an ID that is none.
func RunFolder(runs, run string) string {
	if len(run) == 0 || len(run) > 64 || strings.Trim(run, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return filepath.Join(runs, run)
}

// Sweep removes the recordings of all runs but those that keep names.
func Sweep(runs string, keep func(run string) bool) error {
	entries, err := os.ReadDir(runs)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweeping recordings: %w", err)
	}
	for _, e := range entries {
		if folder := RunFolder(runs, e.Name()); folder != "" && e.IsDir() && !keep(e.Name()) {
			remove(folder)
		}
	}
	return nil
}

// Tidy removes what processes that are gone left in the folder of a run that goes on, once there are many: a server may start Python for every
// request. The exceptions of the last ones stay as long as there is room.
func Tidy(folder string, lives func(pid int) bool) error {
	entries, err := os.ReadDir(folder)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweeping a run's recordings: %w", err)
	}
	left := len(entries)
	for _, suffix := range []string{stacksSuffix, exceptionsSuffix} {
		for _, e := range entries {
			pid, err := strconv.Atoi(strings.TrimSuffix(e.Name(), suffix))
			if err != nil || pid <= 0 || !strings.HasSuffix(e.Name(), suffix) || left <= mostFiles || lives(pid) {
				continue
			}
			if err := os.Remove(filepath.Join(folder, e.Name())); err == nil {
				left--
			}
		}
	}
	return nil
}

// mine says whether a file belongs to this user.
func mine(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// open opens a file of a process, if it is a plain file of this user. A server could have put anything there.
func open(path string, how int) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(path, how|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || !mine(info)) {
		err = fmt.Errorf("%s is not a file of this user", path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

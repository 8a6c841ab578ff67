package recorder

import (
	"path/filepath"
	"syscall"
)

// Runs is the folder of recordings below a backend's folder in the state folder.
func Runs(backend string) string { return filepath.Join(backend, "recordings") }

// Reached says whether the recorder is in a process and can be asked: ErrNoRecorder or ErrNotHeard if not. It sends nothing. A program that took
// the signal with a handler of its own looks as if it listened.
func Reached(folder string, t Target, system System) error {
	if _, _, err := (Asker{Folder: folder}).find(t); err != nil {
		return err
	}
	if caught, err := system.Catches(t.PID, syscall.SIGURG); err == nil && !caught {
		return ErrNotHeard
	}
	return nil
}

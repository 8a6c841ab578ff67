// Package recorder is the few lines of Python that Vivarium brings into a server, and what reads back what they write: the stacks of all
// threads, on request, and uncaught exceptions. It places the file, adds to the environment, asks a process for its stacks, and says when a
// recorded exception is evidence for why a process ended. It knows nothing of backends, supervision, verdicts and stalls, and whom it may
// signal is handed in. Begin with Place, Environ and Asker.Ask.
package recorder

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Names of the environment that the Python file reads.
const (
	FolderVariable = "VIVARIUM_RECORDER" // the backend's folder of recordings
	runVariable    = "VIVARIUM_RUN"      // the run's ID, which the keeper makes
)

const fileName = "sitecustomize.py"

//go:embed sitecustomize.py
var early string

//go:embed late.py
var late string

// Source is the whole Python file.
func Source() string { return strings.Replace(early, "@late@\n", late, 1) }

// ErrColon says that there can be no recorder: PYTHONPATH separates its folders by colons.
var ErrColon = errors.New("the state folder has a colon in its path, which PYTHONPATH cannot hold")

// Place writes the Python file below the state folder, if it is not there as it should be, and gives the folder that belongs in PYTHONPATH. It
// is called before each start: whoever could change the file would run code in every server. Folders of other versions stay, because a
// server that runs may still start workers with them.
func Place(state string) (string, error) {
	if strings.Contains(state, ":") {
		return "", ErrColon
	}
	source := Source()
	sum := sha256.Sum256([]byte(source))
	top := filepath.Join(state, "recorder")
	if err := ownFolder(top); err != nil {
		return "", fmt.Errorf("placing the recorder: %w", err)
	}
	folder := filepath.Join(top, hex.EncodeToString(sum[:6]))
	if sound(folder, sum) {
		return folder, nil
	}
	if err := replace(top, folder, source); err != nil {
		return "", fmt.Errorf("placing the recorder: %w", err)
	}
	if !sound(folder, sum) {
		return "", fmt.Errorf("placing the recorder: %s is not as it was written", folder)
	}
	return folder, nil
}

// ownFolder makes a folder of ours that nobody else can write to.
func ownFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() || !mine(info) {
		return fmt.Errorf("%s is not a folder of this user", path)
	}
	if info.Mode().Perm() != 0o700 {
		return os.Chmod(path, 0o700)
	}
	return nil
}

// sound says whether the folder holds our file, its very bytes, and nothing else. Python writes its __pycache__ into the folder where root runs
// it, and what lies there would be executed in place of the file that is compared here.
func sound(folder string, sum [sha256.Size]byte) bool {
	info, err := os.Lstat(folder)
	if err != nil || !info.IsDir() || !mine(info) || info.Mode().Perm() != 0o500 {
		return false
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != fileName {
		return false
	}
	path := filepath.Join(folder, fileName)
	if info, err = os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 || !mine(info) || info.Mode().Perm() != 0o400 {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && sha256.Sum256(text) == sum
}

// replace puts the folder in place in one step, because another process may be starting a server from it.
func replace(top, folder, source string) error {
	fresh, err := os.MkdirTemp(top, ".new-")
	if err != nil {
		return err
	}
	defer remove(fresh)
	if err := os.WriteFile(filepath.Join(fresh, fileName), []byte(source), 0o400); err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o500); err != nil {
		return err
	}
	if _, err := os.Lstat(folder); err == nil {
		old, err := os.MkdirTemp(top, ".old-")
		if err != nil {
			return err
		}
		defer remove(old)
		// macOS refuses to move a folder that its owner may not write to, because its ".." would change.
		_ = os.Chmod(folder, 0o700)
		if err := os.Rename(folder, filepath.Join(old, "it")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	err = os.Rename(fresh, folder)
	if errors.Is(err, fs.ErrExist) { // another Vivarium was faster
		return nil
	}
	return err
}

// remove removes a folder of ours, whose folders may be read-only.
func remove(folder string) {
	_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(folder)
}

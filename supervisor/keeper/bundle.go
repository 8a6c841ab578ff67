package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// On a Mac the keeper is a small bundle of its own, for the sake of who it is: when the app has quit it is the keeper whom macOS holds
// to account for a server, and asks a person about. A plain copy named by its content would be a stranger with an odd name after each
// update. The bundle has one place, one identifier and the texts to ask with; what it is made of was signed when the app was built.

// What a bundle is copied up to. Ours has three files and about ten megabytes.
const (
	maxBundleFiles = 32
	maxBundleSize  = 64 << 20
)

// Folders beside the installed bundle: one that is being written, and one that a keeper still runs from.
const (
	newPrefix = ".new-"
	oldPrefix = ".old-"
	newAge    = time.Hour // what is older was left behind by a process that was killed
)

// bundleOf is the bundle whose main program exe is, on a system that has such.
func bundleOf(goos, exe string) (bundle string, ok bool) {
	programs := filepath.Dir(exe)
	contents := filepath.Dir(programs)
	bundle = filepath.Dir(contents)
	ok = goos == "darwin" && filepath.Base(programs) == "MacOS" && filepath.Base(contents) == "Contents" && strings.HasSuffix(bundle, ".app")
	return bundle, ok
}

// file is one of a bundle.
type file struct {
	content []byte
	runs    bool
}

// readBundle reads all files of a bundle by their path in it. own demands that nobody but this user can change them.
func readBundle(bundle string, own bool) (map[string]file, error) {
	files, size := map[string]file{}, int64(0)
	err := filepath.WalkDir(bundle, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		if own && !onlyOurs(st) {
			return fmt.Errorf("others can change %s", path)
		}
		if d.IsDir() {
			return nil
		}
		if size += st.Size(); !d.Type().IsRegular() || len(files) == maxBundleFiles || size > maxBundleSize {
			return fmt.Errorf("%s does not belong in a bundle of a keeper", path)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(bundle, path)
		files[below] = file{content, st.Mode().Perm()&0o100 != 0}
		return err
	})
	return files, err
}

func onlyOurs(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == os.Getuid() && st.Mode().Perm()&0o022 == 0
}

func sameFiles(a, b map[string]file) bool {
	for name, f := range a {
		if g, ok := b[name]; !ok || f.runs != g.runs || !bytes.Equal(f.content, g.content) {
			return false
		}
	}
	return len(a) == len(b)
}

// installBundle copies the bundle of exe into bin, under its own name, and returns the copy of exe. A copy that is there is used only if it
// is the same to the byte and nobody else can change it. Another one, as that of another version, makes way in one step: there is never
// half a bundle at its place, nor none.
func installBundle(bundle, exe, bin string) (string, error) {
	files, err := readBundle(bundle, false)
	if err != nil {
		return "", fmt.Errorf("reading the keeper's bundle: %w", err)
	}
	within, err := filepath.Rel(bundle, exe)
	if err != nil {
		return "", err
	}
	place := filepath.Join(bin, filepath.Base(bundle))
	program := filepath.Join(place, within)
	if there, err := readBundle(place, true); err == nil && sameFiles(files, there) {
		return program, nil
	}
	if err := safefile.Folder(bin); err != nil {
		return "", err
	}
	stage, err := os.MkdirTemp(bin, newPrefix)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(stage)
	made := filepath.Join(stage, filepath.Base(bundle))
	if err := writeBundle(made, files); err != nil {
		return "", fmt.Errorf("copying the keeper's bundle: %w", err)
	}
	if err := swapIn(made, place, exchange); err != nil {
		return "", fmt.Errorf("replacing the keeper's bundle: %w", err)
	}
	if _, err := os.Lstat(made); err == nil { // the former one: a keeper may run from it
		return program, os.Rename(stage, filepath.Join(bin, oldPrefix+strings.TrimPrefix(filepath.Base(stage), newPrefix)))
	}
	return program, nil
}

func writeBundle(bundle string, files map[string]file) error {
	syscall.ForkLock.RLock() // a child forked now would hold a file open for writing, and it could not be executed
	defer syscall.ForkLock.RUnlock()
	for name, f := range files {
		path := filepath.Join(bundle, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if f.runs {
			mode = 0o700
		}
		if err := os.WriteFile(path, f.content, mode); err != nil {
			return err
		}
	}
	return nil
}

// swapIn puts made at place. What was there before is at made afterwards.
func swapIn(made, place string, exchange func(a, b string) error) error {
	err := exchange(made, place)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) { // a file system that cannot exchange: the two steps between which there is none
		aside := made + ".former"
		if err := os.Rename(place, aside); err != nil {
			return err
		}
		if err := os.Rename(made, place); err != nil {
			return errors.Join(err, os.Rename(aside, place))
		}
		return os.Rename(aside, made)
	}
	return os.Rename(made, place)
}

// removeFormer removes the bundles that were replaced and that no keeper runs from: each holds a shared lock on its own program.
func removeFormer(bin string, now time.Time) {
	former, _ := filepath.Glob(filepath.Join(bin, oldPrefix+"*"))
	for _, dir := range former {
		if !inUse(dir) {
			os.RemoveAll(dir)
		}
	}
	stages, _ := filepath.Glob(filepath.Join(bin, newPrefix+"*"))
	for _, path := range stages {
		if st, err := os.Lstat(path); err == nil && now.Sub(st.ModTime()) > newAge {
			os.RemoveAll(path)
		}
	}
}

// inUse: somebody runs a program of a bundle in dir.
func inUse(dir string) bool {
	programs, _ := filepath.Glob(filepath.Join(dir, "*.app", "Contents", "MacOS", "*"))
	for _, path := range programs {
		f, err := os.Open(path)
		if err != nil {
			return true // not ours to judge
		}
		err = flock(f, syscall.LOCK_EX)
		f.Close()
		if err != nil {
			return true
		}
	}
	return false
}

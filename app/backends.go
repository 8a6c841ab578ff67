package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	backendsFile     = "backends.json"
	maxBackendsBytes = 1 << 20         // more is not a list that we wrote
	listLockTime     = 5 * time.Second // how long to wait for another program that changes the list
)

// Backends is the list of registered backends, a file that several programs read and change. Its order is the menu's. A folder
// that vanished stays in it, until a person removes it: it may be on a disk that comes back.
type Backends struct {
	Path   string           // of backends.json
	Broken *BrokenListError // what OpenBackends found instead of a list, and put aside; nil: nothing
}

// BrokenListError: the list could not be understood. It was put aside, and a new one begins empty.
type BrokenListError struct {
	File, Aside string
	Err         error
}

func (e *BrokenListError) Error() string {
	return fmt.Sprintf("%s is not a list of backends (%v); it is kept as %s", e.File, e.Err, filepath.Base(e.Aside))
}

// Unwrap gives what is wrong with the file.
func (e *BrokenListError) Unwrap() error { return e.Err }

// OpenBackends is the list in a state folder. A broken one is no error: it is put aside, and Broken says so, because an app that
// does not start cannot tell anybody.
func OpenBackends(state string) (*Backends, error) {
	b := &Backends{Path: filepath.Join(state, backendsFile)}
	if _, err := b.List(); err != nil && !errors.As(err, &b.Broken) {
		return nil, err
	}
	return b, nil
}

// All is List for who can do nothing about an error.
func (b *Backends) All() []string {
	list, _ := b.List()
	return list
}

// backendList is what is in the file.
type backendList struct {
	Backends []string `json:"backends"` // absolute folders, links resolved
}

// List gives the registered folders in their order; without a file there are none. A file that is no list is put aside, and the
// error is a *BrokenListError: the next call finds an empty list.
func (b *Backends) List() ([]string, error) {
	list, err := b.read()
	var garbage *BrokenListError
	if !errors.As(err, &garbage) {
		return list, err
	}
	unlock, lerr := b.lock()
	if lerr != nil {
		return nil, lerr
	}
	defer unlock()
	if list, err = b.read(); !errors.As(err, &garbage) { // somebody else mended it meanwhile
		return list, err
	}
	if garbage.Aside, err = b.putAside(); err != nil {
		return nil, fmt.Errorf("putting the broken %s aside: %w", b.Path, err)
	}
	return nil, garbage
}

// Add registers the folder, at the end. One that is registered already stays where it is.
func (b *Backends) Add(dir string) error {
	real, err := setup.RealFolder(dir)
	if err != nil {
		return err
	}
	return b.change(func(list []string) []string {
		if slices.Contains(list, real) {
			return list
		}
		return append(list, real)
	})
}

// Remove takes the folder off the list. The folder itself is not touched; it need not exist.
func (b *Backends) Remove(dir string) error {
	names := []string{filepath.Clean(dir)}
	if abs, err := filepath.Abs(dir); err == nil {
		names = append(names, abs)
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		if abs, err := filepath.Abs(real); err == nil {
			names = append(names, abs)
		}
	}
	return b.change(func(list []string) []string {
		return slices.DeleteFunc(list, func(d string) bool { return slices.Contains(names, d) })
	})
}

// change rewrites the list while no other program does.
func (b *Backends) change(f func([]string) []string) error {
	if err := safefile.Folder(filepath.Dir(b.Path)); err != nil {
		return fmt.Errorf("making the state folder: %w", err)
	}
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	list, err := b.read()
	var garbage *BrokenListError
	if errors.As(err, &garbage) {
		if _, err = b.putAside(); err != nil {
			return fmt.Errorf("putting the broken %s aside: %w", b.Path, err)
		}
	} else if err != nil {
		return err
	}
	before := slices.Clone(list)
	list = f(list)
	if slices.Equal(before, list) && garbage == nil {
		return nil
	}
	return b.write(list)
}

func (b *Backends) lock() (unlock func(), err error) {
	deadline := time.Now().Add(listLockTime)
	for {
		f, err := keeper.Lock(b.Path + ".lock")
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, keeper.ErrLocked) || time.Now().After(deadline) {
			return nil, fmt.Errorf("changing the list of backends: %w", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (b *Backends) read() ([]string, error) {
	f, err := safefile.Open(b.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the list of backends: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBackendsBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the list of backends: %w", err)
	}
	if len(text) > maxBackendsBytes {
		return nil, &BrokenListError{File: b.Path, Err: errors.New("it is far too large")}
	}
	var l backendList
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, &BrokenListError{File: b.Path, Err: err}
	}
	var list []string
	for _, dir := range l.Backends {
		if !filepath.IsAbs(dir) {
			return nil, &BrokenListError{File: b.Path, Err: fmt.Errorf("%q is not an absolute folder", dir)}
		}
		if dir = filepath.Clean(dir); !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	return list, nil
}

// putAside renames the file so that nothing in it is lost, not even what was put aside before.
func (b *Backends) putAside() (string, error) {
	aside := b.Path + ".broken"
	for i := 2; desktop.Exists(aside); i++ {
		aside = fmt.Sprintf("%s.broken-%d", b.Path, i)
	}
	return aside, os.Rename(b.Path, aside)
}

func (b *Backends) write(list []string) error {
	text, err := json.MarshalIndent(backendList{Backends: append([]string{}, list...)}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the list of backends: %w", err)
	}
	if err := desktop.WriteWhole(b.Path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the list of backends: %w", err)
	}
	return nil
}

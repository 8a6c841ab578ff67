package cure

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// A cure keeps what it replaces in a folder of the environment itself: there a hard link can be made, so that the original stays the
// very same file, to the last attribute, and there it is found by whoever has the environment.
//
//	<root>/.vivarium-openmp/lock           flock, held while anything is changed
//	<root>/.vivarium-openmp/manifest.json  what was replaced by what; written before the first change, removed after the last
//	<root>/.vivarium-openmp/0-libomp.dylib the originals, numbered as in the manifest
//
// At every moment either the original or the link stands in its place: the original gets a second name in the folder, the link is made
// under a name of its own, and one rename puts it over the original. Undo renames the original back over the link.
//
// The environment may come from elsewhere, and somebody may change it meanwhile. So every path is resolved by an os.Root, which nothing
// leads out of; the folder is looked at again before each step; a new file is made with O_EXCL; and only what the manifest names is removed.
const (
	storeFolder  = ".vivarium-openmp"
	lockName     = "lock"
	manifestName = "manifest.json"
	newSuffix    = ".vivarium-new" // of a link that is about to be renamed into place
	maxLibrary   = 1 << 30         // bytes of a library that is hashed; the largest real ones have a third of it
)

// store is the folder of one environment.
type store struct {
	name   string // the environment's path, links resolved, for messages
	root   *os.Root
	folder fs.FileInfo // as it was found; nil: it is not there
	lock   *os.File
	hook   func(what string) // before each change on disk; tests stop there
}

// lookAtStore opens an environment and changes nothing. What is in the place of the store's folder must be one, and this user's alone.
func lookAtStore(root string) (*store, error) {
	name, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("opening the environment: %w", err)
	}
	s := &store{name: name, hook: func(string) {}}
	if s.root, err = os.OpenRoot(name); err != nil {
		return nil, fmt.Errorf("opening the environment: %w", err)
	}
	if s.folder, err = s.find(); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// find looks for the folder.
func (s *store) find() (fs.FileInfo, error) {
	path := s.path(storeFolder)
	st, err := s.root.Lstat(storeFolder)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, &Error{path + " is not a folder, and so not what a cure has made", "look at what it is, and remove it"}
	}
	var unsafe *safefile.OwnerError
	if err := safefile.CheckInfo(path, st); errors.As(err, &unsafe) {
		return nil, &Error{path + " " + unsafe.Problem, "look at what is in it; run this as its owner, and take others' right to write to it away"}
	} else if err != nil {
		return nil, err
	}
	return st, nil
}

// openStore makes the folder where it is missing, and locks it.
func openStore(root string, hook func(string)) (*store, error) {
	s, err := lookAtStore(root)
	if err != nil {
		return nil, err
	}
	if hook != nil {
		s.hook = hook
	}
	if err := s.take(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *store) take() error {
	st, err := s.root.Stat(".")
	if err != nil {
		return fmt.Errorf("opening the environment: %w", err)
	}
	if uid, ok := ownerOf(st); !ok || uid != os.Getuid() {
		return &Error{fmt.Sprintf("%s belongs to another user (%d)", s.name, uid), "run this as that user"}
	}
	s.hook("make the folder")
	if err := s.root.Mkdir(storeFolder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making a folder for the originals: %w", err)
	}
	if s.folder, err = s.find(); err != nil {
		return err
	}
	if err := s.step("open the lock"); err != nil {
		return err
	}
	if s.lock, err = s.openLock(); err != nil {
		return fmt.Errorf("locking the environment: %w", err)
	}
	err = syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &Error{"another Vivarium is changing " + s.name + " at this moment", "wait until it is done"}
	}
	return err
}

// openLock makes the file, or opens the one that is there if it is a file and no link.
func (s *store) openLock() (*os.File, error) {
	name := in(lockName)
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	before, err := s.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, &Error{s.path(name) + " is not a regular file, and so not what a cure has made", "look at what it is, and remove it"}
	}
	if f, err = s.root.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0); err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(before, now) {
		f.Close()
		return nil, errors.Join(s.disturbed(), err)
	}
	return f, nil
}

func (s *store) close() {
	if s.lock != nil {
		_ = s.lock.Close()
	}
	_ = s.root.Close()
}

// step comes before each change: the folder must still be the one that was opened.
func (s *store) step(what string) error {
	s.hook(what)
	if now, err := s.root.Lstat(storeFolder); err != nil || !now.IsDir() || !os.SameFile(now, s.folder) {
		return s.disturbed()
	}
	return nil
}

func (s *store) disturbed() error {
	return &Error{"somebody else changes " + s.path(storeFolder) + " at this moment", "look at what is in it, and try again"}
}

// path is where a name relative to the environment lies, for messages.
func (s *store) path(rel string) string { return filepath.Join(s.name, rel) }

// in is the name of a file in the folder, relative to the environment.
func in(name string) string { return filepath.Join(storeFolder, name) }

// isLink: a symbolic link is at the path. A path that leads out of the environment is an error, one that leads nowhere is not.
func (s *store) isLink(rel string) (bool, error) {
	st, err := s.root.Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", s.path(rel), reasonOf(err))
	}
	return st.Mode().Type() == fs.ModeSymlink, nil
}

// stands: the link is in its place, and the original in the folder.
func (s *store) stands(r replaced) (bool, error) {
	if link, err := s.isLink(r.Path); err != nil || !link {
		return false, err
	}
	return s.isWhole(r), nil
}

// isWhole: the original is in the folder, and what it was.
func (s *store) isWhole(r replaced) bool {
	sum, st, err := s.hash(in(r.Original))
	if err != nil || sum != r.Hash {
		return false
	}
	now, err := s.root.Lstat(in(r.Original))
	return err == nil && os.SameFile(now, st) // no link to it
}

// damaged says that a link stands whose original is not what it was; nil: it is, or there is no link.
func (s *store) damaged(r replaced) error {
	link, err := s.isLink(r.Path)
	if err != nil || !link || s.isWhole(r) {
		return err
	}
	return fmt.Errorf("restoring %s: its original in %s is damaged: reinstall %s", s.path(r.Path), s.path(storeFolder), r.Package)
}

// hash reads a file for its SHA-256 in hex.
func (s *store) hash(rel string) (string, fs.FileInfo, error) {
	f, err := safefile.OpenIn(s.root, rel)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	if st.Size() > maxLibrary {
		return "", nil, &safefile.SizeError{Path: s.path(rel), Limit: maxLibrary}
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, maxLibrary)); err != nil {
		return "", nil, err
	}
	return hex.EncodeToString(sum.Sum(nil)), st, nil
}

// remove removes a file or a link of this kind; what is of another kind was not made by a cure, and is an error. Nothing there is none.
func (s *store) remove(rel string, kind fs.FileMode) error {
	st, err := s.root.Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode().Type() != kind {
		return fmt.Errorf("%s is in the way: no cure has made it", s.path(rel))
	}
	if err := s.root.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *store) sync(folder string) error {
	f, err := s.root.OpenFile(folder, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func ownerOf(st fs.FileInfo) (int, bool) {
	s, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	return int(s.Uid), true
}

// reasonOf is what the system says, without a path that is said already.
func reasonOf(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func orChanged(err error) error {
	if err == nil {
		return errors.New("its content has changed")
	}
	return err
}

package openmp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
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
const (
	storeFolder  = ".vivarium-openmp"
	lockName     = "lock"
	manifestName = "manifest.json"
	newSuffix    = ".vivarium-new" // of a link that is about to be renamed into place
)

// manifest is the content of manifest.json. Its paths are relative to the environment's root, so that the environment may be moved.
type manifest struct {
	Version int        `json:"v"`
	At      time.Time  `json:"at"`
	Keep    keptFile   `json:"keep"`
	Links   []replaced `json:"links"`
}

// keptFile is the one that stays, as it looked when it was proven to fit.
type keptFile struct {
	Path    string    `json:"path"`
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mod_time"`
	Hash    string    `json:"hash"`
	Package string    `json:"package,omitempty"`
}

// replaced is one link, and what stood in its place.
type replaced struct {
	Path     string `json:"path"`
	Target   string `json:"target"`
	Original string `json:"original"` // its name in the folder
	Hash     string `json:"hash"`
	Package  string `json:"package,omitempty"`
}

// store is the folder of one environment, locked.
type store struct {
	root, dir string
	lock      *os.File
	step      func(what string) // before each change on disk; tests stop there
}

// Apply carries out the plan. What an interrupted Apply left is finished, or replaced by this plan. It is safe to be killed at any
// moment. An error leaves a working environment, too: Undo takes back what was done. With nothing to link it writes down, where there was a
// cure before, that what stays has been looked at anew.
func (c Cure) Apply() error { return c.apply(nil) }

func (c Cure) apply(step func(string)) error {
	if len(c.Links) == 0 && !cured(c.Root) {
		return nil
	}
	s, err := openStore(c.Root, step)
	if err != nil {
		return err
	}
	defer s.close()
	old, err := s.load()
	if err != nil {
		return err
	}
	m, err := s.plan(c, old)
	if err != nil {
		return err
	}
	if err := s.save(m); err != nil {
		return err
	}
	for _, r := range m.Links {
		if err := s.link(r); err != nil {
			return err
		}
	}
	return s.sweep(m)
}

// plan is the manifest of the cure, with the links of an earlier one that still stand.
func (s *store) plan(c Cure, old manifest) (manifest, error) {
	m := manifest{Version: 1, At: time.Now().UTC().Truncate(time.Second)}
	kept, err := s.describe(c.Keep)
	if err != nil {
		return m, err
	}
	m.Keep = kept
	used := map[string]bool{}
	for _, r := range old.Links {
		used[r.Original] = true
		if s.stands(r) { // its original is the only one there is
			target, err := filepath.Rel(filepath.Dir(s.path(r.Path)), c.Keep.Real)
			if err != nil {
				return m, fmt.Errorf("curing %s: %w", r.Path, err)
			}
			r.Target = target
			m.Links = append(m.Links, r)
		} else if err := s.damaged(r); err != nil { // to go on would sweep away what is left of it
			return m, err
		}
	}
	for _, l := range c.Links {
		rel, err := filepath.Rel(s.root, l.Path)
		if err != nil || !filepath.IsLocal(rel) {
			return m, fmt.Errorf("curing %s: it does not lie in %s", l.Path, s.root)
		}
		r := replaced{Path: rel, Target: l.Target, Hash: l.Hash, Package: l.Package}
		for n := len(m.Links); r.Original == "" || used[r.Original]; n++ {
			r.Original = fmt.Sprintf("%d-%s", n, filepath.Base(rel))
		}
		used[r.Original] = true
		m.Links = append(m.Links, r)
	}
	return m, nil
}

func (s *store) describe(keep Runtime) (keptFile, error) {
	st, err := os.Stat(keep.Real)
	if err != nil {
		return keptFile{}, fmt.Errorf("looking at what stays: %w", err)
	}
	rel, err := filepath.Rel(s.root, keep.Real)
	if err != nil {
		return keptFile{}, fmt.Errorf("looking at what stays: %w", err)
	}
	return keptFile{Path: rel, Size: st.Size(), ModTime: st.ModTime(), Hash: keep.Hash, Package: keep.Package}, nil
}

// link puts the link in the place of the original, which gets a second name first.
func (s *store) link(r replaced) error {
	path, original, next := s.path(r.Path), s.original(r), s.path(r.Path)+newSuffix
	if now, err := os.Readlink(path); err == nil && now == r.Target {
		return nil
	}
	if !s.stands(r) {
		if sum, err := hashOf(path); err != nil || sum != r.Hash {
			return fmt.Errorf("curing %s: it is not what it was when the plan was made: %w", path, orChanged(err))
		}
		s.step("keep " + r.Path)
		if err := remove(original); err != nil { // of an attempt that was interrupted
			return fmt.Errorf("keeping %s: %w", path, err)
		}
		if err := os.Link(path, original); err != nil {
			return fmt.Errorf("keeping %s: %w", path, err)
		}
		s.step("keep for good " + r.Path)
		if err := syncFolder(s.dir); err != nil {
			return fmt.Errorf("keeping %s: %w", path, err)
		}
	}
	s.step("prepare " + r.Path)
	if err := remove(next); err != nil {
		return fmt.Errorf("curing %s: %w", path, err)
	}
	if err := os.Symlink(r.Target, next); err != nil {
		return fmt.Errorf("curing %s: %w", path, err)
	}
	s.step("replace " + r.Path)
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("curing %s: %w", path, err)
	}
	return nil
}

// stands: the link is in its place, and the original in the folder.
func (s *store) stands(r replaced) bool {
	st, err := os.Lstat(s.path(r.Path))
	if err != nil || st.Mode().Type() != fs.ModeSymlink {
		return false
	}
	sum, err := hashOf(s.original(r))
	return err == nil && sum == r.Hash
}

// damaged says that a link stands whose original is not what it was; nil: it is, or there is no link.
func (s *store) damaged(r replaced) error {
	st, err := os.Lstat(s.path(r.Path))
	if err != nil || st.Mode().Type() != fs.ModeSymlink {
		return nil
	}
	if sum, err := hashOf(s.original(r)); err != nil || sum != r.Hash {
		return fmt.Errorf("restoring %s: its original in %s is damaged: reinstall %s: %w", s.path(r.Path), s.dir, r.Package, orChanged(err))
	}
	return nil
}

// sweep removes originals that the manifest does not know any more: pip has put a newer file in their place.
func (s *store) sweep(m manifest) error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("tidying up: %w", err)
	}
	for _, f := range files {
		known := f.Name() == lockName || f.Name() == manifestName || slices.ContainsFunc(m.Links, func(r replaced) bool { return r.Original == f.Name() })
		if !known {
			if err := os.Remove(filepath.Join(s.dir, f.Name())); err != nil {
				return fmt.Errorf("tidying up: %w", err)
			}
		}
	}
	return nil
}

// Undone is what Undo did.
type Undone struct {
	Restored []string `json:"restored"` // paths whose original is back
	Newer    []string `json:"newer"`    // paths where pip has put another file meanwhile: left as they are
}

// ErrNotCured: there is nothing to undo.
var ErrNotCured = errors.New("this environment was not changed by Vivarium")

// Undo puts every original back, to the byte, and leaves no trace. It is safe to be killed at any moment; the next Undo goes on.
func Undo(root string) (Undone, error) { return undo(root, nil) }

func undo(root string, step func(string)) (Undone, error) {
	var done Undone
	if !cured(root) {
		return done, ErrNotCured
	}
	s, err := openStore(root, step)
	if err != nil {
		return done, err
	}
	defer s.close()
	m, err := s.load()
	if err != nil {
		return done, err
	}
	for _, r := range m.Links { // all of them, before anything is changed
		if err := s.damaged(r); err != nil {
			return done, err
		}
	}
	for _, r := range m.Links {
		restored, err := s.restore(r)
		if err != nil {
			return done, err
		}
		if restored {
			done.Restored = append(done.Restored, s.path(r.Path))
		} else if sum, err := hashOf(s.path(r.Path)); err == nil && sum != r.Hash {
			done.Newer = append(done.Newer, s.path(r.Path))
		}
	}
	return done, s.discard()
}

func (s *store) restore(r replaced) (bool, error) {
	path := s.path(r.Path)
	if err := remove(path + newSuffix); err != nil {
		return false, fmt.Errorf("restoring %s: %w", path, err)
	}
	if !s.stands(r) {
		return false, nil
	}
	s.step("restore " + r.Path)
	if err := os.Rename(s.original(r), path); err != nil {
		return false, fmt.Errorf("restoring %s: %w", path, err)
	}
	s.step("restored " + r.Path)
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return true, fmt.Errorf("restoring %s: %w", path, err)
	}
	if sum, err := hashOf(path); err != nil || sum != r.Hash {
		return true, fmt.Errorf("restoring %s: it is not what it was: %w", path, orChanged(err))
	}
	return true, nil
}

// discard removes the folder. The manifest goes before the originals that are no longer needed: what it does not name is nobody's.
func (s *store) discard() error {
	s.step("forget")
	if err := remove(filepath.Join(s.dir, manifestName)); err != nil {
		return fmt.Errorf("forgetting the cure: %w", err)
	}
	s.step("clear away")
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("forgetting the cure: %w", err)
	}
	return nil
}

// Cured are the files that a cure of the environment in root is about: the one that stays, and what became links to it. ErrNotCured: there
// was none.
func Cured(root string) ([]string, error) {
	m, err := readManifest(root)
	switch {
	case errors.Is(err, fs.ErrNotExist) && cured(root):
		return nil, nil // it was interrupted before its first change
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotCured
	case err != nil:
		return nil, err
	}
	files := []string{filepath.Join(root, m.Keep.Path)}
	for _, r := range m.Links {
		files = append(files, filepath.Join(root, r.Path))
	}
	return files, nil
}

// cured: there is, or was about to be, a cure.
func cured(root string) bool {
	_, err := os.Lstat(filepath.Join(root, storeFolder))
	return err == nil
}

func openStore(root string, step func(string)) (*store, error) {
	if step == nil {
		step = func(string) {}
	}
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("opening the environment: %w", err)
	}
	s := &store{root: root, dir: filepath.Join(root, storeFolder), step: step}
	s.step("make the folder")
	if err := os.Mkdir(s.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making a folder for the originals: %w", err)
	}
	if s.lock, err = os.OpenFile(filepath.Join(s.dir, lockName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("locking the environment: %w", err)
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		s.lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = &CureError{"another Vivarium is changing " + root + " at this moment", "wait until it is done"}
		}
		return nil, err
	}
	return s, nil
}

func (s *store) close() { _ = s.lock.Close() }

func (s *store) path(rel string) string { return filepath.Join(s.root, rel) }

func (s *store) original(r replaced) string { return filepath.Join(s.dir, r.Original) }

// load gives an empty manifest where there is none.
func (s *store) load() (manifest, error) {
	m, err := readManifest(s.root)
	if errors.Is(err, fs.ErrNotExist) {
		return manifest{}, nil
	}
	return m, err
}

func readManifest(root string) (manifest, error) {
	path := filepath.Join(root, storeFolder, manifestName)
	text, err := os.ReadFile(path)
	if err != nil {
		return manifest{}, fmt.Errorf("reading what was cured: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("reading what was cured: %s: %w", path, err)
	}
	if m.Version != 1 {
		return m, fmt.Errorf("reading what was cured: %s is of a newer Vivarium: use that", path)
	}
	for _, r := range m.Links { // a manifest from elsewhere must not lead outside
		if !filepath.IsLocal(r.Path) || !filepath.IsLocal(r.Original) || strings.ContainsRune(r.Original, filepath.Separator) {
			return m, fmt.Errorf("reading what was cured: %s names %q, which does not lie in the environment", path, r.Path)
		}
	}
	return m, nil
}

// save writes the manifest so that it survives a power failure: it is on disk before the first change is made.
func (s *store) save(m manifest) error {
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return fmt.Errorf("writing down the cure: %w", err)
	}
	path := filepath.Join(s.dir, manifestName)
	s.step("write the manifest")
	if err := writeSynced(path+newSuffix, append(text, '\n')); err != nil {
		return fmt.Errorf("writing down the cure: %w", err)
	}
	s.step("rename the manifest")
	if err := os.Rename(path+newSuffix, path); err != nil {
		return fmt.Errorf("writing down the cure: %w", err)
	}
	if err := syncFolder(s.dir); err != nil {
		return fmt.Errorf("writing down the cure: %w", err)
	}
	return nil
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func orChanged(err error) error {
	if err == nil {
		return errors.New("its content has changed")
	}
	return err
}

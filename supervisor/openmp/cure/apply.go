package cure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Pending says what Apply would change beyond the links of the plan, one line each, for a person to agree to: an earlier cure may have to be
// brought up to date. Nothing is changed.
func (c Plan) Pending() ([]string, error) {
	s, err := lookAtStore(c.Root)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if s.folder == nil {
		return nil, nil
	}
	old, err := s.load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	switch {
	case err != nil && len(c.Links) == 0 && !s.empty():
		return nil, nil // it is not known whose it is
	case err != nil && len(c.Links) == 0:
		return []string{"remove " + s.path(storeFolder) + ", which an interrupted cure has left empty"}, nil
	}
	m, err := s.plan(c, old)
	if err != nil {
		return nil, err
	}
	var all []string
	if !m.Keep.same(old.Keep) && len(c.Links) == 0 {
		all = append(all, fmt.Sprintf("write down that %s stays, and that it still fits", s.path(m.Keep.Path)))
	}
	for _, r := range m.Links {
		if link, _ := s.isLink(r.Path); link && !s.leads(r) {
			all = append(all, fmt.Sprintf("link %s to %s", s.path(r.Path), r.Target))
		}
	}
	for _, name := range m.Stale {
		all = append(all, fmt.Sprintf("remove %s, the original of a file that was replaced or removed since", s.path(in(name))))
	}
	return all, nil
}

// empty: nothing is in the folder but what a cure makes before its first change.
func (s *store) empty() bool {
	files, err := fs.ReadDir(s.root.FS(), storeFolder)
	return err == nil && !slices.ContainsFunc(files, func(f fs.DirEntry) bool {
		return !f.Type().IsRegular() || f.Name() != lockName && f.Name() != manifestName+newSuffix
	})
}

// Apply carries out the plan, with what Pending tells. What an interrupted Apply left is finished, or replaced by this plan. It is safe to be
// killed at any moment. An error leaves a working environment, too: Undo takes back what was done.
func (c Plan) Apply() error { return c.apply(nil) }

func (c Plan) apply(hook func(string)) error {
	pending, err := c.Pending() // what cannot be done is known before the lock is made
	if err != nil || len(c.Links) == 0 && len(pending) == 0 {
		return err
	}
	s, err := openStore(c.Root, hook)
	if err != nil {
		return err
	}
	defer s.close()
	old, err := s.load()
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if missing && len(c.Links) == 0 {
		_, err := s.discard(manifest{})
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
			return fmt.Errorf("curing %s: %w", s.path(r.Path), err)
		}
	}
	return s.sweep(m.Stale)
}

// leads: the link is in its place, and leads to what stays.
func (s *store) leads(r replaced) bool {
	target, err := s.root.Readlink(r.Path)
	return err == nil && target == r.Target
}

// link puts the link in the place of the original, which gets a second name first.
func (s *store) link(r replaced) error {
	if s.leads(r) {
		return nil
	}
	standing, err := s.stands(r)
	if err != nil {
		return err
	}
	if !standing {
		if err := s.keep(r); err != nil {
			return err
		}
	}
	next := r.Path + newSuffix
	if err := s.step("prepare " + r.Path); err != nil {
		return err
	}
	if err := s.remove(next, fs.ModeSymlink); err != nil { // of an attempt that was interrupted
		return err
	}
	if err := s.root.Symlink(r.Target, next); err != nil {
		return err
	}
	if err := s.step("replace " + r.Path); err != nil {
		return err
	}
	if err := s.replaceable(r); err != nil {
		return errors.Join(err, s.remove(next, fs.ModeSymlink))
	}
	return s.root.Rename(next, r.Path)
}

// keep gives the original its second name.
func (s *store) keep(r replaced) error {
	sum, st, err := s.hash(r.Path)
	if err != nil || sum != r.Hash {
		return fmt.Errorf("it is not what it was when the plan was made: %w", orChanged(err))
	}
	original := in(r.Original)
	if err := s.step("keep " + r.Path); err != nil {
		return err
	}
	if err := s.remove(original, 0); err != nil { // of an attempt that was interrupted
		return err
	}
	if err := s.root.Link(r.Path, original); err != nil {
		return err
	}
	now, err := s.root.Lstat(original)
	if err != nil || !os.SameFile(now, st) || now.Size() != st.Size() || !now.ModTime().Equal(st.ModTime()) {
		return errors.Join(errors.New("it was changed just now"), err, s.root.Remove(original))
	}
	if err := s.step("keep for good " + r.Path); err != nil {
		return err
	}
	return s.sync(storeFolder)
}

// replaceable: in the place of the link that is to come is the kept original, or an older link.
func (s *store) replaceable(r replaced) error {
	now, err := s.root.Lstat(r.Path)
	if err != nil || now.Mode().Type() == fs.ModeSymlink {
		return err
	}
	if kept, err := s.root.Lstat(in(r.Original)); err != nil || !os.SameFile(now, kept) {
		return errors.New("it was changed just now")
	}
	return nil
}

// sweep removes originals that are of no use any more: pip has put a newer file in their place. The manifest names them until they are gone.
func (s *store) sweep(stale []string) error {
	for _, name := range stale {
		if err := s.step("remove " + name); err != nil {
			return err
		}
		if err := s.remove(in(name), 0); err != nil {
			return fmt.Errorf("tidying up: %w", err)
		}
	}
	return nil
}

// Undone is what Undo did.
type Undone struct {
	Restored []string `json:"restored"`       // paths whose original is back
	Newer    []string `json:"newer"`          // paths where pip has put another file meanwhile: left as they are
	Left     []string `json:"left,omitempty"` // files in the cure's folder that no cure has put there
}

// ErrNotCured: there is nothing to undo.
var ErrNotCured = errors.New("this environment was not changed by Vivarium")

// Undo puts every original back, to the byte, and leaves no trace. It is safe to be killed at any moment; the next Undo goes on.
func Undo(root string) (Undone, error) { return undo(root, nil) }

func undo(root string, hook func(string)) (Undone, error) {
	var done Undone
	if _, err := Cured(root); err != nil {
		return done, err
	}
	s, err := openStore(root, hook)
	if err != nil {
		return done, err
	}
	defer s.close()
	m, err := s.load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
			return done, fmt.Errorf("restoring %s: %w", s.path(r.Path), err)
		}
		if restored {
			done.Restored = append(done.Restored, s.path(r.Path))
		} else if sum, _, err := s.hash(r.Path); err == nil && sum != r.Hash {
			done.Newer = append(done.Newer, s.path(r.Path))
		}
	}
	done.Left, err = s.discard(m)
	return done, err
}

func (s *store) restore(r replaced) (bool, error) {
	next := r.Path + newSuffix
	if link, err := s.isLink(next); err != nil {
		return false, err
	} else if link {
		if err := s.step("remove " + next); err != nil {
			return false, err
		}
		if err := s.remove(next, fs.ModeSymlink); err != nil {
			return false, err
		}
	}
	if standing, err := s.stands(r); err != nil || !standing {
		return false, err
	}
	if err := s.step("restore " + r.Path); err != nil {
		return false, err
	}
	if link, err := s.isLink(r.Path); err != nil || !link {
		return false, errors.Join(errors.New("it was changed just now"), err)
	}
	if err := s.root.Rename(in(r.Original), r.Path); err != nil {
		return false, err
	}
	if err := s.step("restored " + r.Path); err != nil {
		return true, err
	}
	if err := s.sync(filepath.Dir(r.Path)); err != nil {
		return true, err
	}
	if sum, _, err := s.hash(r.Path); err != nil || sum != r.Hash {
		return true, fmt.Errorf("it is not what it was: %w", orChanged(err))
	}
	return true, nil
}

// discard removes the folder: first the originals that are no longer needed, then the manifest that names them, then what is left of our own.
// It returns the paths of what is not.
func (s *store) discard(m manifest) ([]string, error) {
	stale := m.Stale
	for _, r := range m.Links {
		stale = append(stale, r.Original)
	}
	if err := s.sweep(stale); err != nil {
		return nil, err
	}
	for _, name := range []string{manifestName, manifestName + newSuffix, lockName} {
		if err := s.step("forget " + name); err != nil {
			return nil, err
		}
		if err := s.remove(in(name), 0); err != nil {
			return nil, fmt.Errorf("forgetting the cure: %w", err)
		}
	}
	if err := s.step("remove the folder"); err != nil {
		return nil, err
	}
	err := s.root.Remove(storeFolder)
	if err == nil {
		return nil, nil
	}
	others, lerr := fs.ReadDir(s.root.FS(), storeFolder)
	if lerr != nil || len(others) == 0 {
		return nil, fmt.Errorf("forgetting the cure: %w", err)
	}
	var left []string
	for _, o := range others {
		left = append(left, s.path(in(o.Name())))
	}
	return left, nil
}

// Cured are the files that a cure of the environment in root is about: the one that stays, and what became links to it. ErrNotCured: there
// was none.
func Cured(root string) ([]string, error) {
	s, err := lookAtStore(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotCured
	}
	if err != nil {
		return nil, err
	}
	defer s.close()
	if s.folder == nil {
		return nil, ErrNotCured
	}
	m, err := s.load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it was interrupted before its first change
	}
	if err != nil {
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
	_, err := Cured(root)
	return !errors.Is(err, ErrNotCured)
}

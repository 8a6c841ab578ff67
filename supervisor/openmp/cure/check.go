package cure

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Check says what has become of a cure of the environment in root: pip brings a copy back with an upgrade, and removes with torch what
// others link to. It looks at a few files and reads none but the manifest, so that it can stand before each start. Nothing to tell is nil,
// also where nothing was cured; else it is a *Error.
func Check(root string) error {
	s, err := lookAtStore(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var why *Error
	if errors.As(err, &why) {
		return why
	}
	if err != nil {
		return &Error{err.Error(), "look at the environment's permissions"}
	}
	defer s.close()
	m, err := s.load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &Error{err.Error(), "reinstall the packages that brought their own copy of OpenMP, then remove " + s.path(storeFolder)}
	}
	return s.check(m)
}

func (s *store) check(m manifest) error {
	links := 0
	for _, r := range m.Links {
		link, err := s.isLink(r.Path)
		switch {
		case err != nil:
			return &Error{err.Error(), "remove " + s.path(storeFolder) + " and make the environment anew: no cure has written this"}
		case link:
			links++
			continue
		}
		switch st, err := s.root.Lstat(r.Path); {
		case err != nil: // its package was removed
		case s.ownStill(st, r.Original):
			return &Error{
				"making one OpenMP runtime of many, or taking that back, was interrupted; all packages work",
				"go on with `vivarium doctor --fix`, or with `vivarium doctor --undo`",
			}
		default:
			return &Error{
				fmt.Sprintf("%s has its own copy of OpenMP again (%s): an upgrade brought it back", cmp.Or(r.Package, r.Path), s.path(r.Path)),
				"make one of them again with `vivarium doctor --fix`",
			}
		}
	}
	if links == 0 {
		return nil
	}
	st, err := s.root.Stat(m.Keep.Path)
	switch {
	case err != nil:
		return &Error{
			fmt.Sprintf("%s is gone, and other packages link to it", s.path(m.Keep.Path)),
			"bring their own copies back with `vivarium doctor --undo`",
		}
	case st.Size() != m.Keep.Size || !st.ModTime().Equal(m.Keep.ModTime):
		return &Error{
			fmt.Sprintf("%s was replaced since other packages were linked to it", s.path(m.Keep.Path)),
			"let `vivarium doctor --fix` see whether it still fits",
		}
	}
	return nil
}

// ownStill: the file is the original itself, which was not replaced yet, or which an undo has put back; pip would have made another.
func (s *store) ownStill(file fs.FileInfo, original string) bool {
	kept, err := s.root.Lstat(in(original))
	return errors.Is(err, fs.ErrNotExist) || err == nil && os.SameFile(file, kept)
}

// Changeable says why the plan may not be carried out by this user; nil: it may. The environment must be one of its own, which no system
// updates and no other project shares by accident, and belong to whoever asks.
func (c Plan) Changeable(uid int) error {
	own := false
	for _, mark := range []string{"pyvenv.cfg", "conda-meta"} {
		_, err := os.Stat(filepath.Join(c.Root, mark))
		own = own || err == nil
	}
	if _, err := os.Stat(filepath.Join(c.Root, "condabin")); err == nil {
		own = false // conda's base, from which conda itself runs
	}
	if !own {
		return &Error{c.Root + " is a Python that others use, too, and no environment of its own", "make one with `python3 -m venv .venv` and install the packages there"}
	}
	folders := []string{c.Root}
	for _, l := range c.Links {
		folders = append(folders, filepath.Dir(l.Path))
	}
	for _, dir := range folders {
		st, err := os.Stat(dir)
		if err != nil {
			return &Error{"the environment cannot be read: " + err.Error(), "look at its folder's permissions"}
		}
		if owner, ok := ownerOf(st); ok && owner != uid {
			return &Error{fmt.Sprintf("%s belongs to another user (%d)", dir, owner), "run this as that user, or make an environment of your own"}
		}
		const write = 2 // W_OK
		if syscall.Access(dir, write) != nil {
			return &Error{dir + " cannot be written", "look at its permissions"}
		}
	}
	return nil
}

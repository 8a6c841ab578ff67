package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// OwnerError is a file or a folder that somebody else can have prepared, or can change at any moment.
type OwnerError struct {
	Path    string
	Problem string // in one clause, as in "belongs to another user (501)"
	Remedy  string // what a person does about it
}

// Error is one line: "path problem; remedy".
func (e *OwnerError) Error() string { return e.Path + " " + e.Problem + "; " + e.Remedy }

// Folder makes a folder with mode 0700, and its parents, where it is not there yet, and checks it.
func Folder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return CheckFolder(path)
}

// CheckFolder refuses a folder with an *OwnerError if another user owns it or can write into it: whatever is in it may be a trap, a
// program as well as a link. A link to a folder is taken for the folder if this user, or the system, has put it there. A folder that is
// not there is fs.ErrNotExist.
func CheckFolder(path string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if st.Mode().Type() == fs.ModeSymlink {
		if uid := owner(st); uid != 0 {
			if err := ours(path, st); err != nil {
				return err
			}
		}
		if st, err = os.Stat(path); err != nil {
			return err
		}
	}
	return CheckInfo(path, st)
}

// CheckInfo is the check of CheckFolder for what lstat said of path.
func CheckInfo(path string, st fs.FileInfo) error {
	if !st.IsDir() {
		return &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	}
	if err := ours(path, st); err != nil {
		return err
	}
	if st.Mode().Perm()&0o022 != 0 {
		return &OwnerError{
			Path:    path,
			Problem: fmt.Sprintf("can be written by other users (mode %#o)", st.Mode().Perm()),
			Remedy:  fmt.Sprintf("look at what is in it, then close it with: chmod go-w '%s'", path),
		}
	}
	return nil
}

// ours refuses what belongs to another user.
func ours(path string, st fs.FileInfo) error {
	uid := owner(st)
	if uid == os.Getuid() {
		return nil
	}
	if uid < 0 {
		return errors.New(path + ": its owner cannot be told")
	}
	return &OwnerError{
		Path:    path,
		Problem: fmt.Sprintf("belongs to another user (%d)", uid),
		Remedy:  "run this as that user, or set VIVARIUM_HOME to a folder of your own",
	}
}

func owner(st fs.FileInfo) int {
	s, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(s.Uid)
}

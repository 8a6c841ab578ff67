// Package safefile opens, reads and writes files in folders that cannot be trusted to hold what they should: a user's project, an
// environment that came from elsewhere, a state folder that somebody else may have prepared.
//
// Open and Read are for files that a person or another program wrote: links are followed, but only regular files are read, and only so
// much of them. OpenState, ReadState, Replace and Folder are for the program's own state: nothing is reached through a link, and what belongs to
// somebody else is refused. The variants with In work below an *os.Root. The package imports the standard
// library alone, because the keeper links it.
package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// TypeError is a path at which something other than a regular file was found.
type TypeError struct {
	Path string
	What string // what is there, as in "a folder", "a named pipe"
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("%s is %s, not a regular file", e.Path, e.What)
}

// SizeError is a file that is larger than anything that its reader can make use of.
type SizeError struct {
	Path  string
	Limit int64 // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s is larger than %s, the most that is read of it", e.Path, size(e.Limit))
}

// size writes the limits, which are round numbers.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Open opens a regular file for reading. It never waits, as the open of a named pipe would. An error that is not the system's is a
// *TypeError.
func Open(path string) (*os.File, error) {
	return regular(os.OpenFile(path, readFlags, 0))
}

// OpenIn is Open below root: a link is followed as long as it stays below root.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	return regular(root.OpenFile(name, readFlags, 0))
}

// Read reads a whole regular file. A file of more than limit bytes is a *SizeError, and of anything but a file *TypeError. The size that
// the file system claims is not believed.
func Read(path string, limit int64) ([]byte, error) { return all(limit)(Open(path)) }

// ReadIn is Read below root, as OpenIn.
func ReadIn(root *os.Root, name string, limit int64) ([]byte, error) {
	return all(limit)(OpenIn(root, name))
}

// O_NONBLOCK because the open of a named pipe waits for a writer that may never come, and O_NOCTTY because a terminal would become ours.
const readFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_CLOEXEC | syscall.O_NOCTTY

// regular takes the results of an open. The type is looked at after the open: what was at the path before may be gone.
func regular(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &TypeError{Path: f.Name(), What: what(st.Mode())}
	}
	if err == nil {
		err = syscall.SetNonblock(int(f.Fd()), false) // a child that inherits the file must not take it for something to wait for
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func what(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeSymlink != 0:
		return "a link"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

func all(limit int64) func(*os.File, error) ([]byte, error) {
	return func(f *os.File, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if st.Size() > limit {
			return nil, &SizeError{Path: f.Name(), Limit: limit}
		}
		text, err := io.ReadAll(io.LimitReader(f, limit+1)) // it may grow while it is read
		if err != nil {
			return nil, err
		}
		if int64(len(text)) > limit {
			return nil, &SizeError{Path: f.Name(), Limit: limit}
		}
		return text, nil
	}
}

// OpenState opens a file of the program's own state with the flags of package os, and makes it with mode 0600 where those say so. A link
// in its place is never followed, and a file of another owner is refused with an *OwnerError. O_TRUNC is not taken: whose the file is, is
// known only after the open.
func OpenState(path string, flags int) (*os.File, error) {
	if flags&os.O_TRUNC != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EINVAL}
	}
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, &TypeError{Path: path, What: "a link"}
	}
	if f, err = regular(f, err); err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil {
		err = ours(path, st)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadState reads a whole file of the program's own state, as OpenState and Read.
func ReadState(path string, limit int64) ([]byte, error) {
	return all(limit)(OpenState(path, os.O_RDONLY))
}

// Replace puts a whole file of mode 0600 in place of what is there, by a new file beside it and a rename: whoever reads the path sees the
// old content or the new one, and a link at the path is replaced and not followed. It is not synced: it survives the death of the process,
// not always that of the machine.
func Replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // never follows a link: O_EXCL
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

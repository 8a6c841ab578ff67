// Package logfile reads a log file and the older ones it was rotated into, however large they are: its end and any other part, what is
// added to it, and what matches a pattern. It tells the level of a line, folds lines that repeat, and takes terminal sequences apart. It
// holds no more than a few blocks of a file in memory, and it knows nothing of Vivarium's backends, nor of who shows the lines and how.
// Begin with Open and Snapshot.
package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// maxRotated is how many rotated files are looked for.
const maxRotated = 100

// Errors that a caller inspects.
var (
	// ErrGone: the part of the log that was asked for was removed by a rotation, or somebody emptied the file.
	ErrGone = errors.New("that part of the log is gone")
	// ErrNotRegular: what is at the path is a folder, a FIFO or a device.
	ErrNotRegular = errors.New("not a regular file")
)

// Position is a place in a log. It stays right when the file it is in is rotated, as long as the Log is open.
type Position struct{ File, Offset int64 }

func (p Position) String() string { return fmt.Sprintf("%d:%d", p.File, p.Offset) }

// ParsePosition is the reverse of String.
func ParsePosition(s string) (Position, error) {
	file, offset, _ := strings.Cut(s, ":")
	f, err := strconv.ParseInt(file, 10, 64)
	if err == nil {
		var o int64
		if o, err = strconv.ParseInt(offset, 10, 64); err == nil && f > 0 && o >= 0 {
			return Position{f, o}, nil
		}
	}
	return Position{}, fmt.Errorf("%q is no position in a log", s)
}

// Log is a log file with those it was rotated into: path, path.1, path.2 and so on, as far as they go. The files stay open between two
// looks: as long as they are, the system gives no new file the inode of one that was removed.
type Log struct {
	path string

	mu     sync.Mutex
	files  []*file // newest first
	lastID int64
	err    error // why the newest file cannot be read; nil: it can, or there is none
}

// file is one of a Log's.
type file struct {
	*os.File
	id    int64
	size  int64 // at the last look
	users int   // snapshots that hold it
	gone  bool  // not in the log any more: the last user closes it
}

// Open is the log at that path. It need not exist yet.
func Open(path string) *Log { return &Log{path: path} }

// Path is the path of the newest file.
func (l *Log) Path() string { return l.path }

// Close lets go of the files. Snapshots that are still in use keep theirs; a later look opens the log anew.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.files {
		f.leave()
	}
	l.files = nil
}

func (f *file) leave() {
	f.gone = true
	if f.users == 0 {
		f.Close()
	}
}

// look finds out what is at the paths now. The caller holds l.mu.
func (l *Log) look() {
	l.err = nil
	var now []*file
	for i := 0; i <= maxRotated; i++ {
		f, err := l.at(rotated(l.path, i))
		if err == nil {
			if !slices.Contains(now, f) { // it moved on by one place while we looked
				now = append(now, f)
			}
			continue
		}
		if i > 0 {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			l.err = fmt.Errorf("reading the log: %w", err)
		}
	}
	for _, f := range l.files {
		if !slices.Contains(now, f) {
			f.leave()
		}
	}
	l.files = now
}

// at is the file at a path: one that is known already, or a new one.
func (l *Log) at(path string) (*file, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() { // opening a FIFO waits for its writer, and a device may do anything
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	for _, f := range l.files {
		known, err := f.Stat()
		if err == nil && os.SameFile(known, st) && known.Size() >= f.size { // a smaller one was emptied: its places mean something else now
			f.size = known.Size()
			return f, nil
		}
	}
	opened, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if st, err = opened.Stat(); err == nil && !st.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		opened.Close()
		return nil, err
	}
	l.lastID++
	return &file{File: opened, id: l.lastID, size: st.Size()}, nil
}

func rotated(path string, i int) string {
	if i == 0 {
		return path
	}
	return path + "." + strconv.Itoa(i)
}

// Snapshot is a log as it was at one moment: what is added later is not in it. It must be closed.
type Snapshot struct {
	log   *Log
	files []*file // newest first
	sizes []int64
}

// Snapshot looks at the log now. The log that does not exist is an empty one; one that cannot be read is an error.
func (l *Log) Snapshot() (*Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
	if l.err != nil {
		return nil, l.err
	}
	s := &Snapshot{log: l}
	for _, f := range l.files {
		f.users++
		s.files, s.sizes = append(s.files, f), append(s.sizes, f.size)
	}
	return s, nil
}

// Close lets go of the files.
func (s *Snapshot) Close() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, f := range s.files {
		if f.users--; f.users == 0 && f.gone {
			f.Close()
		}
	}
	s.files, s.sizes = nil, nil
}

// Size is how many bytes all files have together.
func (s *Snapshot) Size() int64 {
	var all int64
	for _, n := range s.sizes {
		all += n
	}
	return all
}

// Files is how many files there are.
func (s *Snapshot) Files() int { return len(s.files) }

// Begin and End are the first and the last place of the log; zero where there is no file.
func (s *Snapshot) Begin() Position {
	if len(s.files) == 0 {
		return Position{}
	}
	return Position{File: s.files[len(s.files)-1].id}
}

// End is where the next line will be.
func (s *Snapshot) End() Position {
	if len(s.files) == 0 {
		return Position{}
	}
	return Position{s.files[0].id, s.sizes[0]}
}

// Behind is how many bytes of the log come before a position.
func (s *Snapshot) Behind(p Position) int64 {
	i, err := s.find(p)
	if err != nil {
		return 0
	}
	behind := p.Offset
	for _, n := range s.sizes[i+1:] {
		behind += n
	}
	return behind
}

// find is which of the files a position is in.
func (s *Snapshot) find(p Position) (int, error) {
	for i, f := range s.files {
		if f.id == p.File && p.Offset <= s.sizes[i] {
			return i, nil
		}
	}
	return 0, ErrGone
}

// Copy writes the whole log, the oldest file first.
func (s *Snapshot) Copy(ctx context.Context, w io.Writer) error {
	for i := len(s.files) - 1; i >= 0; i-- {
		r := io.NewSectionReader(s.files[i], 0, s.sizes[i])
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			_, err := io.CopyN(w, r, 1<<20)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("copying the log: %w", err)
			}
		}
	}
	return nil
}

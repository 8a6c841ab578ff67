package keeper

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	rotateSlack = 1 << 20 // how far below the cap a rotation may happen, to find the end of a line
	minLogSize  = 1 << 10 // a smaller cap would be rotations and nothing else
	// lookAgain is how often the path is looked at while writing, because a person may have removed, moved or emptied the file. A write after
	// a pause looks first. It costs a microsecond.
	lookAgain = 100 * time.Millisecond
	noFile    = -1
)

// rotated is the log file. It never blocks on a full disk and never fails: what cannot be written is dropped and counted, and
// as soon as there is room again one line says how much is missing.
type rotated struct {
	mu     sync.Mutex
	path   string
	limit  int64 // bytes; 0: never rotated
	max    int64 // the limit of the file that is open: 0 also for one that is not ours to rotate
	keep   int
	fixed  bool // the file that is open is not ours to rotate
	fd     int
	size   int64
	inode  uint64
	looked time.Time

	inLine bool // the last byte written was not a newline
	torn   bool // a line was dropped in its middle: the rest of it is dropped, too
	lost   struct {
		bytes, lines int64
		why          error
	}
}

// open makes the file ready for a run of that spec. It keeps what is open already.
func (l *rotated) open(path string, size int64, keep int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if size > 0 {
		size = max(size, minLogSize)
	}
	l.limit, l.keep = size, max(keep, 0)
	if l.path != path {
		l.shut()
		l.path = path
	}
	l.looked = time.Time{}
	l.refresh()
	var err error
	if l.fd == noFile {
		err = l.create()
	} else {
		l.setMax()
	}
	if err == syscall.ENOSPC || err == syscall.EDQUOT { // a full disk is no reason not to start a server
		err = nil
	}
	if err != nil {
		return &SpawnError{Path: path, Err: fmt.Errorf("opening the log: %w", err)}
	}
	l.torn = false
	if l.tell() == nil && l.inLine { // the former run's last line had no end; it is not the beginning of this one's first
		l.put([]byte{'\n'})
	}
	return nil
}

func newRotated() *rotated { return &rotated{fd: noFile} }

func (l *rotated) shut() {
	if l.fd != noFile {
		syscall.Close(l.fd)
		l.fd, l.size, l.inLine = noFile, 0, false
	}
}

// create opens the file at path, at its end.
func (l *rotated) create() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o755); err != nil {
		return errno(err)
	}
	fd, made, err := openForAppending(l.path)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		syscall.Close(fd)
		return err
	}
	l.fixed = false
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		if !made && st.Size > 0 && !safefile.IsLogName(l.path) { // somebody's program or data, which a typing error has named
			l.fixed = true
		}
	case syscall.S_IFCHR: // /dev/null and its like
		l.fixed = true
	default:
		syscall.Close(fd)
		return syscall.EINVAL
	}
	l.fd, l.size, l.inode, l.looked = fd, st.Size, st.Ino, time.Now()
	l.setMax()
	var last [1]byte
	n, _ := syscall.Pread(fd, last[:], st.Size-1)
	l.inLine = st.Size > 0 && n == 1 && last[0] != '\n'
	return nil
}

func (l *rotated) setMax() {
	if l.max = l.limit; l.fixed {
		l.max = 0
	}
}

// openForAppending says whether it has made the file. O_NONBLOCK, lest opening a FIFO waits for a reader; it does nothing to a file. O_RDWR
// to see the last byte.
func openForAppending(path string) (fd int, made bool, err error) {
	const flags = syscall.O_RDWR | syscall.O_APPEND | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	for range 3 { // somebody may make or remove it between the two
		fd, err = proc.IgnoringEINTR(func() (int, error) { return syscall.Open(path, flags, 0) })
		if err != syscall.ENOENT {
			return fd, false, err
		}
		fd, err = proc.IgnoringEINTR(func() (int, error) {
			return syscall.Open(path, flags|syscall.O_CREAT|syscall.O_EXCL, 0o600)
		})
		if err != syscall.EEXIST {
			return fd, true, err
		}
	}
	// A link to nowhere is both there and not: the log is made where it leads.
	fd, err = proc.IgnoringEINTR(func() (int, error) { return syscall.Open(path, flags|syscall.O_CREAT, 0o600) })
	return fd, false, err
}

// refresh notices that the file at path is not ours any more, or that somebody truncated it.
func (l *rotated) refresh() {
	now := time.Now()
	if l.fd == noFile || now.Sub(l.looked) < lookAgain {
		return
	}
	l.looked = now
	var st syscall.Stat_t
	if err := syscall.Stat(l.path, &st); err != nil || st.Ino != l.inode {
		l.shut()
		return
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFREG {
		if st.Size < l.size { // emptied: what is written next begins a line
			l.inLine = l.inLine && st.Size > 0
		}
		l.size = st.Size
	}
}

// write takes output as it comes, in pieces that know nothing of lines.
func (l *rotated) write(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh()
	for len(p) > 0 {
		n, rotate := len(p), false
		if l.max > 0 {
			n, rotate = l.cut(p)
		}
		l.put(p[:n])
		p = p[n:]
		if rotate && len(p) > 0 && !l.rotate() { // not before there is something for the new file
			l.put(p)
			return
		}
	}
}

// cut says how much of p goes into this file, and whether it is then full. Only near the cap is there anything to look for.
func (l *rotated) cut(p []byte) (n int, rotate bool) {
	soft := l.max - min(rotateSlack, l.max/2) // from here on a line's end is a good place
	if l.size+int64(len(p)) <= soft {
		return len(p), false
	}
	from := int(max(0, min(soft-l.size-1, int64(len(p)))))
	if l.size >= soft && !l.inLine {
		return 0, l.size > 0
	}
	if i := bytes.IndexByte(p[from:], '\n'); i >= 0 && l.size+int64(from+i+1) <= l.max {
		return from + i + 1, true
	}
	room := l.max - (utf8.UTFMax - 1) - l.size
	if int64(len(p)) <= room {
		return len(p), false
	}
	return runeCut(p, int(max(room, 1-utf8.UTFMax)))
}

// runeCut finds the end of a rune in p, at most 3 bytes below or above room.
func runeCut(p []byte, room int) (n int, rotate bool) {
	for n := room; n > room-utf8.UTFMax; n-- {
		if n >= 0 && n < len(p) && utf8.RuneStart(p[n]) {
			return n, true
		}
	}
	for n := max(room, 0); n < room+utf8.UTFMax; n++ {
		if n >= len(p) {
			return len(p), false // the next piece tells whether the rune is complete
		}
		if utf8.RuneStart(p[n]) {
			return n, true
		}
	}
	return max(room, 0), true // not text
}

// rotate makes path path.1, path.1 path.2 and so on, and begins a new file. When it returns false that went wrong, and the
// old one goes on: a log above its cap is better than a lost one.
func (l *rotated) rotate() bool {
	var err error
	if l.keep == 0 {
		err = os.Remove(l.path)
	} else {
		for i := l.keep - 1; i > 0; i-- {
			_ = syscall.Rename(fmt.Sprintf("%s.%d", l.path, i), fmt.Sprintf("%s.%d", l.path, i+1))
		}
		err = syscall.Rename(l.path, l.path+".1")
	}
	if err != nil && errno(err) != syscall.ENOENT {
		return false
	}
	l.shut()
	_ = l.create() // if it fails, put tries again
	return true
}

// put writes p at the end of the file, or drops it.
func (l *rotated) put(p []byte) {
	if len(p) == 0 {
		return
	}
	if l.lost.bytes > 0 || l.torn {
		if p = l.resume(p); len(p) == 0 {
			return
		}
	}
	if l.fd == noFile {
		if err := l.create(); err != nil {
			l.drop(p, 0, false, err)
			return
		}
	}
	began := !l.inLine
	n, err := writeAll(l.fd, p)
	l.size += int64(n)
	if n > 0 {
		l.inLine = p[n-1] != '\n'
	}
	if err != nil {
		l.drop(p, n, began, err)
	}
}

// drop counts what was not written of p, of which n bytes were. The line that was cut is taken back where this piece began it: after a
// newline in it, or, if began, with its first byte.
func (l *rotated) drop(p []byte, n int, began bool, why error) {
	if i := bytes.LastIndexByte(p[:n], '\n'); n > 0 && (i >= 0 || began) && i+1 < n {
		if syscall.Ftruncate(l.fd, l.size-int64(n-i-1)) == nil {
			l.size -= int64(n - i - 1)
			n, l.inLine = i+1, false
		}
	}
	l.count(p[n:], why)
}

func (l *rotated) count(p []byte, why error) {
	l.lost.bytes += int64(len(p))
	l.lost.lines += int64(bytes.Count(p, []byte{'\n'}))
	l.lost.why = why
	l.torn = p[len(p)-1] != '\n'
}

// resume tries to end a drop before p: the rest of the torn line is dropped too, then a line tells what is missing. It
// returns what is left of p to be written.
func (l *rotated) resume(p []byte) []byte {
	if l.torn {
		i := bytes.IndexByte(p, '\n') + 1
		if i == 0 {
			i = len(p)
		}
		l.count(p[:i], l.lost.why)
		if p = p[i:]; len(p) == 0 && l.torn {
			return nil
		}
	}
	if err := l.tell(); err != nil {
		if len(p) > 0 {
			l.count(p, err)
		}
		return nil
	}
	return p
}

// tell writes how much was dropped, as a line of its own.
func (l *rotated) tell() error {
	if l.lost.bytes == 0 {
		return nil
	}
	if l.fd == noFile {
		if err := l.create(); err != nil {
			return err
		}
	}
	note := fmt.Appendf(nil, "\nvivarium: %d bytes (%d lines) of output are missing here: %v\n", l.lost.bytes, l.lost.lines, l.lost.why)
	if l.max > 0 && l.size+int64(len(note)) > l.max {
		l.rotate()
	}
	if !l.inLine {
		note = note[1:]
	}
	n, err := writeAll(l.fd, note)
	if err != nil { // half a note would be worse than none
		if n > 0 && syscall.Ftruncate(l.fd, l.size) != nil {
			l.size += int64(n)
			l.inLine = true
		}
		return err
	}
	l.size += int64(n)
	l.inLine = false
	l.lost.bytes, l.lost.lines, l.lost.why = 0, 0, nil
	return nil
}

// settle is for a moment when nothing more comes for a while: what is missing is told now if that is possible.
func (l *rotated) settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.tell()
}

// errno takes the bare error number out of what package os wraps around it.
func errno(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = u.Unwrap()
	}
}

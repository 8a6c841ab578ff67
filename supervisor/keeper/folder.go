package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// The files of a keeper in its folder. The supervisor keeps files of its own beside them.
const (
	lockFile = "lock"             // flock, held for the keeper's life
	sockFile = "sock"             // the keeper listens here
	runFile  = "run.json"         // the run under way, or the one whose exit nobody has recorded
	exitFile = "exit.json"        // how it ended
	lastFile = "last.json"        // run.json of the last forgotten run: the one whose remains are ended before the next
	logFile  = "keeper.log"       // the keeper's own stderr
	binName  = "vivarium-keeper-" // and a hash, in <state>/bin
)

// record is the content of run.json. The environment is never in it.
type record struct {
	Run  Run    `json:"run"`  // PID and Stamp are missing until the fork is done
	Boot string `json:"boot"` // the boot it belongs to: PIDs and stamps mean nothing after another one
}

// records is the folder's memory: what a keeper leaves behind for whoever comes after it.
type records struct{ dir string }

func (r records) path(name string) string { return filepath.Join(r.dir, name) }

// started writes run.json: before the fork with the ID alone, again with PID and Stamp.
func (r records) started(run Run) error {
	b, err := json.Marshal(record{Run: run, Boot: bootID()})
	if err != nil {
		return err
	}
	return r.write(runFile, b)
}

// failed takes back started: nothing was forked.
func (r records) failed() { _ = os.Remove(r.path(runFile)) }

// ended writes exit.json.
func (r records) ended(exit []byte) error { return r.write(exitFile, exit) }

// forget marks the news of the last run as recorded. The order matters to a kill in between: run.json without exit.json
// would be told as a lost keeper, exit.json without run.json says nothing.
func (r records) forget() error {
	if err := os.Rename(r.path(runFile), r.path(lastFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting a run: %w", err)
	}
	if err := os.Remove(r.path(exitFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting a run: %w", err)
	}
	return nil
}

// news is the exit that nobody has recorded yet, nil if there is none. It is asked only where no keeper has a run.
func (r records) news() *Exit {
	rec, ok := r.load(runFile)
	if !ok {
		return nil
	}
	if b, err := os.ReadFile(r.path(exitFile)); err == nil {
		var e Exit
		if json.Unmarshal(b, &e) == nil && e.Run.ID == rec.Run.ID {
			return &e
		}
	}
	if rec.Boot != bootID() {
		return nil
	}
	at := rec.Run.Started
	if st, err := os.Stat(r.path(runFile)); err == nil {
		at = st.ModTime()
	}
	return &Exit{Run: rec.Run, At: at}
}

// last is the run that was under way before, forgotten or not, if it belongs to this boot.
func (r records) last() (Run, bool) {
	for _, name := range []string{runFile, lastFile} {
		if rec, ok := r.load(name); ok && rec.Boot == bootID() {
			return rec.Run, true
		}
	}
	return Run{}, false
}

func (r records) load(name string) (record, bool) {
	b, err := os.ReadFile(r.path(name))
	if err != nil {
		return record{}, false
	}
	var rec record
	if json.Unmarshal(b, &rec) != nil || rec.Run.ID == "" {
		return record{}, false
	}
	return rec, true
}

// write replaces a file as a whole. There is no fsync: the records are for the death of a process, not of the machine,
// and another boot makes them void anyhow. One writer, who holds the lock, so that one temporary name is enough.
func (r records) write(name string, b []byte) error {
	tmp := r.path(name + ".tmp")
	fd, err := syscall.Open(tmp, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", tmp, err)
	}
	for err == nil && len(b) > 0 {
		var n int
		n, err = ignoringEINTR(func() (int, error) { return syscall.Write(fd, b) })
		b = b[max(n, 0):]
	}
	if cerr := syscall.Close(fd); err == nil {
		err = cerr
	}
	if err == nil {
		err = syscall.Rename(tmp, r.path(name))
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", r.path(name), err)
	}
	return nil
}

// Lock takes the lock at path without waiting, or returns ErrLocked. It is released by closing the file, and by the kernel
// when the process ends; no child inherits it.
func Lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	if err := flock(f, syscall.LOCK_EX); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, path)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}

func flock(f *os.File, how int) error {
	_, err := ignoringEINTR(func() (int, error) { return 0, syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB) })
	return err
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// maxSocketPath is the longest path of a Unix socket: sun_path less the closing zero.
func maxSocketPath(goos string) int {
	if goos == "darwin" {
		return 103
	}
	return 107
}

func checkSocketPath(goos, path string) error {
	if limit := maxSocketPath(goos); len(path) > limit {
		return fmt.Errorf("the socket path %s has %d bytes, and the system takes %d: set VIVARIUM_HOME to a shorter folder", path, len(path), limit)
	}
	return nil
}

// ListenUnix listens on a Unix socket with mode 0600. A stale socket is replaced: the caller holds the lock that goes with it.
func ListenUnix(path string) (*net.UnixListener, error) {
	if err := checkSocketPath(runtime.GOOS, path); err != nil {
		return nil, err
	}
	if st, err := os.Lstat(path); err == nil && st.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("removing a stale socket: %w", err)
		}
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("listening: %w", err)
	}
	return ln, nil
}

// PeerUID is the user at the other end of a Unix socket, by the kernel's word.
func PeerUID(c *net.UnixConn) (int, error) {
	uid, _, err := peer(c)
	return uid, err
}

func peer(c *net.UnixConn) (uid, pid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, fmt.Errorf("asking who is at the socket: %w", err)
	}
	var perr error
	if err := raw.Control(func(fd uintptr) { uid, pid, perr = peerOf(int(fd)) }); err != nil {
		perr = err
	}
	if perr != nil {
		return 0, 0, fmt.Errorf("asking who is at the socket: %w", perr)
	}
	return uid, pid, nil
}

package keeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// The files of a keeper in its folder. The supervisor keeps files of its own beside them.
const (
	lockFile = "lock"             // flock, held for the keeper's life
	sockFile = "sock"             // the keeper listens here
	runFile  = "run.json"         // the last run: under way, or ended, or recorded
	exitFile = "exit.json"        // how it ended, until that is recorded
	pastFile = "past.json"        // how the run before it ended
	logFile  = "keeper.log"       // the keeper's own stderr
	binName  = "vivarium-keeper-" // and a hash, in <state>/bin
)

// record is the content of run.json. The environment is never in it.
type record struct {
	Run  Run    `json:"run"`  // PID and Stamp are missing until the fork is done
	Boot string `json:"boot"` // the boot it belongs to: PIDs and stamps mean nothing after another one
	// Forgotten: its end was recorded. What it left behind may still be there.
	Forgotten bool `json:"forgotten,omitempty"`
}

// recordSize is what run.json is filled up to. It is written in place, always as long and within one page, because a kill of
// the keeper cannot tear such a write, and because replacing a file costs 250 µs on ext4, three times in each restart.
const recordSize = 1024

// maxStateFile is the most that is read of run.json and exit.json, in bytes. An exit has the tail of a log in it.
const maxStateFile = 16 << 20

// records are the files in which a keeper leaves results for the next one: what a keeper leaves behind for whoever comes after it. Nothing is synced: it is for the
// death of a process, not of the machine; another boot makes it void.
type records struct{ dir string }

func (r records) path(name string) string { return filepath.Join(r.dir, name) }

// MakeFolder makes the folder of a backend, <state>/b/<name>, with what it lies in. A state folder that somebody else can have prepared or
// can write into is refused before anything is made in it: see CheckState.
func MakeFolder(dir string) error {
	b := filepath.Dir(filepath.Clean(dir))
	state := filepath.Dir(b)
	if err := CheckState(state); err != nil {
		return err
	}
	for _, folder := range []string{state, b, dir} {
		if err := safefile.Folder(folder); err != nil {
			return fmt.Errorf("making the state folder: %w", err)
		}
	}
	return nil
}

// CheckState refuses a state folder, and the folders in it that hold sockets and programs, with a *safefile.OwnerError if another user owns
// one or can write into it. What is not there yet is no error.
func CheckState(state string) error {
	for _, folder := range []string{state, filepath.Join(state, "b"), filepath.Join(state, "bin")} {
		if err := safefile.CheckFolder(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("opening the state folder: %w", err)
		}
	}
	return nil
}

// started writes run.json: before the fork with the ID alone, again with PID and Stamp.
func (r records) started(run Run) error { return r.save(record{Run: run, Boot: proc.BootID()}) }

// failed takes back started: nothing was forked, and last is again the last run.
func (r records) failed(last Run) error {
	if last.ID == "" {
		return os.Remove(r.path(runFile))
	}
	return r.save(record{Run: last, Boot: proc.BootID(), Forgotten: true})
}

// begin makes room for the exit of a run that was just forked: the one before is recorded by now, and to make a file takes longer than
// to fill one. It returns the descriptor for ended, noFile if there is none.
func (r records) begin() int {
	_ = syscall.Rename(r.path(exitFile), r.path(pastFile)) // to replace it would take longer than all the rest of ended
	fd, err := createNew(r.path(exitFile + ".tmp"))
	if err != nil {
		return noFile // ended tries again, and tells
	}
	return fd
}

// ended writes exit.json, as a whole or not at all.
func (r records) ended(fd int, exit []byte) error {
	tmp := r.path(exitFile + ".tmp")
	var err error
	given := fd != noFile
	if !given {
		fd, err = createNew(tmp)
	}
	if err == nil {
		err = fill(fd, exit)
	}
	if err == nil {
		err = syscall.Rename(tmp, r.path(exitFile))
	}
	if err == syscall.ENOENT && given { // somebody cleaned up
		return r.ended(noFile, exit)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", exitFile, err)
	}
	return nil
}

// forget marks the end of that run as recorded. Its exit.json means nothing from now on; the next run takes it away, because the start
// of that is what a forget is followed by.
func (r records) forget(run Run) error {
	return r.save(record{Run: run, Boot: proc.BootID(), Forgotten: true})
}

// news is the exit that nobody has recorded yet, nil if there is none. It is asked only where no keeper has a run.
func (r records) news() *Exit {
	rec, ok := r.load()
	if !ok || rec.Forgotten {
		return nil
	}
	if e := r.exit(); e != nil && e.Run.ID == rec.Run.ID {
		return e
	}
	if rec.Boot != proc.BootID() {
		return nil
	}
	at := rec.Run.Started
	if st, err := os.Stat(r.path(runFile)); err == nil {
		at = st.ModTime()
	}
	return &Exit{Run: rec.Run, At: at}
}

// BeforeBoot is the run that was there when the computer went down, if it was started in another boot and nobody has seen its end; seen is when
// its keeper last wrote something.
func BeforeBoot(dir string) (run Run, seen time.Time, ok bool) {
	r := records{dir}
	rec, ok := r.load()
	if !ok || rec.Forgotten || rec.Boot == proc.BootID() || rec.Boot == "" || rec.Run.PID == 0 {
		return Run{}, time.Time{}, false
	}
	if e := r.exit(); e != nil && e.Run.ID == rec.Run.ID {
		return Run{}, time.Time{}, false
	}
	seen = rec.Run.Started
	for _, name := range []string{runFile, logFile} {
		if st, err := os.Stat(r.path(name)); err == nil && st.ModTime().After(seen) {
			seen = st.ModTime()
		}
	}
	return rec.Run, seen, true
}

// Forgotten are the exits of the last two runs that were told in the folder dir, and forgotten. Who forgets an exit to start anew without
// delay, and dies before it has written it down, leaves it here for the next one.
func Forgotten(dir string) []Exit {
	r := records{dir}
	var all []Exit
	if e := r.read(pastFile); e != nil {
		all = append(all, *e)
	}
	if rec, ok := r.load(); ok && rec.Forgotten {
		if e := r.exit(); e != nil && e.Run.ID == rec.Run.ID {
			all = append(all, *e)
		}
	}
	return all
}

func (r records) exit() *Exit { return r.read(exitFile) }

func (r records) read(name string) *Exit {
	b, err := safefile.ReadState(r.path(name), maxStateFile)
	if err != nil {
		return nil
	}
	e := new(Exit)
	if json.Unmarshal(b, e) != nil || !possible(e.Run) {
		return nil
	}
	return e
}

// last is the last run, forgotten or not, if it belongs to this boot.
func (r records) last() (Run, bool) {
	rec, ok := r.load()
	if !ok || rec.Boot != proc.BootID() {
		return Run{}, false
	}
	return rec.Run, true
}

func (r records) load() (record, bool) {
	b, err := safefile.ReadState(r.path(runFile), maxStateFile)
	if err != nil {
		return record{}, false
	}
	var rec record
	if json.Unmarshal(b, &rec) != nil || !possible(rec.Run) {
		return record{}, false
	}
	return rec, true
}

// possible: a keeper can have written this. Its ID becomes part of files' names, and its PID may be sent signals.
func possible(run Run) bool {
	return len(run.ID) <= 64 && run.ID != "" && strings.Trim(run.ID, idLetters) == "" && run.PID >= 0 && run.PID != 1
}

const idLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

func (r records) save(rec record) error {
	b, err := json.Marshal(rec)
	if err == nil {
		b = append(b, bytes.Repeat([]byte{' '}, max(0, recordSize-1-len(b)))...)
		err = writeInPlace(r.path(runFile), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", runFile, err)
	}
	return nil
}

// writeInPlace writes over a file's beginning, and makes the file if there is none. It goes without the detour through the netpoller,
// which has no use for files, and neither follows a link nor waits at a named pipe.
func writeInPlace(path string, b []byte) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	return fill(fd, b)
}

// createNew makes a file that was not there before, in place of whatever is left of an earlier attempt.
func createNew(path string) (fd int, err error) {
	for range 3 {
		fd, err = syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0o600)
		if err != syscall.EEXIST {
			break
		}
		if err = syscall.Unlink(path); err != nil && err != syscall.ENOENT {
			break
		}
		err = syscall.EEXIST
	}
	if err != nil {
		return noFile, err
	}
	return fd, nil
}

// fill writes a file, and closes it.
func fill(fd int, b []byte) error {
	_, err := writeAll(fd, b)
	return errors.Join(err, syscall.Close(fd))
}

// writeAll says how many bytes were written where an error kept it from writing all.
func writeAll(fd int, p []byte) (n int, err error) {
	for n < len(p) {
		m, err := proc.IgnoringEINTR(func() (int, error) { return syscall.Write(fd, p[n:]) })
		n += max(m, 0)
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, syscall.ENOSPC
		}
	}
	return n, nil
}

// Lock takes the lock at path without waiting, or returns ErrLocked. It is released by closing the file, and by the kernel
// when the process ends; no child inherits it. A link at path is refused, and a file of another user.
func Lock(path string) (*os.File, error) {
	f, err := safefile.OpenState(path, os.O_RDWR|os.O_CREATE)
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
	_, err := proc.IgnoringEINTR(func() (int, error) { return 0, syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB) })
	return err
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
	if err := raw.Control(func(fd uintptr) { uid, pid, perr = proc.PeerOf(int(fd)) }); err != nil {
		perr = err
	}
	if perr != nil {
		return 0, 0, fmt.Errorf("asking who is at the socket: %w", perr)
	}
	return uid, pid, nil
}

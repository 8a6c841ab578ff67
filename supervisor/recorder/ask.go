package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Why a process cannot be asked.
var (
	ErrNoRecorder = errors.New("the recorder did not reach the process")
	ErrNotHeard   = errors.New("the process does not listen to the recorder's signal")
)

// Target is a process of ours: the run itself, or one of its workers. Whoever asks has made sure of that.
type Target struct {
	PID   int
	Stamp string // the kernel's mark: a PID alone identifies nothing
	// Forked is the process from which a worker was forked without exec, 0 if it started as a Python of its own. A fork makes its own
	// file when it is first asked.
	Forked int
}

// ThreadUse is what one thread has used of the CPU.
type ThreadUse struct {
	CPU     time.Duration
	Waited  time.Duration // it could have run, and no CPU was free; 0 if that is not known
	Running bool
}

// System is what the operating system tells of a process. What it does not tell is an error, and then no raw dump is asked for.
type System interface {
	// Catches says whether the process has a handler for the signal.
	Catches(pid int, s syscall.Signal) (bool, error)
	// Threads gives the use of each thread by the system's number.
	Threads(pid int) (map[int]ThreadUse, error)
	// Stopped says whether the process is stopped or traced.
	Stopped(pid int) (bool, error)
	// Holds says whether the process has that very file under the descriptor.
	Holds(pid, fd int, file os.FileInfo) (bool, error)
}

// Answer is what came of asking.
type Answer struct {
	Stacks Stacks
	// Silent: nothing came for a second, so the main thread runs no Python: C code keeps it or the GIL, or it waits in a call that the
	// system starts again. Stacks then are those of a raw dump, or empty.
	Silent bool
	// Stopped: it could not answer, because it is stopped.
	Stopped bool
	// Why there is no raw dump of a silent process.
	Why string
}

// Asker asks the processes of one run.
type Asker struct {
	Folder string // RunFolder
	// Signal sends a signal to the process with that stamp and to no other.
	Signal func(pid int, stamp string, s syscall.Signal) error
	System System
	// Patience is how long an answer may take; 0 is a little more than a second.
	Patience time.Duration
	// Turns keeps those apart who ask processes at the same time. nil: nobody else asks.
	Turns *Turns
}

// usualPatience is longer than a second, because many programs wake once a second from a wait that the system starts again by itself after a
// signal, as gunicorn's arbiter does.
const usualPatience = 1200 * time.Millisecond

// quiet is for how long no thread but the main one may have used the CPU before a raw dump.
const quiet = 100 * time.Millisecond

// quietTries is how often such a time is looked for.
const quietTries = 5

// Ask gives the stacks of a process.
func (a Asker) Ask(ctx context.Context, t Target) (Answer, error) {
	path, h, err := a.find(t)
	if err != nil {
		return Answer{}, err
	}
	if caught, err := a.System.Catches(t.PID, syscall.SIGURG); err == nil && !caught {
		return Answer{}, ErrNotHeard
	}
	own := a.path(t.PID)
	answer, err := a.hear(ctx, t, path, own, h)
	if !errors.Is(err, errNoAnswer) {
		return answer, err
	}
	return a.silence(ctx, t, path, h)
}

// hear asks Python itself.
func (a Asker) hear(ctx context.Context, t Target, path, own string, h header) (Answer, error) {
	if path == own {
		done, err := a.Turns.take(ctx, own)
		if err != nil {
			return Answer{}, fmt.Errorf("asking for stacks: %w", err)
		}
		defer done()
		if err := shorten(path, h.size); err != nil {
			return Answer{}, fmt.Errorf("asking for stacks: %w", err)
		}
	}
	if err := a.Signal(t.PID, t.Stamp, syscall.SIGURG); err != nil {
		return Answer{}, fmt.Errorf("asking for stacks: %w", err)
	}
	patience := a.Patience
	if patience == 0 {
		patience = usualPatience
	}
	s, err := await(ctx, own, patience)
	if err != nil {
		return Answer{}, fmt.Errorf("asking for stacks: %w", err)
	}
	return Answer{Stacks: s}, shorten(own, 0)
}

func (a Asker) path(pid int) string {
	return filepath.Join(a.Folder, strconv.Itoa(pid)+stacksSuffix)
}

// find gives the file that proves that the recorder is in the process.
func (a Asker) find(t Target) (string, header, error) {
	if a.Folder == "" || t.PID <= 1 {
		return "", header{}, ErrNoRecorder
	}
	for _, pid := range []int{t.PID, t.Forked} {
		if pid <= 1 {
			continue
		}
		text, _, err := read(a.path(pid), 0, 4<<10)
		if err != nil {
			continue
		}
		if h, err := parseHeader(text); err == nil && h.PID == pid {
			return a.path(pid), h, nil
		}
	}
	return "", header{}, ErrNoRecorder
}

// await reads the answer when it is there. The signal has no way to tell.
func await(ctx context.Context, path string, patience time.Duration) (Stacks, error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	size := int64(-1)
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		if info, err := os.Lstat(path); err == nil && info.Size() != size {
			size = info.Size()
			text, _, err := read(path, 0, maxAnswer)
			if err != nil {
				return Stacks{}, err
			}
			if s, err := ParseStacks(text); !errors.Is(err, errNoAnswer) {
				return s, err
			}
		}
		select {
		case <-ctx.Done():
			return Stacks{}, ctx.Err()
		case <-limit.C:
			return Stacks{}, errNoAnswer
		case <-time.After(wait):
		}
	}
}

// silence finds out what can be found out of a process that does not answer.
func (a Asker) silence(ctx context.Context, t Target, path string, h header) (Answer, error) {
	if stopped, err := a.System.Stopped(t.PID); err == nil && stopped {
		return Answer{Stopped: true}, nil
	}
	answer := Answer{Silent: true}
	var err error
	if answer.Why, err = a.forbids(ctx, t, path, h); err != nil || answer.Why != "" {
		return answer, err
	}
	done, err := a.Turns.take(ctx, path) // the file may be its parent's
	if err != nil {
		return answer, fmt.Errorf("asking for a raw dump: %w", err)
	}
	defer done()
	before, err := os.Lstat(path)
	if err != nil {
		return answer, fmt.Errorf("asking for a raw dump: %w", err)
	}
	if err := a.Signal(t.PID, t.Stamp, syscall.Signal(h.Dump)); err != nil {
		return answer, fmt.Errorf("asking for a raw dump: %w", err)
	}
	text, err := settled(ctx, path, before.Size())
	if err != nil {
		return answer, fmt.Errorf("reading a raw dump: %w", err)
	}
	// The answer to the first signal may have come meanwhile.
	if s, err := ParseStacks(text); err == nil && s.PID == t.PID {
		return Answer{Stacks: s}, nil
	}
	answer.Stacks = ParseDump(text)
	answer.Stacks.PID = t.PID
	return answer, shorten(path, h.size)
}

// forbids says why there must be no raw dump: faulthandler walks the frames of all threads without the GIL, and kills the server if one of
// them runs.
func (a Asker) forbids(ctx context.Context, t Target, path string, h header) (string, error) {
	if h.Dump == 0 {
		return "the program uses the signal for it", nil
	}
	if caught, err := a.System.Catches(t.PID, syscall.Signal(h.Dump)); err != nil || !caught {
		return "the process does not listen to the signal for it", nil
	}
	busy, err := a.othersRun(ctx, t.PID)
	if err != nil {
		return "", err
	}
	if busy != "" {
		return busy, nil
	}
	if stopped, err := a.System.Stopped(t.PID); err != nil || stopped {
		return "the process is stopped", nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "its file is gone", nil
	}
	if same, err := a.System.Holds(t.PID, h.FD, info); err != nil || !same {
		return "the process has another file in the place of the recorder's", nil
	}
	return "", nil
}

// othersRun says whether other threads of the process than its main one run, or did within the last tenth of a second. A server that waits
// has threads that look around now and then, so a moment in which none does is waited for.
func (a Asker) othersRun(ctx context.Context, pid int) (string, error) {
	const unknown = "what its threads use of the CPU is not known"
	before, err := a.System.Threads(pid)
	if err != nil {
		return unknown, nil
	}
	for range quietTries {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(quiet):
		}
		after, err := a.System.Threads(pid)
		if err != nil {
			return unknown, nil
		}
		if !anyRan(pid, before, after) {
			return "", nil
		}
		before = after
	}
	return "other threads of the process run", nil
}

func anyRan(pid int, before, after map[int]ThreadUse) bool {
	for tid, now := range after {
		then, known := before[tid]
		if tid != pid && (!known || now.Running || now.CPU != then.CPU) { // on Linux the main thread has the number of the process
			return true
		}
	}
	return false
}

// settled reads what is added to a file after size, once it no longer grows: faulthandler marks no end.
func settled(ctx context.Context, path string, size int64) ([]byte, error) {
	last, still := size, 0
	for range 50 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
		info, err := os.Lstat(path)
		if err != nil {
			return nil, err
		}
		if info.Size() != last {
			last, still = info.Size(), 0
		} else if still++; last > size && still == 3 {
			break
		}
	}
	text, _, err := read(path, size, maxAnswer)
	return text, err
}

func read(path string, from int64, most int64) ([]byte, os.FileInfo, error) {
	f, info, err := open(path, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, from, most))
	return text, info, err
}

// shorten leaves the header alone in a file of stacks; size 0 asks the file for it.
func shorten(path string, size int64) error {
	f, _, err := open(path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	if size == 0 {
		begin := make([]byte, 4<<10)
		n, _ := f.ReadAt(begin, 0)
		h, err := parseHeader(begin[:n])
		if err != nil {
			return err
		}
		size = h.size
	}
	return f.Truncate(size)
}

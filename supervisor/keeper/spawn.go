package keeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// child is a run that was started: what the keeper needs to know until it has ended.
type child struct {
	run   Run
	pump  *pump
	asked atomic.Bool // a Stop is under way
	exit  int         // what exit.json will be, see records.begin
}

// spawner starts children, one at a time, and sees them die. It does what may block, so that the loop does not.
type spawner struct {
	records records
	log     *rotated
	reaper  *reaper
	null    int   // /dev/null, the children's stdin
	last    Run   // the run before, whose remains are ended before the next
	foreign bool  // last was not started by this process: its orphans did not come back to us
	pump    *pump // of the last child

	born    atomic.Pointer[child] // the child whose leader is not reaped
	ended   func(*child, Exit, []byte)
	problem func(format string, args ...any)
}

func newSpawner(dir string, ended func(*child, Exit, []byte), problem func(string, ...any)) (*spawner, error) {
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", os.DevNull, err)
	}
	n := &spawner{records: records{dir}, log: newRotated(), null: null, ended: ended, problem: problem}
	n.reaper = newReaper(n.died)
	n.last, n.foreign = n.records.last()
	_ = encodeExit(Exit{Tail: []string{""}}) // the first of its kind takes JSON a tenth of a millisecond longer: not between a death and a start
	return n, nil
}

// descendantsOf is everybody of a run of this keeper.
func (n *spawner) descendantsOf(r Run) *descendants {
	k := &descendants{run: r.ID, parent: os.Getpid()}
	if r.PID > 0 && r.Stamp != "" {
		k.roots = []proc.Process{{PID: r.PID, Stamp: r.Stamp}}
	}
	if !n.foreign {
		k.nobody, k.group = n.reaper.nobody, n.reaper.signalGroup
		k.know(n.reaper.orphans())
	}
	return k
}

// clear ends what the last run left behind.
func (n *spawner) clear(ctx context.Context) error {
	if n.last.ID == "" {
		return nil
	}
	if err := n.descendantsOf(n.last).clear(ctx); err != nil {
		return fmt.Errorf("ending what run %s left behind: %w", n.last.ID, err)
	}
	return nil
}

// spawn starts a child. What the run before left behind is ended first.
func (n *spawner) spawn(ctx context.Context, s Spec) (*child, error) {
	if err := checkSpec(s); err != nil {
		return nil, err
	}
	if err := n.clear(ctx); err != nil {
		return nil, err
	}
	n.foreign = false
	if err := n.log.open(s.Log, s.LogSize, s.LogKeep); err != nil {
		return nil, err
	}
	r, w, err := pipe()
	if err != nil {
		return nil, &SpawnError{Path: s.Argv[0], Err: fmt.Errorf("making a pipe: %w", err)}
	}
	defer syscall.Close(w)
	widen(w)
	if err := syscall.SetNonblock(r, true); err != nil {
		syscall.Close(r)
		return nil, &SpawnError{Path: s.Argv[0], Err: fmt.Errorf("making a pipe: %w", err)}
	}
	c := &child{run: Run{ID: newID(), Started: time.Now()}, pump: newPump(r, n.log, s.Tail)}
	c.pump.probes = newProbeLines(c.run.ID, s.Probed)
	n.record(c.run)
	if err := n.fork(c, s, w); err != nil {
		syscall.Close(r)
		_ = n.records.failed(n.last)
		return nil, &SpawnError{Path: s.Argv[0], Err: err}
	}
	if n.pump != nil {
		n.pump.retire()
	}
	n.last, n.pump = c.run, c.pump
	go c.pump.run()
	n.record(c.run)
	return c, nil
}

// record writes run.json. A full disk is no reason not to run: the record is for the death of the keeper, which is rarer.
func (n *spawner) record(r Run) {
	if err := n.records.started(r); err != nil {
		n.problem("%v", err)
	}
}

func (n *spawner) fork(c *child, s Spec, out int) error {
	env := make([]string, 0, len(s.Env)+1)
	for _, v := range s.Env {
		if !strings.HasPrefix(v, proc.RunVariable+"=") { // from a Vivarium below which this one was started
			env = append(env, v)
		}
	}
	attr := &syscall.ProcAttr{
		Dir:   s.Dir,
		Env:   append(env, proc.RunVariable+"="+c.run.ID),
		Files: []uintptr{uintptr(n.null), uintptr(out), uintptr(out)},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	}
	return n.reaper.start(func() (int, error) {
		pid, err := syscall.ForkExec(s.Argv[0], s.Argv, attr)
		if err != nil {
			return 0, err
		}
		c.run.PID = pid
		if p, err := proc.Find(pid); err == nil { // it is unreaped: a zombie at worst
			c.run.Stamp = p.Stamp
		}
		c.exit = n.records.begin()
		n.born.Store(c)
		return pid, nil
	})
}

// checkSpec says what is wrong where the fork would only say "no such file".
func checkSpec(s Spec) error {
	if len(s.Argv) == 0 || !filepath.IsAbs(s.Argv[0]) {
		return &SpawnError{Path: strings.Join(s.Argv, " "), Err: errors.New("the program is not an absolute path")}
	}
	if !filepath.IsAbs(s.Log) {
		return &SpawnError{Path: s.Log, Err: errors.New("the log is not an absolute path")}
	}
	st, err := os.Stat(s.Dir)
	if err == nil && !st.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return &SpawnError{Path: s.Dir, Err: errno(err)}
	}
	return nil
}

// died runs on the reaper's goroutine, right after the leader was reaped: what the pipe holds is read without waiting, so that
// the tail has the last words; then the record; then whoever waits is told.
func (n *spawner) died(_ int, status syscall.WaitStatus, known bool) {
	c := n.born.Swap(nil)
	if c == nil {
		return
	}
	e := Exit{Run: c.run, At: time.Now(), Known: known, Asked: c.asked.Load()}
	switch {
	case !known:
	case status.Signaled():
		e.Signal = status.Signal()
	default:
		e.Code = status.ExitStatus()
	}
	c.pump.drain()
	e.Tail = c.pump.lines()
	b := encodeExit(e)
	if err := n.records.ended(c.exit, b); err != nil {
		n.problem("%v", err)
	}
	n.ended(c, e, b)
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it cannot fail: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

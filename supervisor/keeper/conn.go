package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// answerTime is how long a keeper may take for what it does at once.
const answerTime = 5 * time.Second

// leaveTime is how long a keeper may take to end after its last word.
const leaveTime = 2 * time.Second

// Conn is attached to a keeper, or holds the records of one that is gone. Its methods may be called from several goroutines.
type Conn struct {
	dir     string
	conn    *net.UnixConn // nil: records only
	pid     int
	version string

	mu       sync.Mutex
	run      *Run
	stopping bool
	parts    bool // the keeper knows what a goodbye is
	exit     *Exit
	calls    map[uint64]chan message
	next     uint64
	err      error         // why the connection ended
	changed  chan struct{} // closed and made anew at each change of exit and err
}

func newConn(dir string) *Conn {
	return &Conn{dir: dir, calls: make(map[uint64]chan message), changed: make(chan struct{})}
}

// Live says whether a keeper answers. Without one there is only its last word: Wait returns at once, Forget records it, and
// Spawn and Stop return ErrNone.
func (c *Conn) Live() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn != nil && c.err == nil
}

// Keeper is the keeper's PID and version; 0 and "" without one.
func (c *Conn) Keeper() (pid int, version string) { return c.pid, c.version }

// Current is the run under way.
func (c *Conn) Current() (Run, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil {
		return Run{}, false
	}
	return *c.run, true
}

// Stopping says whether a stop was already under way when we attached.
func (c *Conn) Stopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopping && c.run != nil
}

// Spawn starts a run. What the run before left behind is ended first, which may take a second. It returns a *SpawnError if the
// program cannot be started, ErrUnforgotten as long as the last exit is not forgotten, ErrRunning if there is a run.
func (c *Conn) Spawn(ctx context.Context, s Spec) (Run, error) {
	m, err := c.ask(ctx, message{Type: typeSpawn, Spec: &s})
	if err != nil {
		return Run{}, err
	}
	if m.Run == nil {
		return Run{}, errors.New("keeper: started a run without telling which")
	}
	return *m.Run, nil
}

// Stop lets the keeper climb the ladder, also if we die meanwhile. It returns once that is accepted; Wait returns when nobody
// is left. Called again with no Grace it cuts the grace short. For a run that has ended it ends what is left of it.
func (c *Conn) Stop(run string, l Ladder) error {
	return c.askNow(message{Type: typeStop, RunID: run, Ladder: &l})
}

// Forget says that the exit of that run is recorded. Until then it is told again at every attach. It does not wait for the
// keeper: what is asked after it, a Spawn above all, is done after it.
func (c *Conn) Forget(run string) error {
	if c.conn == nil {
		return c.forgetRecord(run)
	}
	c.mu.Lock()
	if c.exit == nil || c.exit.Run.ID != run {
		c.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrUnknownRun, run)
	}
	_, err := c.writeLocked(message{Type: typeForget, RunID: run}, nil)
	if err == nil {
		c.exit = nil
	}
	c.mu.Unlock()
	return c.lost(err)
}

// Probing tells the keeper that a health probe of the run is about to be made from that local port, so that the line which an access log
// writes of it can be left out; see Spec.Probed. It asks for no answer: a keeper of an older release ignores it.
func (c *Conn) Probing(run string, port int) {
	c.mu.Lock()
	if c.conn == nil || c.err != nil {
		c.mu.Unlock()
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(answerTime))
	_, err := c.conn.Write(message{Type: typeProbing, RunID: run, Port: port}.encode())
	c.mu.Unlock()
	_ = c.lost(err)
}

func (c *Conn) forgetRecord(run string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.exit == nil || c.exit.Run.ID != run {
		return fmt.Errorf("%w: %s", ErrUnknownRun, run)
	}
	lock, err := Lock(filepath.Join(c.dir, lockFile)) // a keeper that has come meanwhile writes these files itself
	if err != nil {
		return fmt.Errorf("forgetting run %s: %w", run, err)
	}
	defer lock.Close()
	if err := (records{c.dir}).forget(c.exit.Run); err != nil {
		return err
	}
	c.exit = nil
	return nil
}

// Wait returns the exit of the run, as often as it is asked, until it is forgotten. It may be called before there is a run. It
// returns ErrLost when the connection ends.
func (c *Conn) Wait(ctx context.Context) (Exit, error) {
	for {
		c.mu.Lock()
		exit, err, changed := c.exit, c.err, c.changed
		c.mu.Unlock()
		if exit != nil {
			return *exit, nil
		}
		if err != nil {
			return Exit{}, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Exit{}, ctx.Err()
		}
	}
}

// Goodbye ends the connection on purpose: a keeper without a run ends what is left of the last one, and then itself. Goodbye returns when
// it is gone, or with ctx. A keeper with a run lives on, as it does after Close; so does, for some seconds, one of an older version.
func (c *Conn) Goodbye(ctx context.Context) {
	defer c.Close()
	if _, running := c.Current(); !c.Live() || running {
		return
	}
	c.mu.Lock()
	if !c.parts {
		c.mu.Unlock()
		return
	}
	process, perr := proc.Find(c.pid) // it is there: it holds the other end
	_ = c.conn.SetWriteDeadline(time.Now().Add(answerTime))
	_, err := c.conn.Write(message{Type: typeGoodbye}.encode())
	c.mu.Unlock()
	for err == nil {
		c.mu.Lock()
		over, changed := c.err != nil, c.changed
		c.mu.Unlock()
		if over { // its last words; it has its socket and its lock to give back
			if perr == nil {
				until(ctx, leaveTime, func() bool { return !proc.Alive(process) })
			}
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the connection. The keeper and its run live on.
func (c *Conn) Close() error {
	c.end(net.ErrClosed)
	return nil
}

// end notes why the connection is over; the first reason counts.
func (c *Conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if c.conn != nil {
		c.conn.Close()
	}
	c.err = fmt.Errorf("%w: %w", ErrLost, why)
	for id, answer := range c.calls {
		close(answer)
		delete(c.calls, id)
	}
	c.wakeLocked()
}

func (c *Conn) wakeLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Conn) askNow(m message) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	_, err := c.ask(ctx, m)
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrSilent
	}
	return err
}

// ask sends a request and waits for its answer.
func (c *Conn) ask(ctx context.Context, m message) (message, error) {
	if c.conn == nil {
		return message{}, ErrNone
	}
	answer := make(chan message, 1)
	c.mu.Lock()
	id, err := c.writeLocked(m, answer)
	c.mu.Unlock()
	if err != nil {
		return message{}, c.lost(err)
	}
	select {
	case got, ok := <-answer:
		return c.answered(got, ok)
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.calls, id)
		c.mu.Unlock()
		return message{}, ctx.Err()
	}
}

// writeLocked writes a request. Its answer goes to the channel, if there is one.
func (c *Conn) writeLocked(m message, answer chan message) (uint64, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.next++
	m.ID = c.next
	if answer != nil {
		c.calls[m.ID] = answer
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(answerTime))
	_, err := c.conn.Write(m.encode())
	return m.ID, err
}

// lost ends the connection after a failed write.
func (c *Conn) lost(err error) error {
	if err == nil || errors.Is(err, ErrLost) {
		return err
	}
	c.end(err)
	return fmt.Errorf("%w: %w", ErrLost, err)
}

func (c *Conn) answered(m message, ok bool) (message, error) {
	switch {
	case !ok:
		c.mu.Lock()
		defer c.mu.Unlock()
		return message{}, c.err
	case m.Type == typeError:
		return message{}, m.Error.err()
	case m.Type == typeUnsupported:
		return message{}, ErrUnsupported
	}
	return m, nil
}

// read takes what the keeper says, until the connection ends.
func (c *Conn) read(d *decoder) {
	for {
		m, err := d.next()
		if err != nil {
			c.end(err)
			return
		}
		if err := c.take(m); err != nil {
			c.end(err)
			return
		}
	}
}

// take applies one message. What it does not know it ignores: the keeper may be newer.
func (c *Conn) take(m message) error {
	exit, err := m.exit()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m.Type {
	case typeHello:
		c.run, c.stopping, c.parts = m.Run, m.Stopping, m.Goodbye
		if exit != nil {
			c.exit = exit
		}
		c.wakeLocked()
	case typeExit:
		if exit != nil {
			c.run, c.exit = nil, exit
			c.wakeLocked()
		}
	case typeOK, typeError, typeUnsupported:
		if m.Type == typeOK && m.Run != nil {
			c.run, c.stopping = m.Run, false
		}
		if answer := c.calls[m.ID]; answer != nil {
			delete(c.calls, m.ID)
			answer <- m
		}
	}
	return nil
}

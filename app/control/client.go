package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// Client is a connection to the Vivarium program that keeps a backend.
type Client struct {
	PID     int    // the holder's
	Version string // the holder's
	conn    *net.UnixConn

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan controlReply
	rows    chan Row // news after a follow; closed at the end
	gone    chan struct{}
	once    sync.Once
}

// Dial reaches the holder of the backend whose state is kept in folder. It returns ErrNotHeld if there is none. A holder that goes before it
// has greeted is no answer: another one may follow it, and if none does that is one.
func Dial(ctx context.Context, folder string) (*Client, error) {
	for begin := time.Now(); ; {
		c, err := reach(ctx, folder)
		if !errors.Is(err, ErrHolderGone) || time.Since(begin) > HelloTime {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(dialPause):
		}
	}
}

// dialPause is for a holder that goes: its socket is there for a moment more.
const dialPause = 10 * time.Millisecond

func reach(ctx context.Context, folder string) (*Client, error) {
	path := filepath.Join(folder, controlAt)
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNotHeld
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the backend's holder: %w", err)
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("reaching the backend's holder: %s is no Unix socket", path)
	}
	c := &Client{conn: u, waiting: map[uint64]chan controlReply{}, rows: make(chan Row, maxBacklog), gone: make(chan struct{})}
	if err := c.greet(ctx); err != nil {
		u.Close()
		return nil, err
	}
	return c, nil
}

// greet exchanges hellos, with the rest of the conversation left to listen.
func (c *Client) greet(ctx context.Context) error {
	if uid, err := keeper.PeerUID(c.conn); err != nil || uid != os.Getuid() {
		return fmt.Errorf("the control socket belongs to another user (%d)", uid)
	}
	deadline := time.Now().Add(HelloTime)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	_ = c.conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := c.conn.Write(encode(controlRequest{Hello: ownHello(os.Getpid())})); err != nil && !errors.Is(err, syscall.EPIPE) {
		return holderTrouble(err)
	} // a holder that is full says so and closes at once: its words are there to be read all the same
	in := newLines(c.conn)
	line, err := in.next()
	if err != nil {
		return holderTrouble(err)
	}
	r, err := parseReply(line)
	if err != nil || r.Hello == nil {
		return errors.New("the control socket does not speak Vivarium's protocol")
	}
	if err := r.Error.err(); err != nil {
		return err
	}
	if !stop() && ctx.Err() != nil {
		return ctx.Err()
	}
	c.PID, c.Version = r.Hello.PID, r.Hello.Version
	_ = c.conn.SetDeadline(time.Time{})
	go c.listen(in)
	return nil
}

func holderTrouble(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the Vivarium program that keeps this backend does not answer")
	}
	return ErrHolderGone // it ended between our two words
}

func (c *Client) listen(in lines) {
	defer func() {
		c.Close()
		close(c.rows)
	}()
	for {
		line, err := in.next()
		if err != nil {
			return
		}
		r, err := parseReply(line)
		if err != nil {
			return
		}
		if r.ID == 0 {
			if r.Row != nil {
				select {
				case c.rows <- *r.Row:
				case <-c.gone:
					return
				}
			}
			continue
		}
		c.mu.Lock()
		answer := c.waiting[r.ID]
		delete(c.waiting, r.ID)
		c.mu.Unlock()
		if answer != nil {
			answer <- r
		}
	}
}

// Ask sends one request and waits for its answer. The row is the zero Row where the holder has none.
func (c *Client) Ask(ctx context.Context, what string) (Row, error) {
	r, err := c.request(ctx, what)
	if err != nil || r.Row == nil {
		return Row{}, err
	}
	return *r.Row, nil
}

func (c *Client) request(ctx context.Context, what string) (controlReply, error) {
	answer := make(chan controlReply, 1)
	c.mu.Lock()
	c.next++
	id := c.next
	c.waiting[id] = answer
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := c.conn.Write(encode(controlRequest{ID: id, Do: what}))
	c.mu.Unlock()
	if err != nil {
		c.Close()
		return controlReply{}, ErrHolderGone
	}
	var r controlReply
	select {
	case r = <-answer:
	case <-ctx.Done():
		return controlReply{}, ctx.Err()
	case <-c.gone:
		select { // the answer may have been the last word
		case r = <-answer:
		default:
			return controlReply{}, ErrHolderGone
		}
	}
	return r, r.Error.err()
}

// Status is how the backend is.
func (c *Client) Status(ctx context.Context) (Row, error) { return c.Ask(ctx, askStatus) }

// Start and its sisters tell the holder what a person wants; the row is that of the moment it heard it.
func (c *Client) Start(ctx context.Context) (Row, error) { return c.Ask(ctx, askStart) }

// Stop asks for the end of what runs.
func (c *Client) Stop(ctx context.Context) (Row, error) { return c.Ask(ctx, askStop) }

// Restart stops what runs and starts it anew.
func (c *Client) Restart(ctx context.Context) (Row, error) { return c.Ask(ctx, askRestart) }

// Hurry skips the grace of the stop that is under way.
func (c *Client) Hurry(ctx context.Context) (Row, error) { return c.Ask(ctx, askHurry) }

// Follow asks for news: the row is the present status, the channel gives what comes after it, and is closed at the end.
func (c *Client) Follow(ctx context.Context) (Row, <-chan Row, error) {
	r, err := c.Ask(ctx, askFollow)
	return r, c.rows, err
}

// Close ends the connection.
func (c *Client) Close() {
	c.once.Do(func() {
		close(c.gone)
		_ = c.conn.Close()
	})
}

// Remote is a backend that another Vivarium program keeps: the same as a supervisor of our own, over its control socket.
type Remote struct {
	client  *Client
	changed chan supervisor.Snapshot
	events  chan supervisor.Event
	wishes  chan string
}

// NewRemote takes over c; Run sets it going.
func NewRemote(c *Client) *Remote {
	return &Remote{
		client: c, wishes: make(chan string, 16),
		changed: make(chan supervisor.Snapshot, 1), events: make(chan supervisor.Event),
	}
}

// PID is the holder's.
func (r *Remote) PID() int { return r.client.PID }

// Run passes news on until ctx ends, or until the connection does: then it returns ErrHolderGone.
func (r *Remote) Run(ctx context.Context) error {
	defer r.client.Close()
	first, rows, err := r.client.Follow(ctx)
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer work.Wait()
	defer cancel()
	work.Go(func() { r.carryWishes(ctx) })
	if first.V != 0 {
		r.show(first.Snapshot())
	}
	for {
		select {
		case row, more := <-rows:
			if !more {
				return ErrHolderGone
			}
			if row.Event == "" {
				r.show(row.Snapshot())
				continue
			}
			select {
			case r.events <- row.Told():
			case <-ctx.Done():
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Remote) show(s supervisor.Snapshot) {
	s.HeldBy = r.client.PID
	select {
	case <-r.changed:
	default:
	}
	r.changed <- s // nobody else sends: there is room
}

func (r *Remote) carryWishes(ctx context.Context) {
	for {
		select {
		case what := <-r.wishes:
			_, _ = r.client.Ask(ctx, what) // what comes of it is told by the next status; a lost connection ends Run
		case <-ctx.Done():
			return
		}
	}
}

// wish never blocks: a holder that hears nothing for sixteen clicks will not hear the next one either.
func (r *Remote) wish(what string) {
	select {
	case r.wishes <- what:
	default:
	}
}

// Start and its sisters are told to the holder.
func (r *Remote) Start() { r.wish(askStart) }

// Stop asks for the end of what runs.
func (r *Remote) Stop() { r.wish(askStop) }

// Restart stops what runs and starts it anew.
func (r *Remote) Restart() { r.wish(askRestart) }

// TakeOver starts, and first ends a copy that was started by hand.
func (r *Remote) TakeOver() { r.wish(askTakeOver) }

// Hurry skips the grace of the stop that is under way.
func (r *Remote) Hurry() { r.wish(askHurry) }

// Look says that somebody looks.
func (r *Remote) Look() { r.wish(askLook) }

// Quit does nothing: the backend is its holder's, and lives on when we leave.
func (r *Remote) Quit() {}

// Changed gives the newest Snapshot.
func (r *Remote) Changed() <-chan supervisor.Snapshot { return r.changed }

// Events gives every event, in order.
func (r *Remote) Events() <-chan supervisor.Event { return r.events }

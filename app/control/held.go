package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	holderLock = "supervisor.lock" // flock, held as long as somebody supervises; its text is the holder's PID
	controlAt  = "ctl"

	maxClients    = 32
	maxBacklog    = 512 // lines a slow follower may be behind before it is dropped
	HelloTime     = 5 * time.Second
	writeTime     = 5 * time.Second
	lastWordsTime = 500 * time.Millisecond // how long Close waits for clients to read the last rows
)

// HeldError: another Vivarium program supervises the backend.
type HeldError struct{ PID int } // 0: it has not said yet

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "another Vivarium program keeps this backend"
	}
	return fmt.Sprintf("another Vivarium program keeps this backend (PID %d)", e.PID)
}

// Held is a backend that this program, and no other, may supervise. It answers other programs over the control socket.
type Held struct {
	lock *os.File
	path string // of the socket
	uid  int    // whose programs are served
	// Heard, if it is set before Serve, is told what other programs want before the supervisor is, and may have taken care of it: then the
	// supervisor is not told.
	Heard func(Wish) (done bool)

	mu      sync.Mutex
	ln      *net.UnixListener
	clients map[*controlClient]struct{}
	known   chan struct{} // closed when there is a snapshot
	latest  supervisor.Snapshot
	ending  bool // Serve is to return
	closed  bool
	served  sync.WaitGroup
}

// Hold takes the backend whose state is kept in folder. It returns a *HeldError if another program has it.
func Hold(folder string) (*Held, error) {
	if err := keeper.MakeFolder(folder); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, holderLock)
	lock, err := keeper.Lock(path)
	if errors.Is(err, keeper.ErrLocked) {
		return nil, &HeldError{PID: holderOf(path)}
	}
	if err != nil {
		return nil, err
	}
	at := filepath.Join(folder, controlAt)
	ln, err := keeper.ListenUnix(at)
	if err != nil {
		lock.Close()
		return nil, err
	}
	if err := lock.Truncate(0); err == nil {
		_, _ = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &Held{lock: lock, path: at, ln: ln, uid: os.Getuid(), clients: map[*controlClient]struct{}{}, known: make(chan struct{})}, nil
}

// holderOf reads who holds a lock that was found held.
func holderOf(path string) int {
	text, err := safefile.ReadState(path, 64)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil { // it has not said yet; a number that is too large is none
		return 0
	}
	return max(pid, 0)
}

// Serve answers other programs until ctx ends; what they want is told to s. It never blocks s, and no client can end it.
func (h *Held) Serve(ctx context.Context, s Supervision) error {
	stop := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ending = true
		_ = h.ln.SetDeadline(time.Now())
	})
	defer stop()
	for {
		ln := h.listener()
		conn, err := ln.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			if ln != h.listener() { // it was made again
				continue
			}
			return nil
		case err != nil: // out of descriptors: the backend matters more than its visitors
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		h.receive(conn, s)
	}
}

func (h *Held) listener() *net.UnixListener {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ln
}

// restore makes the socket again if somebody removed it: a holder that nobody can ask can only be killed. The caller holds h.mu.
func (h *Held) restore() {
	if _, err := os.Lstat(h.path); h.ending || h.closed || !errors.Is(err, fs.ErrNotExist) {
		return
	}
	mine, err := h.lock.Stat()
	at, lerr := os.Lstat(filepath.Join(filepath.Dir(h.path), holderLock))
	if err != nil || lerr != nil || !os.SameFile(mine, at) { // the folder is another's by now
		return
	}
	if ln, err := keeper.ListenUnix(h.path); err == nil {
		h.ln.SetUnlinkOnClose(false)
		_ = h.ln.Close()
		h.ln = ln
	}
}

// receive lets a client in, or says why not.
func (h *Held) receive(conn *net.UnixConn, s Supervision) {
	if uid, err := keeper.PeerUID(conn); err != nil || uid != h.uid {
		conn.Close()
		return
	}
	c := &controlClient{held: h, conn: conn, out: make(chan []byte, maxBacklog), gone: make(chan struct{})}
	h.mu.Lock()
	full := len(h.clients) >= maxClients || h.closed
	if !full {
		h.clients[c] = struct{}{}
		h.served.Add(2)
		c.send(encode(controlReply{Hello: ownHello(os.Getpid())}))
	}
	h.mu.Unlock()
	if full {
		_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)) // it fits the socket's buffer
		_, _ = conn.Write(encode(controlReply{Hello: ownHello(os.Getpid()), Error: &controlError{Kind: kindBusy, Text: "too many clients"}}))
		conn.Close()
		return
	}
	go c.write()
	go c.read(s)
}

// Show tells the followers how the backend is now.
func (h *Held) Show(s supervisor.Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.latest = s
	h.restore() // a backend that runs is measured every few seconds
	select {
	case <-h.known:
	default:
		close(h.known)
	}
	h.publish(StatusRow(s, time.Now()))
}

// Tell tells the followers what happened.
func (h *Held) Tell(e supervisor.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.publish(EventRow(e))
}

func (h *Held) publish(r Row) {
	var line []byte
	for c := range h.clients {
		if !c.follows {
			continue
		}
		if line == nil {
			r.HeldBy = os.Getpid()
			line = encode(controlReply{Row: &r})
		}
		c.send(line)
	}
}

// row is the present status, nil if there is none yet.
func (h *Held) row() *Row {
	select {
	case <-h.known:
	default:
		return nil
	}
	r := StatusRow(h.latest, time.Now())
	r.HeldBy = os.Getpid()
	return &r
}

// Close lets clients read what they were sent, and gives the backend free. Serve has ended before, or ends now.
func (h *Held) Close() error {
	h.mu.Lock()
	h.closed = true
	for c := range h.clients {
		c.drain()
	}
	h.mu.Unlock()
	_ = h.listener().Close() // it unlinks the socket, too, while the lock is still ours
	h.served.Wait()
	return h.lock.Close()
}

package keeper

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// helloTime is how long a client may take to say hello. Who says nothing would keep everybody else away for ever.
const helloTime = 3 * time.Second

// client is the keeper's end of a connection.
type client struct {
	conn *net.UnixConn
	pid  int
	out  chan []byte  // what did not fit into the socket at once
	late atomic.Int32 // how much of that is not written yet
	once sync.Once
	left chan struct{}

	parting bool // it said goodbye; owned by the loop
}

func newClient(conn *net.UnixConn, pid int) *client {
	return &client{conn: conn, pid: pid, out: make(chan []byte, 64), left: make(chan struct{})}
}

// send never blocks. What the socket takes at once is written here, because a hop to another thread is what a restart is made
// of; the rest is left to the writer. A client that does not read any more loses its connection.
func (c *client) send(m message) {
	b := m.encode()
	if c.late.Load() == 0 {
		b = b[c.writeNow(b):]
	}
	if len(b) == 0 {
		return
	}
	c.late.Add(1)
	select {
	case c.out <- b:
	default:
		c.close()
	}
}

// writeNow writes what the socket has room for. An error is found again by the writer.
func (c *client) writeNow(b []byte) (n int) {
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Write(func(fd uintptr) bool {
		n, _ = proc.IgnoringEINTR(func() (int, error) { return syscall.Write(int(fd), b) })
		return true
	})
	return max(n, 0)
}

func (c *client) write() {
	for {
		select {
		case b := <-c.out:
			if b == nil {
				c.close()
				return
			}
			_ = c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if _, err := c.conn.Write(b); err != nil {
				c.close()
				return
			}
			c.late.Add(-1)
		case <-c.left:
			return
		}
	}
}

// flush closes the connection once everything is written.
func (c *client) flush(within time.Duration) {
	select {
	case c.out <- nil:
	default:
		return
	}
	select {
	case <-c.left:
	case <-time.After(within):
	}
}

// read hands every message to the loop; the last one carries the error that ended the connection. What it is told of health probes, which is
// most of what is said while a server idles, is not worth the loop's waking.
func (c *client) read(to chan<- request, probing func(run string, port int)) {
	_ = c.conn.SetReadDeadline(time.Now().Add(helloTime))
	for d, first := newDecoder(c.conn), true; ; first = false {
		m, err := d.next()
		if first && err == nil {
			_ = c.conn.SetReadDeadline(time.Time{})
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.New("has not said hello")
		}
		if err == io.EOF || errors.Is(err, net.ErrClosed) {
			err = errors.New("has left")
		}
		if err == nil && m.ID == 0 && m.Type == typeProbing {
			probing(m.RunID, m.Port)
			continue
		}
		to <- request{from: c, message: m, err: err}
		if err != nil {
			return
		}
	}
}

// refuse says who is attached already.
func (c *client) refuse(holder int) {
	go func() {
		_ = c.conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.conn.Write(message{Type: typeBusy, PID: holder}.encode())
		c.close()
	}()
}

func (c *client) close() {
	c.once.Do(func() {
		close(c.left)
		c.conn.Close()
	})
}

// gone says whether the other end has closed the connection, even if there is something left to read.
func (c *client) gone() bool {
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return true
	}
	hup := false
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_, _ = proc.IgnoringEINTR(func() (int, error) { return unix.Poll(fds, 0) })
		hup = fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
	})
	return err != nil || hup
}

func encodeExit(e Exit) []byte {
	b, _ := json.Marshal(e) // strings and numbers
	return b
}

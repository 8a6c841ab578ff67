package control

import (
	"bufio"
	"io"
	"net"
	"sync"
	"time"
)

// controlClient is one connection to the control socket.
type controlClient struct {
	held    *Held
	conn    *net.UnixConn
	out     chan []byte
	gone    chan struct{} // closed when the connection has ended
	once    sync.Once
	follows bool // guarded by held.mu
	drained bool // guarded by held.mu; no more is sent
}

// Wish is what another program wants of a backend.
type Wish string

// The wishes that change whether it runs.
const (
	WishStart    Wish = askStart
	WishStop     Wish = askStop
	WishRestart  Wish = askRestart
	WishTakeOver Wish = askTakeOver
)

var wishes = map[Wish]func(Supervision){
	WishStart: Supervision.Start, WishStop: Supervision.Stop, WishRestart: Supervision.Restart, WishTakeOver: Supervision.TakeOver,
}

// send never blocks. A client that does not read is dropped: it must not cost the others anything. The caller holds held.mu.
func (c *controlClient) send(line []byte) {
	if c.drained {
		return
	}
	select {
	case c.out <- line:
	default:
		c.end()
	}
}

// drain lets the writer finish what is queued, and then end. The caller holds held.mu.
func (c *controlClient) drain() {
	if !c.drained {
		c.drained = true
		close(c.out)
		_ = c.conn.SetDeadline(time.Now().Add(lastWordsTime))
	}
}

func (c *controlClient) end() {
	c.once.Do(func() {
		close(c.gone)
		_ = c.conn.Close()
	})
}

func (c *controlClient) write() {
	defer c.held.served.Done()
	defer c.end()
	for {
		select {
		case line, more := <-c.out:
			if !more {
				return
			}
			c.deadline()
			if _, err := c.conn.Write(line); err != nil {
				return
			}
		case <-c.gone:
			return
		}
	}
}

// deadline bounds the next write, unless the last words bound it already.
func (c *controlClient) deadline() {
	c.held.mu.Lock()
	defer c.held.mu.Unlock()
	if !c.drained {
		_ = c.conn.SetWriteDeadline(time.Now().Add(writeTime))
	}
}

// read takes requests until the connection ends, or until one is garbage.
func (c *controlClient) read(s Supervision) {
	defer c.held.served.Done()
	defer func() {
		c.held.mu.Lock()
		delete(c.held.clients, c)
		c.held.mu.Unlock()
	}()
	in := newLines(c.conn)
	c.held.mu.Lock()
	if !c.drained {
		_ = c.conn.SetReadDeadline(time.Now().Add(HelloTime))
	}
	c.held.mu.Unlock()
	for greeted := false; ; {
		line, err := in.next()
		if err != nil {
			c.leave()
			return
		}
		req, err := parseRequest(line)
		if err != nil || !greeted && req.Hello == nil {
			c.end()
			return
		}
		if !greeted {
			greeted = true
			c.held.mu.Lock()
			if !c.drained {
				_ = c.conn.SetReadDeadline(time.Time{})
			}
			c.held.mu.Unlock()
		}
		if req.Do != "" {
			c.answer(s, req)
		}
	}
}

// leave ends the connection, but after the last words only when the writer has said everything.
func (c *controlClient) leave() {
	c.held.mu.Lock()
	drained := c.drained
	c.held.mu.Unlock()
	if !drained {
		c.end()
	}
}

func (c *controlClient) answer(s Supervision, req controlRequest) {
	reply := controlReply{ID: req.ID}
	follow := false
	switch req.Do {
	case askStatus:
	case askStacks:
		go c.answerStacks(s, req.ID)
		return
	case askFollow:
		follow = true
	case askStart, askStop, askRestart, askTakeOver:
		if heard := c.held.Heard; heard == nil || !heard(Wish(req.Do)) {
			wishes[Wish(req.Do)](s)
		}
	case askHurry:
		s.Hurry()
	case askLook:
		s.Look()
	case askHistory:
		tellHistory(s, &reply)
	default:
		reply.Error = &controlError{Kind: kindUnsupported, Text: "unsupported"}
	}
	select { // what a backend is, is known a moment after it was taken
	case <-c.held.known:
	case <-c.gone:
		return
	case <-time.After(HelloTime):
	}
	h := c.held
	h.mu.Lock()
	defer h.mu.Unlock()
	c.follows = c.follows || follow
	if reply.Error == nil {
		reply.Row = h.row()
	}
	c.send(encode(reply))
}

// lines reads lines of at most maxLine bytes.
type lines struct{ scanner *bufio.Scanner }

func newLines(r io.Reader) lines {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), maxLine)
	return lines{s}
}

// next is the next line; it is valid until the one after it. A line that is too long, or cut off by the end, is an error.
func (l lines) next() ([]byte, error) {
	if l.scanner.Scan() {
		return l.scanner.Bytes(), nil
	}
	if err := l.scanner.Err(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

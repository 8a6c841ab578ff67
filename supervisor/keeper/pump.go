package keeper

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

const (
	defaultTail = 64 << 10
	maxTail     = 512 << 10 // at worst 3 MiB as JSON, which still is a line that a client takes
	chunk       = 128 << 10 // the most that one read takes
	oldBuffer   = 16 << 10  // of a pump whose run has ended
)

// pump carries the output of one run from its pipe to the log, straight into the ring that also is the tail. What comes now and then it
// awaits in the netpoller; what comes fast, on a thread of its own. See rest and flow.
type pump struct {
	fd     int // our end of the pipe, non-blocking
	log    *rotated
	probes *probeLines // what is left out of the log

	mu    sync.Mutex
	ring  []byte
	at    int   // where the next byte goes
	total int64 // bytes read so far
	tail  int   // how many of the last bytes count
	old   bool  // another run has begun
	done  bool  // end of file
}

func newPump(fd int, log *rotated, tail int) *pump {
	if tail <= 0 {
		tail = defaultTail
	}
	tail = min(tail, maxTail)
	return &pump{fd: fd, log: log, tail: tail}
}

// run reads until everybody has closed the pipe.
func (p *pump) run() {
	file := os.NewFile(uintptr(p.fd), "output") // makes it known to the netpoller
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		p.flow(-1)
		return
	}
	for p.rest(raw) {
		p.flow(quiet)
	}
}

// A pipe that had so many writes within so short a time flows, and does so until it was quiet for as long.
const (
	burst = 16
	quiet = 100 * time.Millisecond
)

// rest reads as long as there is little to read, and says whether there is more to come. A server that idles writes the line of a health
// probe each few seconds. Whoever waits for that in a blocking call keeps Go's monitor awake for 10 ms each time, and the processor with it:
// sixty wake-ups for one line. The netpoller costs two.
func (p *pump) rest(raw syscall.RawConn) (more bool) {
	var since time.Time
	for wakes := 0; ; wakes++ {
		done := false
		err := raw.Read(func(uintptr) bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			some := p.readAll(-1)
			done = p.done
			return some || done
		})
		if err != nil { // it cannot be awaited there
			p.flow(-1)
			return false
		}
		if done {
			return false
		}
		if now := time.Now(); now.Sub(since) >= quiet {
			since, wakes = now, 0
		} else if wakes >= burst {
			return true
		}
	}
}

// flow reads on a locked thread until nothing came for so long, or for ever: blocking calls cost as much as cat, the netpoller up to 1.7
// times that.
func (p *pump) flow(until time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		ready, err := awaitInput(p.fd, until)
		if err != nil || ready == 0 {
			return
		}
		p.mu.Lock()
		if ready&unix.POLLIN != 0 {
			p.readAll(-1)
		} else {
			p.end()
		}
		done := p.done
		p.mu.Unlock()
		if done {
			return
		}
	}
}

// drain reads what the pipe holds now, without waiting: after the leader's death this is everything that it wrote.
// Somebody else who goes on writing gets no more than that.
func (p *pump) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n, err := unix.IoctlGetInt(p.fd, fionread); err == nil && !p.done && n > 0 {
		p.readAll(n)
	}
	p.log.settle()
}

// readAll reads until the pipe is empty, or a negative or used-up limit stops it. A read that was not filled has emptied the
// pipe, so that most rounds cost one read, one write and one poll. It says whether there was something, and holds mu.
func (p *pump) readAll(limit int) (some bool) {
	for !p.done {
		if p.ring == nil { // not before there is something to read: to clear so much memory would delay the fork
			p.ring = make([]byte, p.size())
		}
		buf := p.ring[p.at:min(len(p.ring), p.at+chunk)]
		n, err := proc.IgnoringEINTR(func() (int, error) { return syscall.Read(p.fd, buf) })
		if err == syscall.EAGAIN {
			return some
		}
		if err != nil || n == 0 {
			p.end()
			return some
		}
		p.took(buf[:n])
		some = true
		if limit >= 0 {
			if limit -= n; limit <= 0 {
				return some
			}
			continue
		}
		if n < len(buf) {
			return some
		}
		// Let a drain or a tail in between: a flood must not hold the lock for ever.
		p.mu.Unlock()
		p.mu.Lock()
	}
	return some
}

func (p *pump) took(b []byte) {
	p.at = (p.at + len(b)) % len(p.ring)
	p.total += int64(len(b))
	if p.probes == nil {
		p.log.write(b)
		return
	}
	p.probes.leaveOut(b, p.log.write)
}

func (p *pump) end() {
	p.done = true // run closes it
	p.log.settle()
	if p.old {
		p.ring = nil
	}
}

// retire is called when another run begins: whoever still holds the pipe may write on, into a small buffer.
func (p *pump) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.old, p.at, p.total, p.tail, p.ring = true, 0, 0, 0, nil
}

// size is that of the ring: no read overwrites the tail before it.
func (p *pump) size() int {
	if p.old {
		return oldBuffer
	}
	return p.tail + chunk
}

// lines is the tail as lines, oldest first. A first line whose beginning is lost is left out, unless there is no other.
func (p *pump) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int(min(p.total, int64(p.tail)))
	if n == 0 {
		return nil
	}
	b := make([]byte, 0, n+1)
	whole := p.total == int64(n)
	if !whole {
		n++ // one byte more tells whether the tail begins with a line
	}
	from := (p.at - n + 2*len(p.ring)) % len(p.ring)
	if from+n > len(p.ring) {
		b = append(b, p.ring[from:]...)
		b = append(b, p.ring[:p.at]...)
	} else {
		b = append(b, p.ring[from:from+n]...)
	}
	return tailLines(string(b), whole)
}

// tailLines splits the last bytes of output. If not whole, its first byte is one that came before the tail.
func tailLines(s string, whole bool) []string {
	if !whole {
		if i := strings.IndexByte(s, '\n'); i >= 0 && i < len(s)-1 {
			s = s[i+1:]
		} else {
			s = s[1:]
			for i := 0; i < utf8.UTFMax && s != "" && !utf8.RuneStart(s[0]); i++ {
				s = s[1:]
			}
		}
	}
	s = strings.TrimSuffix(s, "\n")
	if s == "" {
		return nil
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.ToValidUTF8(strings.TrimSuffix(l, "\r"), "\uFFFD")
	}
	return lines
}

// awaitInput waits until there is something to read (POLLIN), nobody is left to write (POLLHUP), or, 0, the time is over. Negative is for ever.
func awaitInput(fd int, most time.Duration) (ready int16, err error) {
	timeout := -1
	if most >= 0 {
		timeout = int(most.Milliseconds())
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, err = proc.IgnoringEINTR(func() (int, error) { return unix.Poll(fds, timeout) })
	return fds[0].Revents, err
}

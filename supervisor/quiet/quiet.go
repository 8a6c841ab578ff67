// Package quiet lets a program that idles for days beside a server wake the processor seldom: on a laptop, each time costs battery. A program
// calls Begin once, and whatever it does every few seconds ends with Beat. It knows nothing of servers, only what Go itself does between two
// pieces of work. Begin with watch.beat, which is pure.
package quiet

import (
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

var (
	mu    sync.Mutex
	begun bool
	own   watch
)

// Begin sets Go up for a program that does little, in turn, for days.
func Begin() {
	// One piece of work that starts another would wake a second thread for it, which finds it done. A number that is set also keeps Go from
	// looking at the cgroup every few seconds.
	runtime.GOMAXPROCS(1)
	// The server needs the memory: a small heap collected often costs nothing at one probe in 5 s.
	debug.SetGCPercent(25)
	mu.Lock()
	defer mu.Unlock()
	begun = true
}

// Beat is the end of a piece of work that comes again every few seconds. It does nothing in a program that did not call Begin.
func Beat() {
	mu.Lock()
	defer mu.Unlock()
	if begun && own.beat(time.Now(), switches()) {
		go settle()
	}
}

// switches is how often a thread of this program has gone to sleep of its own accord so far; each time it is woken again.
func switches() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Nvcsw
}

// A piece of work wakes a settled program about 4 times, and one whose monitor thread is not settled 12 to 40 times.
const (
	most      = 8 // times that a piece of work may wake the program
	beats     = 6 // pieces of work that are looked at together
	leastWait = 5 * time.Minute
	mostWait  = 24 * time.Hour
)

// watch finds out that the program is woken more often than its work needs.
type watch struct {
	last, sum int64
	n         int
	wait      time.Duration // how long the latest settling has to last; if it did not, the next one waits twice as long
	next      time.Time
}

// beat says whether to settle. Where that does not help, because something else wakes the program, it is tried less and less often.
func (w *watch) beat(now time.Time, switches int64) bool {
	first := w.last == 0
	w.sum, w.last = w.sum+switches-w.last, switches
	if first {
		w.sum = 0
		return false
	}
	if w.n++; w.n < beats {
		return false
	}
	restless := w.sum > most*beats
	w.n, w.sum = 0, 0
	switch {
	case now.Before(w.next): // settling costs as much as some minutes of unrest
	case !restless:
		w.wait = 0
	default:
		w.wait = min(max(2*w.wait, leastWait), mostWait)
		w.next = now.Add(w.wait)
		return true
	}
	return false
}

// Settling takes some turns of 10 ms, and gives up after mostTurns.
const (
	turn      = 10 * time.Millisecond
	mostTurns = 20
)

// settle works for a moment without a system call that lasts. Go's monitor thread looks every 20 µs at what goes on after it was woken by a
// system call of a program that had been idle, as the read of an answer is, and slows down to once in 10 ms when it has found nothing to do for
// about 25 ms. A probe is too short for that. At the slow pace it sleeps through a whole probe, so that nothing in it wakes it, and keeps it.
func settle() {
	for range mostTurns {
		before := switches()
		for begin := time.Now(); time.Since(begin) < turn; {
		}
		if switches()-before <= 2 {
			return
		}
	}
}

package dashboard

import (
	"sync"
	"time"
)

// lifetime ends when no page has been open for some time.
type lifetime struct {
	idle time.Duration

	mu    sync.Mutex
	pages int
	timer *time.Timer
	end   chan struct{}
	over  bool
}

func newLifetime(idle time.Duration) *lifetime {
	l := &lifetime{idle: idle, end: make(chan struct{})}
	l.timer = time.AfterFunc(idle, l.finish)
	return l
}

// arrive counts a page in; the function that it returns counts it out, once.
func (l *lifetime) arrive() (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages++
	l.timer.Stop()
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.pages--; l.pages == 0 {
			l.timer.Reset(l.idle)
		}
	})
}

// expect waits anew for a page. false: it is over.
func (l *lifetime) expect() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pages == 0 && !l.over {
		l.timer.Reset(l.idle)
	}
	return !l.over
}

func (l *lifetime) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pages == 0 && !l.over { // else one came while the timer went off
		l.over = true
		close(l.end)
	}
}

// ended is closed when it is over.
func (l *lifetime) ended() <-chan struct{} { return l.end }

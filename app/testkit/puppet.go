package app

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
)

// patience is how long anything may take that should take much less: the machine may be slow and busy.
const patience = 20 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, "not within "+patience.String()+": "+what)
		}
	}
}

// shortDir is a temporary folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "viv")
	require.NoError(t, err)
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// puppet is a Supervision that does what a test says. Told to start it is healthy at once, told to stop it is stopped, unless slow.
type puppet struct {
	changed chan supervisor.Snapshot
	events  chan supervisor.Event
	slow    bool // a stop is begun, and never done

	mu    sync.Mutex
	now   supervisor.Snapshot
	heard []string
}

func newPuppet(dir string) *puppet {
	return &puppet{
		changed: make(chan supervisor.Snapshot, 1), events: make(chan supervisor.Event, 16),
		now: supervisor.Snapshot{Backend: filepath.Base(dir), Dir: dir, Log: filepath.Join(dir, "logs", "server.log"), Port: 8000, URL: "http://127.0.0.1:8000"},
	}
}

func (p *puppet) become(f func(*supervisor.Snapshot)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.now)
	select {
	case <-p.changed:
	default:
	}
	p.changed <- p.now
}

func (p *puppet) hear(what string) {
	p.mu.Lock()
	p.heard = append(p.heard, what)
	p.mu.Unlock()
}

func (p *puppet) has(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.heard, what)
}

func (p *puppet) run() {
	p.become(func(s *supervisor.Snapshot) { s.State, s.Want, s.Run.PID = supervisor.Healthy, true, 4711 })
}

func (p *puppet) end(want bool) {
	p.become(func(s *supervisor.Snapshot) {
		s.State, s.Want = supervisor.Stopping, want
		if !p.slow {
			s.State, s.Run.PID = supervisor.Stopped, 0
		}
	})
}

func (p *puppet) Start()    { p.hear("start"); p.run() }
func (p *puppet) TakeOver() { p.hear("take-over"); p.run() }
func (p *puppet) Restart()  { p.hear("restart"); p.run() }
func (p *puppet) Stop()     { p.hear("stop"); p.end(false) }
func (p *puppet) Quit()     { p.hear("quit"); p.end(true) }
func (p *puppet) Hurry()    { p.hear("hurry"); p.slow = false; p.end(false) }
func (p *puppet) Look()     { p.hear("look") }

func (p *puppet) Changed() <-chan supervisor.Snapshot { return p.changed }
func (p *puppet) Events() <-chan supervisor.Event     { return p.events }

func (p *puppet) Run(ctx context.Context) error {
	p.become(func(*supervisor.Snapshot) {})
	<-ctx.Done()
	return nil
}

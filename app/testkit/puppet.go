// Package testkit is for the tests of the packages beside it: a supervisor that does what a test says, snapshots, folders and a real
// session bus. No code outside of tests may import it.
package testkit

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
	"github.com/vivarium-app/vivarium/supervisor/observation"
)

// Patience is how long anything may take that should take much less: the machine may be slow and busy.
const Patience = 20 * time.Second

func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); ; time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, "not within "+Patience.String()+": "+what)
		}
	}
}

// ShortDir is a temporary folder whose path leaves room for a socket's name.
func ShortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "viv")
	require.NoError(t, err)
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Puppet is a Supervision that does what a test says. Told to start it is healthy at once, told to stop it is stopped, unless slow.
type Puppet struct {
	changed chan supervisor.Snapshot
	Told    chan supervisor.Event
	Seen    func() (observation.Observation, error) // what Stacks gives
	Slow    bool                                    // a stop is begun, and never done

	Mu    sync.Mutex
	Shown supervisor.Snapshot
	heard []string
}

func NewPuppet(dir string) *Puppet {
	return &Puppet{
		changed: make(chan supervisor.Snapshot, 1), Told: make(chan supervisor.Event, 16),
		Shown: supervisor.Snapshot{Backend: filepath.Base(dir), Dir: dir, Log: filepath.Join(dir, "logs", "server.log"), Port: 8000, URL: "http://127.0.0.1:8000"},
	}
}

func (p *Puppet) Become(f func(*supervisor.Snapshot)) {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	f(&p.Shown)
	select {
	case <-p.changed:
	default:
	}
	p.changed <- p.Shown
}

func (p *Puppet) hear(what string) {
	p.Mu.Lock()
	p.heard = append(p.heard, what)
	p.Mu.Unlock()
}

func (p *Puppet) Has(what string) bool {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	return slices.Contains(p.heard, what)
}

func (p *Puppet) BecomeHealthy() {
	p.Become(func(s *supervisor.Snapshot) { s.State, s.Want, s.Run.PID = supervisor.Healthy, true, 4711 })
}

func (p *Puppet) end(want bool) {
	p.Become(func(s *supervisor.Snapshot) {
		s.State, s.Want = supervisor.Stopping, want
		if !p.Slow {
			s.State, s.Run.PID = supervisor.Stopped, 0
		}
	})
}

func (p *Puppet) Start()    { p.hear("start"); p.BecomeHealthy() }
func (p *Puppet) TakeOver() { p.hear("take-over"); p.BecomeHealthy() }
func (p *Puppet) Restart()  { p.hear("restart"); p.BecomeHealthy() }
func (p *Puppet) Stop()     { p.hear("stop"); p.end(false) }
func (p *Puppet) Quit()     { p.hear("quit"); p.end(true) }
func (p *Puppet) Hurry()    { p.hear("hurry"); p.Slow = false; p.end(false) }
func (p *Puppet) Look()     { p.hear("look") }

func (p *Puppet) Stacks(context.Context) (observation.Observation, error) {
	p.hear("stacks")
	if p.Seen == nil {
		return observation.Observation{}, supervisor.ErrNothingRuns
	}
	return p.Seen()
}

func (p *Puppet) Changed() <-chan supervisor.Snapshot { return p.changed }
func (p *Puppet) Events() <-chan supervisor.Event     { return p.Told }

func (p *Puppet) Run(ctx context.Context) error {
	p.Become(func(*supervisor.Snapshot) {})
	<-ctx.Done()
	return nil
}

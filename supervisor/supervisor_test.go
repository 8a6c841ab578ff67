package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/postmortem"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// fakeKeeper runs nothing; the test decides when a run ends and when the connection breaks.
type fakeKeeper struct {
	mu      sync.Mutex
	runs    int
	current keeper.Run
	live    bool
	exits   chan keeper.Exit
	broken  chan struct{}
	calls   []string
	output  []string
	// stopSignal is what a stop ends a run with.
	stopSignal int
}

func newFakeKeeper() *fakeKeeper {
	return &fakeKeeper{live: true, stopSignal: 2, exits: make(chan keeper.Exit, 1), broken: make(chan struct{})}
}

func (k *fakeKeeper) note(format string, a ...any) {
	k.calls = append(k.calls, fmt.Sprintf(format, a...))
}

func (k *fakeKeeper) did() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.calls...)
}

func (k *fakeKeeper) Live() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.live }

func (k *fakeKeeper) Current() (keeper.Run, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current, k.current.ID != ""
}

func (k *fakeKeeper) Stopping() bool { return false }

func (k *fakeKeeper) Spawn(context.Context, keeper.Spec) (keeper.Run, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.runs++
	k.current = keeper.Run{ID: fmt.Sprint("run", k.runs), PID: 100 + k.runs, Started: time.Now().Round(0)}
	k.note("spawn %s", k.current.ID)
	return k.current, nil
}

func (k *fakeKeeper) Stop(run string, l keeper.Ladder) error {
	k.mu.Lock()
	k.note("stop %s %s", run, l.Grace)
	signal := k.stopSignal
	k.mu.Unlock()
	k.end(signal, true)
	return nil
}

// end is the death of the current run by a signal.
func (k *fakeKeeper) end(signal int, asked bool) {
	k.ends(keeper.Exit{Asked: asked, Signal: syscall.Signal(signal)})
}

// endWith is the end of the current run by itself.
func (k *fakeKeeper) endWith(code int) { k.ends(keeper.Exit{Code: code}) }

func (k *fakeKeeper) ends(e keeper.Exit) {
	k.mu.Lock()
	e.Run, e.At, e.Known, e.Tail = k.current, time.Now().Round(0), true, k.output
	k.current, k.output = keeper.Run{}, nil
	k.mu.Unlock()
	k.exits <- e
}

// says is the output of the current run.
func (k *fakeKeeper) says(lines ...string) { k.mu.Lock(); defer k.mu.Unlock(); k.output = lines }

func (k *fakeKeeper) Wait(ctx context.Context) (keeper.Exit, error) {
	select {
	case e := <-k.exits:
		return e, nil
	case <-k.broken:
		return keeper.Exit{}, keeper.ErrLost
	case <-ctx.Done():
		return keeper.Exit{}, ctx.Err()
	}
}

func (k *fakeKeeper) Forget(run string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("forget %s", run)
	return nil
}

func (k *fakeKeeper) Probing(run string, port int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("probing %s %d", run, port)
}

func (k *fakeKeeper) Goodbye(context.Context) { _ = k.Close() }

func (k *fakeKeeper) Close() error { k.mu.Lock(); defer k.mu.Unlock(); k.note("close"); return nil }

// stage is a Supervisor in a system of fakes, inside a synctest bubble.
type stage struct {
	*Supervisor
	k       *fakeKeeper
	events  []Event
	records []record.Record // as they were told
	mu      sync.Mutex
	ill     bool
	waits   func(context.Context, config.Config, func() bool, func(Awaits)) (bool, error) // see await
	cancel  context.CancelFunc
	done    chan error
}

func (s *stage) told() []What {
	s.mu.Lock()
	defer s.mu.Unlock()
	var w []What
	for _, e := range s.events {
		w = append(w, e.What)
	}
	return w
}

// recorded makes a page of a record, as an app does.
func (s *stage) recorded(r record.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
	_ = os.WriteFile(r.Page(), []byte(r.Verdict.Summary), 0o600)
}

func (s *stage) toldRecords() []record.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

func (s *stage) setIll(ill bool) { s.mu.Lock(); defer s.mu.Unlock(); s.ill = ill }

func setStage(t *testing.T, state string, change func(*platform.System)) *stage {
	s := &stage{k: newFakeKeeper(), done: make(chan error, 1)}
	c := testConfig()
	c.Autostart = false
	w := platform.System{
		Attach:   func(context.Context, string) (platform.Keeper, error) { return nil, keeper.ErrNone },
		Launch:   func(context.Context, string, string) (platform.Keeper, error) { return s.k, nil },
		EndStale: func(context.Context, keeper.Run, keeper.Ladder) error { return nil },
		Load:     func(string) (config.Config, error) { return c, nil },
		Plan:     func(config.Config) (plan.Plan, error) { return plan.Plan{}, nil },
		Record:   func(_ config.Config, spec keeper.Spec) (keeper.Spec, error) { return spec, nil },
		Changed:  func(config.Config) bool { return false },
		Claim: func(context.Context, config.Config, port.Mine) (port.Finding, error) {
			return port.Finding{Free: true}, nil
		},
		EndCopies: func(context.Context, port.Finding, keeper.Ladder) error { return nil },
		FindPath:  func(context.Context, config.Target) string { return "" },
		SpeaksTLS: func(context.Context, config.Target) bool { return false },
		Ports:     func(keeper.Run) ([]int, error) { return nil, nil },
		Probe: func(context.Context, config.Config, probe.Options) (time.Duration, error) {
			time.Sleep(2 * time.Millisecond)
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.ill {
				return 0, errors.New("no answer within 3 s")
			}
			return 2 * time.Millisecond, nil
		},
		Listening: func(int, keeper.Run) (bool, error) { return true, nil },
		Machine:   func(int) uint64 { return 16_000_000_000 },
		Pressure:  func() memory.Pressure { return memory.Pressure{Level: memory.Normal} },
		Use: func(keeper.Run, process.Usage, time.Duration, bool, *memory.Meter) (process.Usage, []process.Child, error) {
			return process.Usage{Procs: 1}, nil, nil
		},
		Observe: func(context.Context, observation.Subject) observation.Observation { return observation.Observation{} },
		Loaded:  func(int) ([]string, error) { return nil, nil },
		Environ: func(int) ([]string, error) { return []string{"A=b"}, nil },
		Memory:  func(int) *postmortem.MemoryWatch { return nil },
		Scan: func(context.Context, python.Interpreter) (openmp.Environment, error) {
			return openmp.Environment{}, errors.New("nothing to walk")
		},
	}
	if change != nil {
		change(&w)
	}
	s.Supervisor = New("/b", Deps{State: state, Recorded: s.recorded, Await: s.await})
	s.system, s.m.sampler = w, w.Sample != nil
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.done <- s.Run(ctx) }()
	go func() {
		for {
			select {
			case e := <-s.Events():
				s.mu.Lock()
				s.events = append(s.events, e)
				s.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	return s
}

// leave ends the loop as a kill of the app would, only more politely.
func (s *stage) leave(t *testing.T) {
	s.cancel()
	require.NoError(t, <-s.done)
}

func TestTheLoopStartsProbesRestartsAndStops(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, nil)
		s.Start()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		snap := <-s.Changed()
		require.Equal(t, Healthy, snap.State)
		require.Equal(t, 2*time.Millisecond, snap.Health.Latency)
		s.k.end(11, false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, Healthy, (<-s.Changed()).State)
		s.Stop()
		time.Sleep(time.Second)
		synctest.Wait()
		snap = <-s.Changed()
		require.Equal(t, Stopped, snap.State)
		require.False(t, snap.Want)
		require.Equal(t, []What{EventStarted, EventHealthy, EventCrashed, EventRestarting, EventStarted, EventHealthy, EventStopping, EventStopped}, s.told())
		s.leave(t)
		require.Equal(t, []string{"spawn run1", "forget run1", "spawn run2", "stop run2 10s", "forget run2", "close"}, s.k.did())
	})
}

func TestTheLoopLeavesTheChildAloneAtItsEnd(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, nil)
		s.Start()
		time.Sleep(time.Second)
		s.leave(t)
		require.Equal(t, []string{"spawn run1", "close"}, s.k.did())
		w, err := record.ReadWant(keeper.BackendFolder(state, "/b"))
		require.NoError(t, err)
		require.True(t, w.Want, "the next app knows that it is wanted")
	})
}

func TestIntentsThatComeBeforeTheLoopKnowsWhatIsThereAreNotLost(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, func(w *platform.System) {
			attach := w.Attach
			w.Attach = func(ctx context.Context, f string) (platform.Keeper, error) {
				time.Sleep(5 * time.Second)
				return attach(ctx, f)
			}
		})
		s.Start()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		require.Empty(t, s.told())
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Equal(t, Healthy, (<-s.Changed()).State)
		s.leave(t)
	})
}

func TestALostConnectionIsMadeAgainAndTheRunGoesOn(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var second *fakeKeeper
		s := setStage(t, state, func(w *platform.System) {
			w.Attach = func(context.Context, string) (platform.Keeper, error) {
				mu.Lock()
				defer mu.Unlock()
				if second == nil {
					return nil, keeper.ErrNone
				}
				return second, nil
			}
		})
		s.Start()
		time.Sleep(time.Second)
		synctest.Wait()
		run, _ := s.k.Current()
		mu.Lock()
		second = newFakeKeeper()
		second.current = run
		mu.Unlock()
		close(s.k.broken)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, Healthy, (<-s.Changed()).State)
		second.end(11, false)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Contains(t, s.told(), EventCrashed, "the end comes through the new connection")
		s.leave(t)
	})
}

func TestADeadKeeperIsNoticedItsServerEndedAndANewOneStarted(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		first, second := newFakeKeeper(), newFakeKeeper()
		second.runs = 1
		next := first
		s := setStage(t, state, func(w *platform.System) {
			w.Launch = func(context.Context, string, string) (platform.Keeper, error) {
				mu.Lock()
				defer mu.Unlock()
				k := next
				next = second
				return k, nil
			}
			w.EndStale = func(_ context.Context, r keeper.Run, _ keeper.Ladder) error {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, "end "+r.ID)
				return nil
			}
		})
		s.Start()
		time.Sleep(time.Second)
		close(first.broken)
		time.Sleep(time.Second)
		synctest.Wait()
		mu.Lock()
		require.Equal(t, []string{"end run1"}, order)
		mu.Unlock()
		require.Equal(t, []What{EventStarted, EventHealthy, EventKeeperLost, EventRestarting, EventStarted, EventHealthy}, s.told())
		require.Contains(t, second.did(), "spawn run2")
		s.leave(t)
	})
}

func TestAHangIsToldAndNothingIsDoneAboutItByDefault(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, nil)
		s.Start()
		time.Sleep(time.Minute)
		s.setIll(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		snap := <-s.Changed()
		require.Equal(t, Unhealthy, snap.State)
		require.Equal(t, record.PhaseHung, snap.Health.Phase)
		s.setIll(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, Healthy, (<-s.Changed()).State)
		require.Equal(t, []What{EventStarted, EventHealthy, EventUnhealthy, EventHealthy}, s.told())
		s.leave(t)
	})
}

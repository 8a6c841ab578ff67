package order

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// ground is a state folder with backends beside each other.
type ground struct {
	t          *testing.T
	state, top string
	waiter     Waiter
}

func newGround(t *testing.T) *ground {
	g := &ground{t: t, state: testkit.ShortDir(t), top: testkit.ShortDir(t)}
	g.waiter = Waiter{State: g.state}
	return g
}

func (g *ground) backend(name, text string) config.Config {
	dir := filepath.Join(g.top, name)
	require.NoError(g.t, os.MkdirAll(dir, 0o755))
	require.NoError(g.t, os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o644))
	c, err := config.Load(dir)
	require.NoError(g.t, err)
	return c
}

// hold keeps a backend as another program would, and answers for it, until the test ends.
func (g *ground) hold(c config.Config) *testkit.Puppet {
	p := testkit.NewPuppet(c.Dir)
	held, err := control.Hold(keeper.BackendFolder(g.state, c.Dir))
	require.NoError(g.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(ctx, p) })
	work.Go(func() { _ = p.Run(ctx) })
	work.Go(func() {
		for {
			select {
			case s := <-p.Changed():
				held.Show(s)
			case <-ctx.Done():
				return
			}
		}
	})
	g.t.Cleanup(func() { cancel(); work.Wait(); _ = held.Close() })
	return p
}

// waits is an Await under way.
type waits struct {
	mu     sync.Mutex
	told   []supervisor.Awaits
	waited bool
	done   chan error
	cancel context.CancelFunc
}

func (g *ground) await(c config.Config, asked bool) *waits {
	ctx, cancel := context.WithCancel(context.Background())
	w := &waits{done: make(chan error, 1), cancel: cancel}
	g.t.Cleanup(cancel)
	go func() {
		waited, err := g.waiter.Await(ctx, c, func() bool { return asked }, func(a supervisor.Awaits) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, a)
		})
		w.waited = waited
		w.done <- err
	}()
	return w
}

func (w *waits) latest() supervisor.Awaits {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.told) == 0 {
		return supervisor.Awaits{}
	}
	return w.told[len(w.told)-1]
}

func (w *waits) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-time.After(testkit.Patience):
		t.Fatalf("it still waits for %+v", w.latest())
	}
	return nil
}

func (w *waits) until(t *testing.T, want supervisor.Awaits) {
	t.Helper()
	testkit.Eventually(t, "waits for "+want.Name+", "+want.Why, func() bool { return w.latest() == want })
}

func TestOneThatIsHealthyAlreadyIsNotWaitedFor(t *testing.T) {
	g := newGround(t)
	shop := g.backend("shop", "after = ['db']")
	g.hold(g.backend("db", "")).BecomeHealthy()
	testkit.Eventually(t, "db shows as healthy", func() bool {
		row, err := control.LookAt(t.Context(), g.state, filepath.Join(g.top, "db"))
		return err == nil && row.State == "healthy"
	})
	w := g.await(shop, false)
	require.NoError(t, w.ended(t))
	require.False(t, w.waited)
	require.Zero(t, w.latest())
}

func TestEachStageOfTheOneBeforeIsTold(t *testing.T) {
	g := newGround(t)
	shop, db := g.backend("shop", "after = ['db']"), g.backend("db", "")
	w := g.await(shop, false)
	w.until(t, supervisor.Awaits{Name: "db"})
	w.until(t, supervisor.Awaits{Name: "db", Why: "which no Vivarium program keeps"})
	p := g.hold(db)
	w.until(t, supervisor.Awaits{Name: "db", Why: "which is stopped"})
	p.Become(func(s *supervisor.Snapshot) {
		s.State, s.Last = supervisor.GaveUp, crash.Verdict{Kind: "missing-module", Summary: "no module named x"}
	})
	w.until(t, supervisor.Awaits{Name: "db", Why: "which gave up: no module named x", Stuck: true})
	p.Become(func(s *supervisor.Snapshot) { s.State = supervisor.Starting })
	w.until(t, supervisor.Awaits{Name: "db"})
	p.Become(func(s *supervisor.Snapshot) {
		s.Awaits = supervisor.Awaits{Name: "disk", Why: "which gave up", Stuck: true}
	})
	w.until(t, supervisor.Awaits{Name: "db", Why: "which waits for disk, which gave up", Stuck: true})
	p.Become(func(s *supervisor.Snapshot) { s.State, s.Awaits = supervisor.Unhealthy, supervisor.Awaits{} })
	w.until(t, supervisor.Awaits{Name: "db", Why: "which is unhealthy"})
	require.False(t, p.Has("start"), "nobody asked for it")
	p.BecomeHealthy()
	require.NoError(t, w.ended(t))
	require.True(t, w.waited)
}

func TestAPersonsStartStartsThoseBeforeItOnce(t *testing.T) {
	g := newGround(t)
	shop := g.backend("shop", "after = ['db', 'queue']")
	db, queue := g.hold(g.backend("db", "")), g.hold(g.backend("queue", ""))
	queue.BecomeHealthy()
	w := g.await(shop, true)
	require.NoError(t, w.ended(t))
	require.True(t, db.Has("start"))
	require.False(t, queue.Has("start"), "it ran already")
}

func TestOneThatIsBeingStoppedIsNotGoodEnough(t *testing.T) {
	g := newGround(t)
	shop := g.backend("shop", "after = ['db']")
	g.hold(g.backend("db", "")).Become(func(s *supervisor.Snapshot) { s.State, s.Want = supervisor.Healthy, false })
	w := g.await(shop, false)
	w.until(t, supervisor.Awaits{Name: "db"})
	w.cancel()
	require.ErrorIs(t, w.ended(t), context.Canceled)
}

func TestAChangedConfigurationEndsTheWait(t *testing.T) {
	g := newGround(t)
	shop := g.backend("shop", "after = ['db']")
	g.backend("db", "")
	w := g.await(shop, false)
	w.until(t, supervisor.Awaits{Name: "db"})
	g.backend("shop", "# it waits for nobody any more")
	require.NoError(t, w.ended(t))
	require.True(t, w.waited, "the caller reads it anew")
}

func TestACircleThatIsMadeWhileItWaitsEndsTheWait(t *testing.T) {
	g := newGround(t)
	shop := g.backend("shop", "\n\nafter = ['db']")
	g.backend("db", "")
	require.NoError(t, g.waiter.Check(shop))
	w := g.await(shop, false)
	w.until(t, supervisor.Awaits{Name: "db"})
	g.backend("db", "after = ['shop']")
	var mistake *config.Error
	require.ErrorAs(t, w.ended(t), &mistake)
	require.Equal(t, 3, mistake.Line)
	require.Contains(t, mistake.Error(), "shop → db → shop")
	require.True(t, errors.As(g.waiter.Check(shop), &mistake))
	require.NoError(t, g.waiter.Check(g.backend("alone", "")))
}

func TestWhoIsOnTheListMayLieAnywhere(t *testing.T) {
	g := newGround(t)
	shop := g.backend("shop", "after = ['db']")
	far := &ground{t: t, state: g.state, top: testkit.ShortDir(t)}
	db := far.backend("db", "")
	require.Error(t, g.waiter.Check(shop))
	g.waiter.Known = func() []string { return []string{db.Dir, "/no/such/folder"} }
	require.NoError(t, g.waiter.Check(shop))
}

package supervisor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/platform"
)

// awaits says how the stage waits for other backends; nil: not at all.
func (s *stage) awaits(f func(context.Context, config.Config, func() bool, func(Awaits)) (bool, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = f
}

// await is what the supervisor calls.
func (s *stage) await(ctx context.Context, c config.Config, asked func() bool, tell func(Awaits)) (bool, error) {
	s.mu.Lock()
	f := s.waits
	s.mu.Unlock()
	if f == nil {
		return false, nil
	}
	return f(ctx, c, asked, tell)
}

// afterDB has the configuration say that the backend is started after db.
func afterDB(w *platform.System) {
	load := w.Load
	w.Load = func(dir string) (config.Config, error) {
		c, err := load(dir)
		c.After = []string{"db"}
		return c, err
	}
}

func TestAStartWaitsForTheBackendBeforeItAndSaysSo(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, afterDB)
		var loads, asks []bool
		well := time.Now().Add(time.Minute)
		s.awaits(func(ctx context.Context, c config.Config, asked func() bool, tell func(Awaits)) (bool, error) {
			asks = append(asks, asked())
			loads = append(loads, len(c.After) == 1)
			if !time.Now().Before(well) {
				return false, nil
			}
			tell(Awaits{Name: "db", Why: "which is starting"})
			select {
			case <-ctx.Done():
				return true, ctx.Err()
			case <-time.After(time.Until(well)):
				return true, nil
			}
		})
		s.Start()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		snap := <-s.Changed()
		require.Equal(t, Starting, snap.State)
		require.Equal(t, Awaits{Name: "db", Why: "which is starting"}, snap.Awaits)
		require.Equal(t, []string{"db"}, snap.After)
		require.Empty(t, s.told(), "nothing was started")
		time.Sleep(40 * time.Second)
		synctest.Wait()
		snap = <-s.Changed()
		require.Equal(t, Healthy, snap.State)
		require.Zero(t, snap.Awaits)
		require.Equal(t, []bool{true, true}, asks, "after a wait the configuration is read anew")
		s.k.end(11, false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, Healthy, (<-s.Changed()).State)
		require.Equal(t, []bool{true, true, false}, asks, "a restart after a crash is nobody's wish of this moment")
		require.NotContains(t, loads, false)
		s.leave(t)
	})
}

func TestAStopEndsTheWaitForAnotherBackend(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, afterDB)
		s.awaits(func(ctx context.Context, _ config.Config, _ func() bool, tell func(Awaits)) (bool, error) {
			tell(Awaits{Name: "db"})
			<-ctx.Done()
			return true, ctx.Err()
		})
		s.Start()
		time.Sleep(time.Hour)
		s.Stop()
		time.Sleep(time.Second)
		synctest.Wait()
		snap := <-s.Changed()
		require.Equal(t, Stopped, snap.State)
		require.Zero(t, snap.Awaits)
		require.Empty(t, s.k.did(), "no keeper was ever started")
		s.leave(t)
	})
}

func TestAMistakeInAfterRefusesAStartAndNotTheRestartOfWhatRan(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, afterDB)
		mistake := &config.Error{File: "/b/vivarium.toml", Line: 3, Key: "after", Problem: "there is no db", Remedy: "name another"}
		wrong := func(context.Context, config.Config, func() bool, func(Awaits)) (bool, error) { return false, mistake }
		s.awaits(wrong)
		s.Start()
		time.Sleep(time.Second)
		synctest.Wait()
		snap := <-s.Changed()
		require.Equal(t, GaveUp, snap.State)
		require.Equal(t, crash.KindConfig, snap.Last.Kind)
		require.Equal(t, mistake.Error(), snap.ConfigProblem)
		require.Equal(t, "/b/vivarium.toml", snap.ConfigFile)

		s.awaits(nil)
		s.Start()
		time.Sleep(5 * time.Second)
		s.awaits(wrong)
		s.k.end(11, false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		snap = <-s.Changed()
		require.Equal(t, Healthy, snap.State)
		require.Equal(t, mistake.Error(), snap.ConfigProblem, "it is told")
		s.leave(t)
	})
}

func TestAPersonsStartReachesAStartThatWaitsAlready(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, func(w *platform.System) {
			afterDB(w)
			load := w.Load
			w.Load = func(dir string) (config.Config, error) {
				time.Sleep(time.Second) // the test says meanwhile how it waits
				c, err := load(dir)
				c.Autostart = true
				return c, err
			}
		})
		s.awaits(func(ctx context.Context, _ config.Config, asked func() bool, tell func(Awaits)) (bool, error) {
			tell(Awaits{Name: "db"})
			for ctx.Err() == nil && !asked() {
				time.Sleep(time.Second)
			}
			return true, ctx.Err()
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, "db", (<-s.Changed()).Awaits.Name)
		s.awaits(nil)
		s.Start()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, Healthy, (<-s.Changed()).State)
		s.leave(t)
	})
}

package supervisor

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func TestABrokenConfigurationAtAnAutomaticRestartUsesTheLastGoodOneAloud(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		broken := false
		s := setStage(t, state, func(w *platform.System) {
			load := w.Load
			w.Changed = func(config.Config) bool { mu.Lock(); defer mu.Unlock(); return broken }
			w.Load = func(dir string) (config.Config, error) {
				mu.Lock()
				defer mu.Unlock()
				if broken {
					return config.Config{}, &config.Error{File: "/b/vivarium.toml", Line: 2, Key: "port", Problem: "bad"}
				}
				return load(dir)
			}
		})
		s.Start()
		time.Sleep(time.Second)
		mu.Lock()
		broken = true
		mu.Unlock()
		s.k.end(11, false)
		time.Sleep(time.Second)
		synctest.Wait()
		snap := <-s.Changed()
		require.Equal(t, Healthy, snap.State)
		require.Contains(t, snap.Note, "last good configuration")
		require.Contains(t, snap.ConfigProblem, "vivarium.toml:2")
		s.Restart()
		time.Sleep(time.Second)
		synctest.Wait()
		snap = <-s.Changed()
		require.Equal(t, Healthy, snap.State, "a restart does not lose what ran")
		require.Contains(t, snap.ConfigProblem, "vivarium.toml:2")
		s.Stop()
		time.Sleep(time.Second)
		s.Start()
		time.Sleep(time.Second)
		synctest.Wait()
		snap = <-s.Changed()
		require.Equal(t, GaveUp, snap.State, "a start is refused")
		require.Contains(t, snap.Last.Summary, "vivarium.toml:2")
		s.leave(t)
	})
}

func TestAStopDuringBackOffSurvivesAKillOfTheApp(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, nil)
		s.Start()
		for range 2 {
			time.Sleep(time.Second)
			s.k.end(11, false)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, Restarting, (<-s.Changed()).State)
		s.Stop()
		synctest.Wait()
		w, err := record.ReadWant(keeper.BackendFolder(state, "/b"))
		require.NoError(t, err)
		require.False(t, w.Want, "written at once, not at a polite end")
		s.leave(t)
		s = setStage(t, state, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, Stopped, (<-s.Changed()).State)
		s.leave(t)
	})
}

func TestTheDeathsAreOnDiskForThoseWhoAskLater(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, nil)
		s.Start()
		time.Sleep(time.Second)
		s.k.end(11, false)
		time.Sleep(time.Second)
		s.leave(t)
		d, err := record.Deaths(keeper.BackendFolder(state, "/b"))
		require.NoError(t, err)
		require.Len(t, d, 1)
		require.Equal(t, "SIGSEGV", d[0].Signal)
		require.True(t, d[0].Healthy)
		require.NotEqual(t, crash.Kind(""), d[0].Verdict.Kind)
	})
}

// lostKeeper is a connection whose keeper has told of an exit, and died before it was forgotten.
type lostKeeper struct {
	*fakeKeeper
	exit keeper.Exit
}

func (k *lostKeeper) Live() bool { return false }

func (k *lostKeeper) Wait(context.Context) (keeper.Exit, error) { return k.exit, nil }

func (k *lostKeeper) Forget(string) error { return keeper.ErrLost }

func TestAKeeperThatDiesBetweenTheExitAndTheNextStartIsFollowedByAnother(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, nil)
		lost := &lostKeeper{newFakeKeeper(), keeper.Exit{Run: keeper.Run{ID: "r0"}, Known: true, Signal: 11}}
		ended := ""
		s.system.EndStale = func(_ context.Context, r keeper.Run, _ keeper.Ladder) error { ended = r.ID; return nil }
		l := launch{s: s.Supervisor, doLaunch: doLaunch{forget: "r0"}, conn: lost, life: t.Context()}
		got, conn, err := l.spawn(keeper.Spec{})
		require.NoError(t, err)
		require.NotEmpty(t, got.run.ID)
		require.True(t, conn.Live())
		require.Equal(t, "r0", ended, "what is left of it ends first")
		s.leave(t)
	})
}

package supervisor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func TestTheLoopLooksAroundWhereAServerDoesNotAnswerWell(t *testing.T) {
	for name, c := range map[string]struct {
		world   func(*platform.System)
		problem string
	}{
		"another path": {func(w *platform.System) {
			w.Probe = answering(&probe.AnswerError{Status: 404})
			w.FindPath = func(_ context.Context, t config.Target) string { return "/api" + t.Path() }
		}, "(found: /api/health)"},
		"another port": {func(w *platform.System) {
			w.Probe = answering(probe.ErrRefused)
			w.Ports = func(keeper.Run) ([]int, error) { return []int{8022}, nil }
		}, "it listens on 8022, not on 8000"},
		"https": {func(w *platform.System) {
			w.Probe = answering(probe.ErrClosed)
			w.SpeaksTLS = func(context.Context, config.Target) bool { return true }
		}, `it speaks https, not http: write url = "https://127.0.0.1:8000/health" under [health]`},
		"another process speaks https": {func(w *platform.System) {
			w.Probe = answering(probe.ErrClosed)
			w.Listening = func(int, keeper.Run) (bool, error) { return false, nil }
			w.SpeaksTLS = func(context.Context, config.Target) bool { return true }
		}, ""},
		"nobody knows": {func(w *platform.System) {
			w.Probe = answering(probe.ErrRefused)
			w.Ports = func(keeper.Run) ([]int, error) { return nil, errors.New("no lsof") }
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := setStage(t, state, c.world)
				s.Start()
				time.Sleep(8 * time.Second)
				synctest.Wait()
				snap := <-s.Changed()
				if c.problem == "" {
					require.Equal(t, Starting, snap.State)
				} else {
					require.Equal(t, record.PhaseMisconfigured, snap.Health.Phase)
					require.Contains(t, snap.Health.Problem, c.problem)
					require.Contains(t, s.told(), EventMisconfigured)
				}
				s.leave(t)
			})
		})
	}
}

func answering(err error) func(context.Context, config.Config, probe.Options) (time.Duration, error) {
	return func(context.Context, config.Config, probe.Options) (time.Duration, error) {
		return time.Millisecond, err
	}
}

func TestTheKeeperHearsFromWhichPortsItIsProbed(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		state := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			s := setStage(t, state, func(w *platform.System) {
				load := w.Load
				w.Load = func(dir string) (config.Config, error) {
					c, err := load(dir)
					c.Log.Probes = wanted
					return c, err
				}
				w.Probe = func(_ context.Context, _ config.Config, o probe.Options) (time.Duration, error) {
					if o.Connected != nil {
						o.Connected(50123)
					}
					return time.Millisecond, nil
				}
			})
			s.Start()
			time.Sleep(time.Second)
			synctest.Wait()
			if wanted {
				require.NotContains(t, s.k.did(), "probing run1 50123", "the log is to have them")
			} else {
				require.Contains(t, s.k.did(), "probing run1 50123")
			}
			s.leave(t)
		})
	}
}

package supervisor

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/process"
)

func TestRuntimesAreLookedAtAfterTheStartAndOnceAMinute(t *testing.T) {
	p := newPlay(t, in("starting"))
	looks := func() int {
		n := 0
		for _, e := range p.last {
			if u, ok := e.(doUse); ok && u.openmp {
				n++
			}
		}
		return n
	}
	use := func(every time.Duration, times int) int {
		n := 0
		for range times {
			p.after(every).feed(due{})
			n += looks()
			p.feed(used{runID: "r1", usage: process.Usage{Procs: 1}}).healthy()
		}
		return n
	}
	p.feed(due{})
	require.Equal(t, 1, looks(), "also while it starts: it may die of it then")
	p.feed(used{runID: "r1", usage: process.Usage{Procs: 1}}).healthy()
	require.Equal(t, 1, use(5*time.Second, 1), "what it needs is imported once it is healthy")
	require.Equal(t, 5, use(5*time.Second, 61), "five minutes, at whose end it is looked at less often")
	p.after(time.Second).feed(look{})
	require.Zero(t, looks(), "somebody who looks at the menu costs no look into every process")
}

func TestALookThatFailedForgetsNothing(t *testing.T) {
	two := []string{"/e/a/libomp.so", "/e/b/libomp.so"}
	p := newPlay(t, in("healthy")).feed(used{runID: "r1", looked: true, openmp: two})
	require.Equal(t, two, p.m.OpenMP)
	p.feed(used{runID: "r1"}).feed(used{runID: "r1", failed: true})
	require.Equal(t, two, p.m.OpenMP)
	p.feed(used{runID: "r1", looked: true})
	require.Empty(t, p.m.OpenMP, "the worker that had them ended")
	p.feed(used{runID: "r1", looked: true, openmp: two}).feed(stop{})
	require.Equal(t, two, p.m.OpenMP, "it still runs")
	p.feed(died(false))
	require.Empty(t, p.m.OpenMP, "nothing runs")
}

func TestTheLoopTellsWhatIsLoaded(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		s := setStage(t, state, func(w *platform.System) {
			w.Loaded = func(int) ([]string, error) {
				if fails.Load() {
					return nil, errors.New("permission denied")
				}
				return []string{"/e/libomp.so"}, nil
			}
		})
		s.Start()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"/e/libomp.so"}, (<-s.Changed()).OpenMP)
		fails.Store(true)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.Look()
		s.Stop()
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, (<-s.Changed()).OpenMP)
		s.leave(t)
	})
}

//go:build servers

package servers

import (
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	usual   = 50 * time.Millisecond  // for an empty Python; on an idle computer it is less
	settled = 200 * time.Millisecond // of processor time in a second: what waits for requests uses less
)

// percent is how slow a computer is that took so long for an empty Python.
func percent(took time.Duration) time.Duration { return max(100, 100*took/usual) }

func emptyPython(env string) (time.Duration, error) {
	began := time.Now()
	err := exec.Command(filepath.Join(env, "bin", "python"), "-I", "-c", "pass").Run()
	return time.Since(began), err
}

// slowest is the longest that an empty Python took until done is closed. A load that came and went between two measurements is seen, too.
func slowest(env string, done <-chan struct{}) time.Duration {
	took := time.Duration(0)
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		select {
		case <-done:
			tick.Stop()
			return took
		case <-tick.C:
			if one, err := emptyPython(env); err == nil {
				took = max(took, one)
			}
		}
	}
}

// settle waits until a backend is done with its start. Some answer long before that: MLflow starts seven more processes afterwards, each of which
// imports all of it, has not set up its stop yet and takes the processor from the server that is to end. One that is never done is not waited for longer than the limit.
func settle(used func() map[int32]time.Duration, limit time.Duration) bool {
	before := used()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		time.Sleep(time.Second)
		now, sum := used(), time.Duration(0)
		for pid, t := range now {
			sum += max(0, t-before[pid]) // a process that is new counts whole
		}
		if before = now; sum < settled {
			return true
		}
	}
	return false
}

// processorTime is what each process of the backend has used so far.
func (r *rig) processorTime() map[int32]time.Duration {
	all := map[int32]time.Duration{}
	for _, p := range r.left() {
		if times, err := p.Times(); err == nil {
			all[p.Pid] = time.Duration((times.User + times.System) * float64(time.Second))
		}
	}
	return all
}

func TestAStartIsOverWhenItsProcessesAreQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		importing := func() map[int32]time.Duration { // a helper is started after three seconds, and imports for five
			busy := min(max(0, time.Since(began)-3*time.Second), 5*time.Second)
			return map[int32]time.Duration{1: min(time.Since(began), 3*time.Second), 2: busy}
		}
		require.True(t, settle(importing, time.Minute))
		require.Equal(t, 9*time.Second, time.Since(began), "the first second without work")
		began = time.Now()
		require.False(t, settle(func() map[int32]time.Duration { return map[int32]time.Duration{1: time.Since(began)} }, time.Minute))
		require.Equal(t, time.Minute, time.Since(began), "it is never done")
	})
}

func TestALoadDuringAStopIsSeen(t *testing.T) {
	env := environment(t, "http", packagesOf(t, "http"))
	done := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(done) })
	require.NotZero(t, slowest(env, done))
	require.EqualValues(t, 100, percent(usual/2), "an idle computer allows no less")
	require.EqualValues(t, 400, percent(4*usual))
}

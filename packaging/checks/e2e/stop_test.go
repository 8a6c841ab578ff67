//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// semaphores are the files of the named semaphores that the twin made, those that still exist.
func (r *rig) semaphores() (made int, left []string) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "semaphores"))
	require.NoError(r.t, err)
	for file := range strings.Lines(string(text)) {
		made++
		if _, err := os.Stat(strings.TrimSpace(file)); err == nil {
			left = append(left, strings.TrimSpace(file))
		}
	}
	return made, left
}

func TestAStopLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	const impatient = quick + "[stop]\ngrace = \"300ms\"\n"
	for _, c := range []struct {
		name, config string
		environment  []string
	}{
		{"a polite server", quick, nil},
		{"a grandchild in the group", quick, []string{"TWIN_FAMILY=group"}},
		{"a grandchild in a session of its own", quick, []string{"TWIN_FAMILY=setsid"}},
		{"ten locks", quick, []string{"TWIN_LOCKS=10"}},
		{"ten locks and a multiprocessing child in a session of its own", quick, []string{"TWIN_LOCKS=10", "TWIN_FAMILY=setsid-multiprocessing"}},
		{"ten locks and no ear for SIGINT and SIGTERM", impatient, []string{"TWIN_LOCKS=10", "TWIN_IGNORE=SIGINT SIGTERM"}},
		{"all of it", impatient, []string{"TWIN_LOCKS=10", "TWIN_IGNORE=SIGINT SIGTERM", "TWIN_FAMILY=group setsid setsid-multiprocessing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			locks := strings.Contains(c.name, "locks") || strings.Contains(c.name, "all")
			if locks && runtime.GOOS != "linux" {
				t.Skip("named semaphores are files on Linux only")
			}
			r := twin(t, c.config, c.environment...)
			f := r.run()
			f.await("healthy")
			if locks {
				made, left := r.semaphores()
				require.Equal(t, 10, made)
				require.Len(t, left, 10)
			}
			began := time.Now()
			f.stop()
			t.Logf("stopped after %s", time.Since(began).Round(time.Millisecond))
			if locks {
				_, left := r.semaphores()
				require.Empty(t, left)
			}
		})
	}
}

func TestTheKeeperEndsTheStopAloneWhenTheAppIsKilledInIt(t *testing.T) {
	t.Parallel()
	r := twin(t, quick+"[stop]\ngrace = \"500ms\"\n", "TWIN_LOCKS=10", "TWIN_IGNORE=SIGINT SIGTERM", "TWIN_FAMILY=setsid-multiprocessing")
	f := r.run()
	f.await("healthy")
	require.NoError(t, f.cmd.Process.Signal(syscall.SIGINT))
	f.await("stopping")
	r.heard("SIGINT")
	f.kill()
	r.empty()
	r.free()
	if runtime.GOOS == "linux" {
		_, left := r.semaphores()
		require.Empty(t, left)
	}
}

// Not in parallel: another test's locks are not to be counted with these.
func TestSemaphoresThatACrashLeavesAreCounted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("named semaphores are files on Linux only")
	}
	r := twin(t, quick, "TWIN_LOCKS=10")
	f := r.run()
	pid := f.await("healthy").PID
	_, locks := r.semaphores()
	require.Len(t, locks, 10)
	t.Cleanup(func() {
		for _, file := range locks {
			_ = os.Remove(file)
		}
	})
	var tracker int
	for _, p := range r.processes() {
		if p.parent == pid && strings.Contains(p.command, "resource_tracker import main") {
			tracker = p.pid
		}
	}
	require.NotZero(t, tracker, "%+v", r.processes())
	require.Zero(t, r.status().Left)
	require.NoError(t, syscall.Kill(tracker, syscall.SIGKILL)) // first: it would unlink them once its server is gone
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	f.await("crashed")
	require.NotEqual(t, pid, f.await("healthy").PID)
	eventually(t, "status counts what was left behind", func() bool { return r.status().Left > 0 })
	require.Equal(t, 10, r.status().Left)
	for _, file := range locks {
		require.FileExists(t, file, "it counts them, and removes none")
	}
	f.stop()
}

// heard waits until the server has ignored that signal: the stop is under way in the keeper.
func (r *rig) heard(signal string) {
	r.t.Helper()
	eventually(r.t, "the server hears "+signal, func() bool {
		text, _ := os.ReadFile(filepath.Join(r.dir, "heard"))
		return strings.Contains(string(text), signal)
	})
}

func TestASecondInterruptSkipsTheGrace(t *testing.T) {
	t.Parallel()
	r := twin(t, quick+"[stop]\ngrace = \"10m\"\n", "TWIN_IGNORE=SIGINT")
	f := r.run()
	f.await("healthy")
	require.NoError(t, f.cmd.Process.Signal(syscall.SIGINT))
	f.await("stopping")
	require.NoError(t, f.cmd.Process.Signal(syscall.SIGINT))
	f.ended(0)
	r.empty()
}

func TestAHangupAndAClosedOutputStopIt(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	f := r.run()
	f.await("healthy")
	require.NoError(t, f.cmd.Process.Signal(syscall.SIGHUP))
	f.ended(0)
	r.empty()
}

func TestWhatACrashedServerLeavesIsEndedBeforeTheNextStarts(t *testing.T) {
	t.Parallel()
	r := twin(t, quick, "TWIN_FAMILY=group setsid")
	f := r.run()
	pid := f.await("healthy").PID
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	crashed := f.await("crashed")
	require.Equal(t, "SIGKILL", crashed.Signal)
	next := f.await("healthy").PID
	require.Len(t, r.servers(), 3, "the new server and its two children")
	for _, p := range r.servers() {
		require.True(t, p.pid == next || p.parent == next, "%+v is of the old run", p)
	}
	f.stop()
}

//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// soon is a moment drawn from the next limit: the one place where a test sleeps, because any moment must do.
func soon(limit time.Duration) { time.Sleep(rand.N(limit)) }

const quick = "[health]\ninterval = \"100ms\"\n"

func TestKillingRunThirtyTimesDoesNotDisturbTheServer(t *testing.T) {
	t.Parallel()
	// Each second writes 64 KB into a log that is rotated at 16 KiB: most kills come shortly before or after a rotation.
	r := twin(t, quick+"[log]\nmax_size = \"16KiB\"\nkeep = 1000\n", "TWIN_LINES=1000", "TWIN_PAD=48")
	f := r.run()
	first := f.await("healthy")
	stop := r.patient(t)
	for i := range 30 {
		soon(300 * time.Millisecond)
		f.kill()
		if i%2 == 0 {
			soon(200 * time.Millisecond)
		}
		f = r.run()
		if i%3 == 0 {
			require.Equal(t, first.PID, f.await("attached").PID)
		}
	}
	require.Equal(t, first.PID, f.await("attached").PID)
	require.Equal(t, strconv.Itoa(first.PID), r.get("/pid"))
	t.Logf("%d questions to /health, each was answered", stop())
	f.stop()
	require.Len(t, r.lives(), 1)
	r.wholeLog()
}

// wholeLog expects every numbered line of the twin in the log, once, in order, and untorn.
func (r *rig) wholeLog() {
	r.t.Helper()
	n, last := 0, -1
	for line := range strings.Lines(r.log()) {
		if text, ok := strings.CutPrefix(line, "last "); ok {
			var err error
			last, err = strconv.Atoi(strings.TrimSpace(text))
			require.NoError(r.t, err)
			continue
		}
		require.True(r.t, strings.HasPrefix(line, fmt.Sprintf("line %010d ", n)) && strings.HasSuffix(line, "x\n"), "line %d of the log: %q", n, line)
		n++
	}
	require.Equal(r.t, last, n, "the server wrote %d lines", last)
	r.t.Logf("all %d lines are in the log", n)
}

func TestKillingRunWhileTheServerStartsMakesNoSecondServer(t *testing.T) {
	t.Parallel()
	for i := range 10 {
		r := twin(t, quick, "TWIN_LOAD=0.4")
		f := r.run()
		if i%2 == 0 {
			soon(60 * time.Millisecond) // around the fork
		} else {
			soon(700 * time.Millisecond)
		}
		f.kill()
		f = r.run()
		pid := f.await("healthy").PID
		require.Equal(t, []int{pid}, r.lives())
		f.stop()
	}
}

func TestKillingRunInTheMiddleOfAStopDoesNotEndTheStop(t *testing.T) {
	t.Parallel()
	for range 5 {
		r := twin(t, quick+"[stop]\ngrace = \"300ms\"\n", "TWIN_IGNORE=SIGINT")
		f := r.run()
		f.await("healthy")
		require.NoError(t, f.cmd.Process.Signal(syscall.SIGTERM))
		f.await("stopping")
		r.heard("SIGINT")
		soon(time.Second)
		f.kill()
		r.empty()
		r.free()

		f = r.run() // to start it is what run is for
		pid := f.await("healthy").PID
		lives := r.lives()
		require.Len(t, lives, 2)
		require.Equal(t, pid, lives[1])
	}
}

func TestKillingRunDuringBackOffKeepsCountAndCause(t *testing.T) {
	t.Parallel()
	for range 5 {
		r := twin(t, quick, "TWIN_DIE_AFTER=0.05")
		f := r.run()
		f.await("crashed")
		second := f.await("crashed")
		require.Equal(t, 2, second.Crashes, second.text)
		require.NotEmpty(t, second.Verdict.Kind)
		f.await("restarting")
		soon(500 * time.Millisecond)
		f.kill()
		told := f.seen("crashed") // 2, unless the machine was so slow that the back-off ended before the kill
		r.empty()
		f = r.run()
		next := f.await("crashed")
		want := len(told) + 1
		if next.PID == told[len(told)-1].PID { // killed before it noted that this was told: told again, not counted again
			want--
		}
		require.Equal(t, want, next.Crashes, "the crashes before the kill count: %s", next.text)
		require.Equal(t, second.Verdict.Kind, next.Verdict.Kind)
		require.Equal(t, second.Code, next.Code)
		require.NoError(t, f.cmd.Process.Signal(syscall.SIGTERM))
		f.ended(0)
		before := len(r.lives())
		time.Sleep(1500 * time.Millisecond) // a forgotten stop would start it again after the back-off
		require.Len(t, r.lives(), before)
	}
}

func TestACrashWhileTheAppIsAwayIsToldAfterWithItsCause(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	f := r.run()
	pid := f.await("healthy").PID
	f.kill()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSEGV))
	r.empty()
	f = r.run()
	crashed := f.await("crashed")
	require.Equal(t, "SIGSEGV", crashed.Signal)
	require.NotEmpty(t, crashed.Verdict.Summary)
	require.NotEqual(t, pid, f.await("healthy").PID)
	require.Len(t, r.lives(), 2)
	f.stop()
}

func TestALostKeeperIsNoticedAndItsServerReplaced(t *testing.T) {
	t.Parallel()
	r := twin(t, quick, "TWIN_LINES=200")
	f := r.run()
	pid := f.await("healthy").PID
	for range 4 { // a fifth would be the same end five times in ten minutes: given up
		soon(300 * time.Millisecond)
		killed := time.Now()
		require.NoError(t, syscall.Kill(r.keeper(), syscall.SIGKILL))
		f.awaitFor(5*time.Second, "keeper-lost")
		t.Logf("noticed after %s", time.Since(killed).Round(time.Millisecond))
		next := f.await("healthy").PID
		require.NotEqual(t, pid, next)
		for _, p := range r.all() { // zombies are not among them
			require.NotEqual(t, pid, p.pid, "the server of the lost keeper lives on beside the next: %+v", p)
		}
		require.Equal(t, strconv.Itoa(next), r.get("/pid"))
		pid = next
	}
	require.Len(t, r.lives(), 5)
	f.stop()
}

func TestKeeperAndRunLostTogetherAreMendedByTheNextRun(t *testing.T) {
	t.Parallel()
	for range 3 {
		r := twin(t, quick, "TWIN_LOAD=0.2")
		f := r.run()
		f.await("started")
		soon(600 * time.Millisecond)
		keeper := r.keeper()
		f.kill()
		require.NoError(t, syscall.Kill(keeper, syscall.SIGKILL))
		f = r.run()
		pid := f.await("healthy").PID
		lives := r.lives()
		require.Equal(t, pid, lives[len(lives)-1])
		require.Equal(t, strconv.Itoa(pid), r.get("/pid"))
		f.stop()
	}
}

func TestAStopDuringBackOffEndsRunAndSticks(t *testing.T) {
	t.Parallel()
	r := twin(t, quick, "TWIN_DIE_AFTER=0.05")
	f := r.run()
	f.await("crashed")
	f.await("crashed")
	f.await("restarting")
	out, code := r.do("stop", r.dir)
	require.Zero(t, code, out)
	f.ended(0) // a stop from elsewhere ends run, too
	before := len(r.lives())
	time.Sleep(1500 * time.Millisecond)
	require.Len(t, r.lives(), before)
	out, code = r.do("status", "--json", r.dir)
	require.Contains(t, out, `"stopped"`)
	require.Equal(t, 3, code, out)
}

//go:build e2e

package e2e

import (
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoRunsStartedAtTheSameInstantAreOneServerAndOneSupervisor(t *testing.T) {
	t.Parallel()
	for range 5 {
		r := twin(t, quick)
		both := []*follower{r.run(), r.run()}
		eventually(t, "the server answers", func() bool { return r.get("/health") != "" })
		pid, err := strconv.Atoi(r.get("/pid"))
		require.NoError(t, err)
		require.Equal(t, []int{pid}, r.lives())
		eventually(t, "the server is told to both", func() bool {
			for _, f := range both {
				told := false
				for _, event := range []string{"started", "healthy", "attached"} {
					for _, one := range f.seen(event) {
						told = told || one.PID == pid
					}
				}
				if !told {
					return false
				}
			}
			return true
		})
		// Whichever holds it: a stop from elsewhere ends the server, and with it what both are there for.
		out, code := r.do("stop", r.dir)
		require.Zero(t, code, out)
		r.empty()
		r.free()
		for _, f := range both {
			f.ended(0)
		}
	}
}

func TestAFollowersEndLeavesTheServerAlone(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	holder := r.run()
	pid := holder.await("healthy").PID
	second := r.run()
	eventually(t, "the second run follows", func() bool { return len(second.dump()) > 0 })
	require.NoError(t, second.cmd.Process.Signal(syscall.SIGINT))
	second.ended(0)
	require.Equal(t, strconv.Itoa(pid), r.get("/pid"))
	require.Empty(t, holder.seen("stopping"))
	holder.stop()
}

func TestAFollowerTakesOverWhenTheHolderIsKilled(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	holder := r.run()
	pid := holder.await("healthy").PID
	next := r.run()
	follows := next.await("attached")
	require.Equal(t, pid, follows.PID)
	require.Equal(t, holder.cmd.Process.Pid, follows.HeldBy, follows.text)
	holder.kill()
	holds := next.await("attached")
	require.Equal(t, pid, holds.PID)
	require.Zero(t, holds.HeldBy, "nobody else holds it any more: %s", holds.text)
	require.Equal(t, next.cmd.Process.Pid, r.status().HeldBy)
	require.Equal(t, strconv.Itoa(pid), r.get("/pid"))
	require.Equal(t, []int{pid}, r.lives())
	next.stop()
}

func TestStatusStartStopAndRestartReachTheHolder(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	f := r.run()
	pid := f.await("healthy").PID
	out, code := r.do("status")
	require.Zero(t, code, out)
	require.Contains(t, out, strconv.Itoa(pid))
	out, code = r.do("restart")
	require.Zero(t, code, out)
	next := f.await("healthy").PID
	require.NotEqual(t, pid, next)
	require.Empty(t, f.seen("crashed"), "a restart that was asked for is no crash")
	out, code = r.do("logs")
	require.Zero(t, code, out)
	out, code = r.do("stop")
	require.Zero(t, code, out)
	f.ended(0)
	r.empty()
}

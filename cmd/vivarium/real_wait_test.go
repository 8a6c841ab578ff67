package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/wait"
	"github.com/vivarium-app/vivarium/supervisor"
)

// waiting is a command under way that waits.
func (r *rig) waiting(args ...string) (*exec.Cmd, *bytes.Buffer) {
	r.t.Helper()
	var out bytes.Buffer
	cmd := r.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(r.t, cmd.Start())
	return cmd, &out
}

func TestWaitReturnsAsSoonAsItIsSo(t *testing.T) {
	r := newRig(t)
	early, out := r.waiting("wait", "--timeout", "30s") // nobody keeps it yet
	f := r.run()
	require.NoError(t, early.Wait(), out.String())
	require.Contains(t, out.String(), "brain: healthy")
	require.NotEmpty(t, f.row(supervisor.EventHealthy, 1))

	text, code := r.do("wait", "--json")
	require.Zero(t, code, text)
	var w waited
	require.NoError(t, json.Unmarshal([]byte(text), &w))
	require.Equal(t, waited{1, "brain", r.dir, wait.Healthy, true, ""}, w)

	text, code = r.do("restart", "--wait", "--timeout", "30s")
	require.Zero(t, code, text)
	require.NotEmpty(t, f.row(supervisor.EventHealthy, 2), "the new run is the healthy one")

	text, code = r.do("wait", "--for", "stopped", "--timeout", "300ms")
	require.Equal(t, codeFailed, code)
	require.Contains(t, text, "is not stopped: it is healthy")

	late, out := r.waiting("wait", "brain", "--for", "stopped", "--timeout", "30s")
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
	require.NoError(t, late.Wait(), out.String())
	require.Contains(t, out.String(), "brain: stopped")
}

func TestWaitEndsEarlyOnlyWhereNoTimeMendsIt(t *testing.T) {
	r := newRig(t)
	text, code := r.do("wait", "--timeout", "300ms")
	require.Equal(t, codeFailed, code, "nobody keeps it: that may change")
	require.Contains(t, text, "no Vivarium program keeps it yet")

	r.configure("nonsense = 1")
	text, code = r.do("wait", "--timeout", "10m")
	require.Equal(t, codeFailed, code)
	require.Contains(t, text, "vivarium.toml")

	r.configure("[restart]\ngive_up_after = 1")
	write(t, r.dir+"/server.py", "import nothing_of_this_name\n")
	f := r.run()
	text, code = r.do("wait", "--timeout", "10m")
	require.Equal(t, codeFailed, code)
	require.Contains(t, text, "gave up")
	require.Contains(t, text, "nothing_of_this_name", "the cause is told")
	write(t, r.dir+"/server.py", server)
	text, code = r.do("start", "--wait", "--timeout", "30s")
	require.Zero(t, code, "what gave up before is no news: %s", text)
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
}

func TestWhatCannotBeWaitedForIsAMistakeOfUsage(t *testing.T) {
	r := newRig(t)
	for _, args := range [][]string{{"--for", "wealthy"}, {"--timeout", "0s"}, {"--timeout", "soon"}} {
		text, code := r.do(append([]string{"wait"}, args...)...)
		require.Equal(t, codeUsage, code, text)
	}
}

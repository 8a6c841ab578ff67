//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// attentive probes often and loses patience soon.
const attentive = "[health]\ninterval = \"1s\"\ntimeout = \"500ms\"\nfailures = 3\n"

func TestAServerThatLoadsForAMinuteIsStartingAndLeftAlone(t *testing.T) {
	t.Parallel()
	r := twin(t, attentive+"startup = \"3m\"\n", "TWIN_LOAD=60")
	f := r.run()
	began := time.Now()
	started := f.await("started")
	require.Equal(t, "starting", started.State)
	for time.Since(began) < 50*time.Second {
		out, code := r.do("status", "--json", r.dir)
		require.Zero(t, code, out)
		require.Contains(t, strings.ReplaceAll(out, " ", ""), `"state":"starting"`)
		time.Sleep(5 * time.Second)
	}
	healthy := f.awaitFor(2*time.Minute, "healthy")
	require.Equal(t, started.PID, healthy.PID)
	require.Empty(t, f.seen("unhealthy"))
	require.Len(t, r.lives(), 1)
	f.stop()
}

func TestAServerThatNeverAnswersInItsStartupTimeIsHung(t *testing.T) {
	t.Parallel()
	r := twin(t, attentive+"startup = \"2s\"\n", "TWIN_LOAD=1000")
	f := r.run()
	require.Equal(t, "hung", f.await("unhealthy").Health.Phase)
	require.Len(t, r.lives(), 1, "what to do about it is for a person to say")
}

func TestABusyServerIsNotRestarted(t *testing.T) {
	t.Parallel()
	// Patient figures: beside many other processes, a server that works may for a second or two not get the share of a core that tells it from one
	// that hangs, and one that has done its work may be late with its first answer.
	r := twin(t, "[health]\ninterval = \"3s\"\ntimeout = \"5s\"\nfailures = 3\n")
	f := r.run()
	pid := f.await("healthy").PID
	r.behind("/work?seconds=60")
	busy := f.await("busy")
	require.Equal(t, "busy", busy.Health.Phase)
	healthy := f.awaitFor(2*time.Minute, "healthy")
	require.Equal(t, pid, healthy.PID)
	for _, u := range f.seen("unhealthy") {
		require.NotEqual(t, "hung", u.Health.Phase)
	}
	require.Len(t, r.lives(), 1)
	f.stop()
}

// behind asks for path and does not wait for the answer.
func (r *rig) behind(path string) {
	go func() {
		c := &http.Client{Timeout: 10 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
		if answer, err := c.Get("http://" + r.address() + path); err == nil {
			_ = answer.Body.Close()
		}
	}()
}

func TestAHungServerIsToldAsHung(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/hang", "/hang?chatter=1"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			r := twin(t, attentive+"busy_limit = \"3s\"\n")
			f := r.run()
			pid := f.await("healthy").PID
			r.behind(path)
			unhealthy := f.await("unhealthy")
			require.Equal(t, "hung", unhealthy.Health.Phase)
			require.Equal(t, pid, unhealthy.PID)
			require.Len(t, r.lives(), 1, "restart_hung is off")
			f.stop()
		})
	}
}

func TestAHungServerIsRestartedWhereTheConfigurationSaysSo(t *testing.T) {
	t.Parallel()
	r := twin(t, attentive+"busy_limit = \"1s\"\nrestart_hung = true\n[stop]\ngrace = \"500ms\"\n")
	f := r.run()
	pid := f.await("healthy").PID
	r.behind("/hang")
	f.await("unhealthy")
	require.NotEqual(t, pid, f.await("healthy").PID)
	require.Len(t, r.lives(), 2)
	f.stop()
}

func TestASlowCrashLoopIsGivenUpAfterFiveAndWaits(t *testing.T) {
	t.Parallel()
	r := twin(t, quick, "TWIN_DIE_AFTER=3")
	f := r.run()
	gaveUp := f.awaitFor(5*time.Minute, "gave-up")
	require.Equal(t, "gave-up", gaveUp.State)
	require.NotEmpty(t, gaveUp.Verdict.Summary)
	require.Len(t, f.seen("crashed"), 5)
	time.Sleep(3 * time.Second)
	require.Len(t, f.seen("gave-up"), 1, "said once")
	require.Len(t, r.lives(), 5)

	out, code := r.do("start", r.dir)
	require.Zero(t, code, out)
	f.await("healthy")
	require.Len(t, r.lives(), 6)
	f.stop()
}

func TestEveryKindOfEndHasItsVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ how, signal string }{
		{"SIGSEGV", "SIGSEGV"}, {"SIGABRT", "SIGABRT"}, {"SIGKILL", "SIGKILL"}, {"SIGBUS", "SIGBUS"}, {"exit", ""},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			r := twin(t, quick)
			f := r.run()
			pid := f.await("healthy").PID
			r.behind("/crash?how=" + c.how)
			crashed := f.await("crashed")
			require.Equal(t, c.signal, crashed.Signal)
			if c.signal == "" {
				require.Equal(t, 3, crashed.Code)
			}
			require.NotEmpty(t, crashed.Verdict.Kind)
			require.NotEmpty(t, crashed.Verdict.Summary)
			require.NotEqual(t, pid, f.await("healthy").PID)
			f.stop()
		})
	}
}

package testkit

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

var Noon = time.Date(2026, 3, 14, 14, 2, 30, 0, time.UTC)

func Ago(d time.Duration) time.Time { return Noon.Add(-d) }

// Calm is a stopped backend of which nothing is wrong.
func Calm() supervisor.Snapshot {
	return supervisor.Snapshot{
		Backend: "backend", Dir: "/home/ada/backend", State: supervisor.Stopped, Since: Ago(time.Hour), Port: 8000,
		URL: "http://127.0.0.1:8000", Log: "/home/ada/backend/logs/server.log",
	}
}

func In(state supervisor.State, since time.Duration, more ...func(*supervisor.Snapshot)) supervisor.Snapshot {
	s := Calm()
	s.State, s.Since, s.Want = state, Ago(since), state != supervisor.Stopped
	switch state {
	case supervisor.Starting, supervisor.Healthy, supervisor.Unhealthy:
		s.Run = keeper.Run{ID: "r1", PID: 4711, Stamp: "x", Started: Ago(since)}
	}
	if state == supervisor.Healthy {
		s.Health = record.Health{Phase: record.PhaseOK, Latency: 12 * time.Millisecond, Good: Ago(time.Second)}
		s.Usage = process.Usage{CPU: 0.04, RSS: 1_200_000_000, Procs: 3}
	}
	for _, f := range more {
		f(&s)
	}
	return s
}

func With(f func(*supervisor.Snapshot)) func(*supervisor.Snapshot) { return f }

var OpenMP = crash.Verdict{
	Kind: "openmp-duplicate", Summary: "two OpenMP runtimes in one process",
	Remedy: "Keep KMP_DUPLICATE_LIB_OK=TRUE, or run vivarium doctor.",
}

func Crashed(s *supervisor.Snapshot) { s.Last, s.LastAt, s.Crashes = OpenMP, Ago(20*time.Minute), 1 }

// Nasty is text as it comes from people, from output and from attackers.
var Nasty = []string{
	"", " ", "a\nb", "\x00\x1b[31mred", "\xff\xfe", strings.Repeat("long ", 200), strings.Repeat("ü", 300), "\u202eevil", "tab\there",
	"日本語のバックエンド", "👩‍🚀", "file; remedy", ";", "; ; ;", "x: y: z", "_under_score_", "&lt;<b>", "\r\n\r\n", "\u2028\u2029", "a\u00a0b",
}

var Midday = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)

func HealthySnapshot() supervisor.Snapshot {
	return supervisor.Snapshot{
		Backend: "brain", Dir: "/srv/brain", State: supervisor.Healthy, Want: true, Since: Midday.Add(-time.Hour),
		Run:    keeper.Run{ID: "r1", PID: 4711, Stamp: "boot 99", Started: Midday.Add(-2 * time.Hour)},
		Health: record.Health{Phase: record.PhaseOK, Latency: 12345 * time.Microsecond, Good: Midday},
		Usage:  process.Usage{CPU: 0.0437, Total: 90 * time.Second, RSS: 1200 << 20, Procs: 3},
		Port:   8000, URL: "http://127.0.0.1:8000", Log: "/srv/brain/logs/server.log",
	}
}

func RequireFit(t *testing.T, title string, limit int) {
	t.Helper()
	require.True(t, utf8.ValidString(title), "%q", title)
	require.LessOrEqual(t, utf8.RuneCountInString(title), limit, "%q", title)
	require.Equal(t, strings.TrimSpace(title), title)
	for _, r := range title {
		require.True(t, unicode.IsPrint(r), "%q in %q", r, title)
	}
}

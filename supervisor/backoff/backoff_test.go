package backoff

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func TestBackOffDoublesToHalfAMinute(t *testing.T) {
	for n, want := range []time.Duration{0, 0, 1, 2, 4, 8, 16, 30, 30, 30} {
		got := Wait(n, "x")
		require.LessOrEqual(t, got, want*time.Second, n)
		require.GreaterOrEqual(t, got, want*time.Second*8/10, n)
	}
	require.NotEqual(t, Wait(5, "a"), Wait(5, "b"), "two backends must not come back in step")
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func death(ago time.Duration, kind crash.Kind, healthy bool, up time.Duration) record.Death {
	return record.Death{At: noon.Add(-ago), Healthy: healthy, Uptime: up, Verdict: crash.Verdict{Kind: kind}}
}

func TestARowOfDeathsEndsAtAStableRunAndAtAPersonsStart(t *testing.T) {
	deaths := []record.Death{
		death(9*time.Minute, "exception", true, time.Second), death(8*time.Minute, "exception", true, time.Hour),
		death(2*time.Minute, "segfault", false, time.Second), death(time.Minute, "segfault", false, time.Second),
	}
	n, never := InARow(deaths, time.Time{}, time.Minute)
	require.Equal(t, 3, n, "the stable run cleared what came before it")
	require.Equal(t, 2, never)
	n, never = InARow(deaths, noon.Add(-90*time.Second), time.Minute)
	require.Equal(t, 1, n)
	require.Equal(t, 1, never)
	n, _ = InARow(nil, time.Time{}, time.Minute)
	require.Zero(t, n)
	require.Equal(t, 2, SameVerdict(deaths, time.Time{}))
	require.Equal(t, 1, SameVerdict(deaths, noon.Add(-90*time.Second)))
	require.Zero(t, SameVerdict(nil, time.Time{}))
}

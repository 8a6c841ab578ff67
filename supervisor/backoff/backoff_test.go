package backoff

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func death(after time.Duration, healthy bool, uptime time.Duration, kind crash.Kind) record.Death {
	return record.Death{At: noon.Add(after), Healthy: healthy, Uptime: uptime, Verdict: crash.Verdict{Kind: kind}}
}

func TestTheWaitGrowsToHalfAMinuteAndBackendsDoNotComeBackInStep(t *testing.T) {
	require.Zero(t, Wait(0, "x"))
	require.Zero(t, Wait(1, "x"))
	for n := 2; n < 100; n++ {
		got := Wait(n, "x")
		require.LessOrEqual(t, got, longest)
		require.Greater(t, got, 4*min(time.Second<<min(n-2, 5), longest)/5-time.Millisecond)
	}
	require.NotEqual(t, Wait(5, "a"), Wait(5, "b"))
}

func TestARowEndsAtAPersonsStartAndAtARunThatWasStable(t *testing.T) {
	deaths := []record.Death{death(0, false, 0, "a"), death(time.Minute, true, time.Hour, "a"), death(2*time.Minute, true, time.Second, "a"), death(3*time.Minute, false, 0, "a")}
	n, never := InARow(deaths, noon, time.Minute)
	require.Equal(t, 3, n, "the stable run cleared what came before it, and counts itself")
	require.Equal(t, 1, never)
	n, _ = InARow(deaths, noon.Add(150*time.Second), time.Minute)
	require.Equal(t, 1, n)
	n, never = InARow(nil, noon, time.Minute)
	require.Zero(t, n+never)
}

func TestTheSameCauseCountsForTenMinutes(t *testing.T) {
	deaths := []record.Death{death(-11*time.Minute, true, 0, "a"), death(-5*time.Minute, true, 0, "a"), death(-time.Minute, true, 0, "b"), death(0, true, 0, "a")}
	require.Equal(t, 2, SameVerdict(deaths, noon.Add(-time.Hour)))
	require.Equal(t, 1, SameVerdict(deaths, noon.Add(-2*time.Minute)))
	require.Zero(t, SameVerdict(nil, noon))
}

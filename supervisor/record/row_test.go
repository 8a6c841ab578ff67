package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// row are deaths a minute apart, the last of them at noon; a capital letter had been healthy, and had run for that many seconds otherwise.
func row(uptime time.Duration, kinds string) []Death {
	var all []Death
	for i, k := range kinds {
		at := noon.Add(-time.Duration(len(kinds)-1-i) * time.Minute)
		all = append(all, Death{At: at, Uptime: uptime, Healthy: k >= 'A' && k <= 'Z', Verdict: crash.Verdict{Kind: crash.Kind(string(k))}})
	}
	return all
}

func TestDeathsThatBelongTogetherAreARow(t *testing.T) {
	for name, tt := range map[string]struct {
		deaths          []Death
		cleared         time.Time
		stable          time.Duration
		n, neverHealthy int
	}{
		"none":                       {nil, noon, time.Minute, 0, 0},
		"five that never answered":   {row(time.Second, "aaaaa"), time.Time{}, time.Minute, 5, 5},
		"a person began anew":        {row(time.Second, "aaaaa"), noon.Add(-90 * time.Second), time.Minute, 2, 2},
		"one of them answered":       {row(time.Second, "aaAaa"), time.Time{}, time.Minute, 5, 2},
		"one of them was stable":     {row(time.Hour, "aaAaa"), time.Time{}, time.Minute, 3, 2},
		"every run clears the count": {row(time.Second, "aaaaa"), time.Time{}, 0, 1, 1},
	} {
		n, never := InARow(tt.deaths, tt.cleared, tt.stable)
		require.Equal(t, []int{tt.n, tt.neverHealthy}, []int{n, never}, name)
	}
}

func TestTheSameVerdictCountsForTenMinutes(t *testing.T) {
	require.Zero(t, SameVerdict(nil, noon))
	require.Equal(t, 3, SameVerdict(row(0, "abaa"), time.Time{}))
	require.Equal(t, 10, SameVerdict(row(0, "aaaaaaaaaaaaaaa"), time.Time{}), "what is ten minutes old counts no more")
	require.Equal(t, 2, SameVerdict(row(0, "aaaa"), noon.Add(-time.Minute)))
	amended := row(0, "ab")
	amended[0].First = "b"
	require.Equal(t, 2, SameVerdict(amended, time.Time{}), "what it was taken for at once is compared")
}

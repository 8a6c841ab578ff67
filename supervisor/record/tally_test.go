package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

func deathAt(at time.Time, kind crash.Kind, summary string) Death {
	return Death{Run: at.String(), At: at, Verdict: crash.Verdict{Kind: kind, Summary: summary}}
}

func TestTodaysDeathsAreCountedByCause(t *testing.T) {
	east := time.FixedZone("UTC+2", 2*60*60)
	now := time.Date(2026, 11, 26, 1, 0, 0, 0, east) // 23:00 of the day before in UTC
	yesterday := time.Date(2026, 11, 25, 23, 59, 0, 0, east)
	today := time.Date(2026, 11, 26, 0, 1, 0, 0, east).UTC()
	for name, tt := range map[string]struct {
		deaths []Death
		want   Tally
	}{
		"none":      {nil, Tally{}},
		"yesterday": {[]Death{deathAt(yesterday, "segfault", "x")}, Tally{}},
		"one": {[]Death{deathAt(yesterday, "segfault", "x"), deathAt(today, "abort", "y")},
			Tally{"2026-11-26", 1, []Cause{{"abort", "y", 1}}}},
		"all of one cause in the same words": {[]Death{deathAt(today, "abort", "y"), deathAt(now, "abort", "y")},
			Tally{"2026-11-26", 2, []Cause{{"abort", "y", 2}}}},
		"all of one cause in different words": {[]Death{deathAt(today, "abort", "y"), deathAt(now, "abort", "z"), deathAt(now, "abort", "y")},
			Tally{"2026-11-26", 3, []Cause{{"abort", "", 3}}}},
		"the most frequent first, of equals the latest": {[]Death{deathAt(today, "a", ""), deathAt(today, "b", ""), deathAt(today, "c", ""), deathAt(today, "b", "")},
			Tally{"2026-11-26", 4, []Cause{{"b", "", 2}, {"c", "", 1}, {"a", "", 1}}}},
		"a clean exit is no crash, and a launch that failed is no death": {[]Death{deathAt(today, crash.KindCleanExit, ""), {At: today, Verdict: crash.Verdict{Kind: crash.KindCannotStart}}},
			Tally{}},
		"tomorrow, by a clock that was set back": {[]Death{deathAt(now.AddDate(0, 0, 1), "a", "")}, Tally{}},
	} {
		require.Equal(t, tt.want, TallyOf(tt.deaths, now), name)
	}
}

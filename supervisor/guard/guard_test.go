package guard

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	gb    = 1_000_000_000
	ram   = 16 * gb
	every = 5 * time.Second
)

var (
	noon   = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	policy = Policy{Warn: Limit{Percent: 75}, Restart: Limit{Bytes: 14 * gb}, For: 30 * time.Second}
)

// acts are what a guard does at measurements five seconds apart; 0 stands for nothing.
func acts(g *Guard, p Policy, figures ...uint64) []Act {
	var all []Act
	for i, held := range figures {
		all = append(all, g.Sample(noon.Add(time.Duration(i)*every), held*gb, ram, p, every))
	}
	return all
}

func repeat(n int, held uint64) []uint64 {
	all := make([]uint64, n)
	for i := range all {
		all[i] = held
	}
	return all
}

func TestAWarningComesOnceAfterTheWholeTime(t *testing.T) {
	var g Guard
	got := acts(&g, policy, repeat(30, 13)...)
	for i, a := range got {
		require.Equal(t, i == 6, a == Warn, "%d s", 5*i)
	}
	require.True(t, g.Warned())
	require.True(t, g.Above())
	require.Equal(t, Nothing, g.Sample(noon.Add(time.Hour), 1*gb, ram, policy, every))
	require.False(t, g.Above())
	require.True(t, g.Warned(), "once in the life of a run, however often it comes back")
}

func TestAPeakThatIsShorterIsNoReason(t *testing.T) {
	for name, figures := range map[string][]uint64{
		"one measurement":           {1, 15, 1, 1, 1, 1, 1, 1, 1},
		"five seconds too short":    append(repeat(6, 15), 1),
		"again and again":           append(append(repeat(5, 15), 1), append(repeat(5, 15), 1)...),
		"at the limit, not above":   append(repeat(3, 12), repeat(20, 12)...),
		"one look below in between": append(append(repeat(6, 15), 11), repeat(6, 15)...),
	} {
		var g Guard
		for i, a := range acts(&g, policy, figures...) {
			require.Equal(t, Nothing, a, "%s, look %d", name, i)
		}
	}
}

func TestTheRestartComesBeforeTheSystemsKill(t *testing.T) {
	var g Guard
	got := acts(&g, policy, append(repeat(8, 13), repeat(8, 15)...)...)
	require.Equal(t, Warn, got[6])
	require.Equal(t, Nothing, got[13])
	require.Equal(t, Restart, got[14])
}

func TestOnlyWhatIsAskedForIsDone(t *testing.T) {
	for name, tt := range map[string]struct {
		policy Policy
		want   map[Act]bool
	}{
		"nothing":                  {Policy{For: time.Second}, map[Act]bool{Nothing: true}},
		"warnings":                 {Policy{Warn: policy.Warn}, map[Act]bool{Nothing: true, Warn: true}},
		"restarts":                 {Policy{Restart: policy.Restart}, map[Act]bool{Restart: true}},
		"of nobody knows how much": {Policy{Warn: Limit{Percent: 200}}, map[Act]bool{Nothing: true}},
	} {
		var g Guard
		got := map[Act]bool{}
		for _, a := range acts(&g, tt.policy, repeat(20, 15)...) {
			got[a] = true
		}
		require.Equal(t, tt.want, got, name)
	}
	var g Guard
	require.Equal(t, Nothing, g.Sample(noon, 1<<60, 0, Policy{Warn: Limit{Percent: 85}}, every), "the size of the machine is unknown")
}

func TestWhatNobodyMeasuredDoesNotCount(t *testing.T) {
	var g Guard
	require.Equal(t, Nothing, g.Sample(noon, 15*gb, ram, policy, every))
	require.Equal(t, Nothing, g.Sample(noon.Add(time.Hour), 15*gb, ram, policy, every), "the computer slept")
	require.Equal(t, Nothing, g.Sample(noon.Add(time.Hour+15*time.Second), 15*gb, ram, policy, every), "a late look is one all the same")
	require.Equal(t, Restart, g.Sample(noon.Add(time.Hour+30*time.Second), 15*gb, ram, policy, every))
}

func TestMemoryIsMeasuredOftenEnoughForTheLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		interval, long time.Duration
		set            bool
		want           time.Duration
	}{
		"the interval is shorter":       {5 * time.Second, 30 * time.Second, true, 5 * time.Second},
		"the time is shorter":           {time.Minute, 30 * time.Second, true, 30 * time.Second},
		"never more than each second":   {5 * time.Second, 100 * time.Millisecond, true, time.Second},
		"unless all is measured faster": {50 * time.Millisecond, 30 * time.Second, true, 50 * time.Millisecond},
		"without a limit":               {time.Minute, time.Second, false, time.Minute},
	} {
		p := Policy{For: tt.long}
		if tt.set {
			p.Warn.Percent = 85
		}
		require.Equal(t, tt.want, p.Every(tt.interval), name)
	}
}

func TestRestartsThatFollowEachOtherCloselyAreARow(t *testing.T) {
	p := Past{}.Then(noon, 14*gb)
	require.Equal(t, Past{1, noon, 14 * gb, 1}, p)
	p = p.Then(noon.Add(time.Minute), 15*gb)
	require.Equal(t, Past{2, noon.Add(time.Minute), 15 * gb, 2}, p)
	p = p.Then(noon.Add(10*time.Minute), 15*gb)
	require.Equal(t, 3, p.Row)
	p = p.Then(noon.Add(time.Hour), 15*gb)
	require.Equal(t, 1, p.Row)
	require.Equal(t, 4, p.Restarts)
	require.Equal(t, 1, p.Then(noon, 15*gb).Row, "the clock was set back")
}

func TestTheWordsSayHowMuchAndWhy(t *testing.T) {
	require.Equal(t, "13.6 GB for 30 s, more than 85 % of the 16.0 GB that there are", High(13.6*gb, ram, Limit{Percent: 85}, 30*time.Second))
	require.Equal(t, "1.0 GB for 2 min, more than 500 MB", High(gb, ram, Limit{Bytes: 500_000_000}, 2*time.Minute))
	require.Equal(t, "1.0 GB for 1.5 s, more than 500 MB", High(gb, ram, Limit{Bytes: 500_000_000}, 1500*time.Millisecond))
	require.Equal(t, "600 MB, more than 500 MB", High(600_000_000, ram, Limit{Bytes: 500_000_000}, 0))
	require.Equal(t, "restarted at 13.6 GB, before macOS would have ended it", Past{Restarts: 1, Bytes: 13.6 * gb}.Told("darwin"))
	require.Equal(t, "restarted at 13.6 GB, before the system would have ended it", Past{Restarts: 1, Bytes: 13.6 * gb}.Told("linux"))
	require.Empty(t, Past{}.Told("darwin"))
}

package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestAHistoryKeepsTheLastQuarterOfAnHourAndNeverMoreThanOneSampleForFiveSeconds(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second, 7 * time.Second, time.Minute} {
		var h Samples
		end := testkit.Noon.Add(2 * time.Hour)
		for now := testkit.Noon; now.Before(end); now = now.Add(every) {
			h = h.Add(record.Sample{At: now, OK: true}, testkit.Noon)
			require.LessOrEqual(t, len(h), mostSample)
		}
		require.Equal(t, mostSample, cap(h), "it is a ring: two hours take no more room than fifteen minutes")
		require.WithinDuration(t, end.Add(-Remembered), h[0].At, max(apart, every), every)
		require.WithinDuration(t, end, h[len(h)-1].At, every)
		for i := 1; i < len(h); i++ {
			require.True(t, h[i].At.After(h[i-1].At))
		}
	}
}

func TestWhatIsMeasuredOftenBecomesOneSampleOfTheWorst(t *testing.T) {
	var h Samples
	h = h.Add(record.Sample{At: testkit.At(0), CPU: 0.1, RSS: 900, Latency: 5, OK: true}, testkit.Noon)
	h = h.Add(record.Sample{At: testkit.At(1), CPU: 0.9, RSS: 100, Latency: 2, OK: false}, testkit.Noon)
	h = h.Add(record.Sample{At: testkit.At(4.9), CPU: 0.2, RSS: 200, Latency: 9, OK: true}, testkit.Noon)
	require.Equal(t, Samples{{At: testkit.At(4.9), CPU: 0.9, RSS: 900, Latency: 9, OK: false}}, h)
	h = h.Add(record.Sample{At: testkit.At(5), OK: true}, testkit.Noon)
	require.Len(t, h, 2)
}

func TestTheNextRunIsNotMixedWithTheDeadOne(t *testing.T) {
	var h Samples
	h = h.Add(record.Sample{At: testkit.At(0), RSS: 8 << 30}, testkit.Noon)
	h = h.Add(record.Sample{At: testkit.At(2), RSS: 1 << 20}, testkit.At(1))
	require.Equal(t, Samples{{At: testkit.At(0), RSS: 8 << 30}, {At: testkit.At(2), RSS: 1 << 20}}, h)
}

func TestAClockThatIsSetBackEmptiesTheHistory(t *testing.T) {
	var h Samples
	for i := range 10 {
		h = h.Add(record.Sample{At: testkit.At(float64(i) * 10)}, testkit.Noon)
	}
	h = h.Add(record.Sample{At: testkit.Noon.Add(-time.Hour)}, testkit.Noon.Add(-2*time.Hour))
	require.Equal(t, Samples{{At: testkit.Noon.Add(-time.Hour)}}, h)
}

func TestTheWorstPressureOfFiveSecondsIsKept(t *testing.T) {
	var h Samples
	h = h.Add(record.Sample{At: testkit.At(0), Memory: 5, Pressure: memory.Warning}, testkit.Noon)
	h = h.Add(record.Sample{At: testkit.At(1), Memory: 4, Pressure: memory.Normal}, testkit.Noon)
	require.Equal(t, Samples{{At: testkit.At(1), Memory: 5, Pressure: memory.Warning}}, h)
}

func TestAMarkOfAStallIsReplacedByWhatIsKnownOfItLater(t *testing.T) {
	first := Marks{}.With(record.Mark{At: testkit.At(1), What: record.MarkStall, Text: "no answer"}).With(record.Mark{At: testkit.At(2), What: record.MarkStart})
	later := first.With(record.Mark{At: testkit.At(1), Until: testkit.At(9), What: record.MarkStall, Text: "blocked"})
	require.Len(t, later, 2)
	require.Equal(t, "blocked", later[0].Text)
	require.Equal(t, "no answer", first[0].Text, "who holds the old ones keeps them")
	require.Len(t, later.With(record.Mark{At: testkit.At(2), What: record.MarkStart}), 3, "two starts of a moment are two")
}

func TestAStandstillTellsOnlyWhatIsNew(t *testing.T) {
	var s Standstill
	require.False(t, s.Lasts())
	s.Failed(testkit.At(5))
	s.Begin(testkit.At(15), testkit.At(0), record.Stalled{Run: "r1"})
	require.True(t, s.Lasts())
	news, fresh := s.News()
	require.True(t, fresh)
	require.Equal(t, record.Stalled{Run: "r1", At: testkit.At(5), Uptime: 5 * time.Second}, news)
	_, fresh = s.News()
	require.False(t, fresh)
	why := stall.Stall{Kind: stall.KindLoop, Summary: "blocked"}
	s.See(stall.Stall{})
	_, fresh = s.News()
	require.False(t, fresh, "what is not known is no news")
	s.See(why)
	news, fresh = s.News()
	require.True(t, fresh)
	require.Equal(t, why, news.Stall)
	s.End(testkit.At(30), record.Recovered)
	news, fresh = s.News()
	require.True(t, fresh)
	require.Equal(t, testkit.At(30), news.Until)
	require.False(t, s.Lasts())

	s.Begin(testkit.At(40), testkit.At(50), record.Stalled{})
	require.Equal(t, testkit.At(40), s.At, "without a failed check it begins when it is told")
	require.Zero(t, s.Uptime, "a clock that was set back gives no negative time")
}

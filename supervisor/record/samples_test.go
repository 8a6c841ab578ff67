package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/memory"
)

var noon = time.Date(2025, 11, 26, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func TestAHistoryKeepsTheLastQuarterOfAnHourAndNeverMoreThanOneSampleForFiveSeconds(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second, 7 * time.Second, time.Minute} {
		var h Samples
		end := noon.Add(2 * time.Hour)
		for now := noon; now.Before(end); now = now.Add(every) {
			h = h.Add(Sample{At: now, OK: true}, noon)
			require.LessOrEqual(t, len(h), maxSamples)
		}
		require.Equal(t, maxSamples, cap(h), "it is a ring: two hours take no more room than fifteen minutes")
		require.WithinDuration(t, end.Add(-Remembered), h[0].At, max(apart, every), every)
		require.WithinDuration(t, end, h[len(h)-1].At, every)
		for i := 1; i < len(h); i++ {
			require.True(t, h[i].At.After(h[i-1].At))
		}
	}
}

func TestWhatIsMeasuredOftenBecomesOneSampleOfTheWorst(t *testing.T) {
	var h Samples
	h = h.Add(Sample{At: at(0), CPU: 0.1, RSS: 900, Latency: 5, OK: true}, noon)
	h = h.Add(Sample{At: at(1), CPU: 0.9, RSS: 100, Latency: 2, OK: false}, noon)
	h = h.Add(Sample{At: at(4.9), CPU: 0.2, RSS: 200, Latency: 9, OK: true}, noon)
	require.Equal(t, Samples{{At: at(4.9), CPU: 0.9, RSS: 900, Latency: 9, OK: false}}, h)
	h = h.Add(Sample{At: at(5), OK: true}, noon)
	require.Len(t, h, 2)
}

func TestTheNextRunIsNotMixedWithTheDeadOne(t *testing.T) {
	var h Samples
	h = h.Add(Sample{At: at(0), RSS: 8 << 30}, noon)
	h = h.Add(Sample{At: at(2), RSS: 1 << 20}, at(1))
	require.Equal(t, Samples{{At: at(0), RSS: 8 << 30}, {At: at(2), RSS: 1 << 20}}, h)
}

func TestAClockThatIsSetBackEmptiesTheHistory(t *testing.T) {
	var h Samples
	for i := range 10 {
		h = h.Add(Sample{At: at(float64(i) * 10)}, noon)
	}
	h = h.Add(Sample{At: noon.Add(-time.Hour)}, noon.Add(-2*time.Hour))
	require.Equal(t, Samples{{At: noon.Add(-time.Hour)}}, h)
}

func TestMarksAreBoundedAndAHistoryThatWasGivenIsNotChanged(t *testing.T) {
	var marks []Mark
	for i := range 3 * maxMarks {
		marks = WithMark(marks, Mark{At: at(float64(i) / 10), What: MarkStart})
		require.LessOrEqual(t, len(marks), maxMarks)
	}
	before := marks
	first := before[0]
	marks = WithMark(marks, Mark{At: at(100), What: MarkDeath})
	require.Equal(t, first, before[0])
	require.Len(t, before, maxMarks)
	marks = WithMark(marks, Mark{At: noon.Add(-time.Hour), What: MarkStart})
	require.Len(t, marks, 1, "the clock was set back")
}

func TestTheWorstPressureOfFiveSecondsIsKept(t *testing.T) {
	var h Samples
	h = h.Add(Sample{At: at(0), Memory: 5, Pressure: memory.Warning}, noon)
	h = h.Add(Sample{At: at(1), Memory: 4, Pressure: memory.Normal}, noon)
	require.Equal(t, Samples{{At: at(1), Memory: 5, Pressure: memory.Warning}}, h)
}

func TestASampleByAnEarlierVivariumHasItsResidentMemoryAlone(t *testing.T) {
	require.EqualValues(t, 7, Sample{RSS: 7}.Used())
	require.EqualValues(t, 9, Sample{Memory: 9, RSS: 7}.Used())
}

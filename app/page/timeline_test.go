package page

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func TestAnAxisBeginsAtZeroHasRoundLinesAndHoldsTheHighestValue(t *testing.T) {
	for _, c := range []struct {
		highest float64
		units   []unit
		want    string
	}{
		{2.279e9, bytesUnits, "0, 1 GB, 2 GB, 3 GB"}, {640e6, bytesUnits, "0, 200 MB, 400 MB, 600 MB, 800 MB"}, {1.5e6, bytesUnits, "0, 0.5 MB, 1 MB, 1.5 MB"},
		{1e9, bytesUnits, "0, 0.5 GB, 1 GB"}, {64e12, bytesUnits, "0, 20 TB, 40 TB, 60 TB, 80 TB"},
		{0.04, percentUnits, "0, 1 %, 2 %, 3 %, 4 %"}, {1.75, percentUnits, "0, 50 %, 100 %, 150 %, 200 %"}, {16, percentUnits, "0, 500 %, 1000 %, 1500 %, 2000 %"},
		{0.012, secondsUnits, "0, 5 ms, 10 ms, 15 ms"}, {3, secondsUnits, "0, 1 s, 2 s, 3 s"}, {0.0004, secondsUnits, "0, 0.1 ms, 0.2 ms, 0.3 ms, 0.4 ms"},
	} {
		a := newAxis(c.highest, c.units)
		var labels []string
		for _, v := range a.lines() {
			labels = append(labels, a.label(v))
		}
		require.Equal(t, c.want, strings.Join(labels, ", "), c.highest)
		require.GreaterOrEqual(t, a.top*1.0001, c.highest)
	}
}

func TestWhatWasIdleHasAnAxisOfItsSmallestUnit(t *testing.T) {
	for _, highest := range []float64{0, 1e-12, 0.0004} {
		a := newAxis(highest, percentUnits)
		labels := []string{}
		for _, v := range a.lines() {
			labels = append(labels, a.label(v))
		}
		require.LessOrEqual(t, len(labels), 4)
		for _, l := range labels {
			require.NotContains(t, l, "e-")
		}
	}
}

func TestTheWordsAtStartAndDeathNeverCoverEachOther(t *testing.T) {
	for uptime := time.Second; uptime < 10*time.Minute; uptime += 7 * time.Second {
		for _, n := range []int{1, 2, 30} {
			var samples []record.Sample
			for i := range n {
				samples = append(samples, at(5*i, 0, 0))
			}
			tl := timelineOf(t, uptime, samples...)
			if tl.Start != nil && tl.Start.Text != "" {
				require.GreaterOrEqual(t, tl.Death.X-tl.Start.X, labelsApart)
			}
			require.Contains(t, tl.Death.Text, "died ")
		}
	}
}

func TestAnAxisOfAnyValueIsFinite(t *testing.T) {
	for _, highest := range []float64{0, 1e-300, 1e-9, 7, 1 << 50, 1e4} {
		for _, units := range [][]unit{bytesUnits, percentUnits, secondsUnits} {
			a := newAxis(highest, units)
			n := len(a.lines())
			require.True(t, n >= 2 && n <= 6, "%g: %d lines", highest, n)
			require.False(t, math.IsInf(a.top, 0) || math.IsNaN(a.top) || a.top <= 0, "%g", highest)
		}
	}
}

func timelineOf(t *testing.T, uptime time.Duration, samples ...record.Sample) *timeline {
	t.Helper()
	return newTimeline(record.Record{Death: record.Death{At: died, Uptime: uptime}, Samples: samples}, plainWords)
}

// at is a sample some seconds before the death.
func at(seconds int, rss uint64, latency time.Duration) record.Sample {
	return record.Sample{At: died.Add(-time.Duration(seconds) * time.Second), RSS: rss, CPU: 0.5, Latency: latency, OK: latency > 0}
}

func TestWhereNothingWasMeasuredThereIsAGapAndNoLine(t *testing.T) {
	tl := timelineOf(t, time.Hour, at(300, 1e9, 1e6), at(295, 1e9, 1e6), at(290, 1e9, 1e6), at(120, 1e9, 1e6), at(115, 1e9, 1e6), at(5, 1e9, 1e6), at(1, 1e9, 1e6))
	p := tl.Panels[0]
	require.Len(t, p.Gaps, 2)
	require.Equal(t, 3, strings.Count(p.Path, "M"), "three pieces")
	require.True(t, tl.Gaps)
	for _, g := range p.Gaps {
		require.Positive(t, g.Width)
	}
	require.Len(t, timelineOf(t, time.Hour, at(100, 1e9, 1e6), at(95, 1e9, 1e6), at(60, 1e9, 1e6)).Panels[0].Gaps, 2, "nor was anything measured between the last sample and the death")
}

func TestSamplesAtTheUsualDistanceHaveNoGaps(t *testing.T) {
	for _, step := range []int{1, 5, 14, 60} { // a health interval may be long
		var samples []record.Sample
		for s := 10 * step; s > 0; s -= step {
			samples = append(samples, at(s, 1e9, 1e6))
		}
		tl := timelineOf(t, time.Hour, samples...)
		require.False(t, tl.Gaps, "%d s", step)
		require.Equal(t, 1, strings.Count(tl.Panels[0].Path, "M"))
	}
}

func TestTimesInWhichTheSystemWasShortOfMemoryAreShaded(t *testing.T) {
	short := func(seconds int, level memory.Level) record.Sample {
		s := at(seconds, 1e9, 1e6)
		s.Pressure = level
		return s
	}
	tl := timelineOf(t, time.Hour, short(60, memory.Normal), short(55, memory.Warning), short(50, memory.Warning), short(45, memory.Critical),
		short(40, memory.Normal), short(35, "of a newer version"), short(30, ""), short(5, memory.Critical))
	found := tl.Panels[0].Pressure
	require.Len(t, found, 3)
	require.Equal(t, []string{"warning", "critical", "critical"}, []string{found[0].Level, found[1].Level, found[2].Level})
	require.InDelta(t, 2*found[1].Width, found[0].Width, 0.3, "two samples make one piece, from the sample before")
	require.InDelta(t, found[1].Width, found[2].Width, 0.3, "after a gap it speaks for a few seconds")
	require.InDelta(t, found[0].X+found[0].Width, found[1].X, 0.3)
	require.Empty(t, tl.Panels[1].Pressure, "it is shown beside the memory")
	require.Contains(t, tl.Says, "The system was short of memory")
	require.False(t, timelineOf(t, time.Hour, short(10, memory.Normal), short(5, memory.Normal)).Pressed)
	page := made(t, record.Record{Death: record.Death{At: died, Uptime: time.Hour}, Samples: []record.Sample{short(10, memory.Critical)}})
	require.Contains(t, page, `class="pressure critical"`)
	require.Contains(t, page, "the system was short of memory</span>")
}

func TestTheLineDoesNotRunFromOneRunIntoTheNext(t *testing.T) {
	tl := timelineOf(t, 20*time.Second, at(40, 1e9, 1e6), at(35, 1e9, 1e6), at(30, 1e9, 1e6), at(15, 2e8, 1e6), at(10, 3e8, 1e6), at(5, 4e8, 1e6))
	require.NotNil(t, tl.Start)
	require.Equal(t, "started 14:01:51", tl.Start.Text)
	require.Equal(t, 2, strings.Count(tl.Panels[0].Path, "M"))
	require.Nil(t, timelineOf(t, time.Hour, at(40, 1e9, 1e6)).Start, "it began before the picture does")
}

func TestAHealthCheckWithoutAGoodAnswerIsACrossAndNoValue(t *testing.T) {
	stale := at(5, 1e9, 0)
	stale.Latency, stale.OK = 9*time.Millisecond, false // of the last good answer, which says nothing of now
	health := timelineOf(t, time.Hour, at(15, 1e9, 8e6), at(10, 1e9, 9e6), stale).Panels[2]
	require.Len(t, health.Missed, 1)
	require.Equal(t, 1, strings.Count(health.Path, "L"), "two values")
	require.Equal(t, "9 ms", health.Last)

	never := timelineOf(t, time.Hour, at(10, 1e9, 0), at(5, 1e9, 0))
	require.True(t, never.Unanswered)
	require.Empty(t, never.Panels[2].Last)
	require.Contains(t, never.Says, "Health check, time to answer: not measured")
}

func TestTheDeathIsAtTheEndAndTheValuesAreTrueToScale(t *testing.T) {
	tl := timelineOf(t, time.Hour, at(100, 0, 1e6), at(50, 5e8, 1e6), at(0, 1e9, 1e6))
	p := tl.Panels[0]
	middle := tenth(chartLeft + (chartWidth-chartLeft-chartRight)*chartEnd/2)
	require.Equal(t, fmt.Sprintf("M%g %gL%g %g", middle, p.Bottom-panelHeight/2, tl.Death.X, p.Top), p.Path, "1 GB is the top of its axis, and half of it half as high")
}

func TestTheAxisOfTimeCountsBackFromTheEnd(t *testing.T) {
	for _, c := range []struct {
		reach int
		want  string
	}{
		{900, "the end, −5 min, −10 min, −15 min"}, {300, "the end, −1 min, −2 min, −3 min, −4 min, −5 min"}, {3, "the end, −2 s, −4 s, −6 s, −8 s, −10 s"},
	} {
		var texts []string
		tl := timelineOf(t, time.Hour, at(c.reach, 1e9, 1e6))
		for _, m := range tl.Ticks {
			texts = append(texts, m.Text)
			require.LessOrEqual(t, m.X, tl.Death.X)
		}
		require.Equal(t, c.want, strings.Join(texts, ", "))
	}
}

func TestSamplesThatCannotBeAreLeftOut(t *testing.T) {
	nan, future, huge := at(5, 1e9, 1e6), at(-60, 1e9, 1e6), at(5, 1<<60, 1e6)
	nan.CPU = math.NaN()
	require.Nil(t, timelineOf(t, time.Hour, nan, future, huge))
	require.Nil(t, timelineOf(t, time.Hour))

	mixed := timelineOf(t, time.Hour, at(5, 2e9, 1e6), at(10, 1e9, 1e6)) // in the wrong order
	require.Equal(t, "2000 MB", mixed.Panels[0].Last)
}

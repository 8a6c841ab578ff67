package supervisor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestAHistoryKeepsTheLastQuarterOfAnHourAndNeverMoreThanOneSampleForFiveSeconds(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second, 7 * time.Second, time.Minute} {
		var h history
		end := testkit.Noon.Add(2 * time.Hour)
		for now := testkit.Noon; now.Before(end); now = now.Add(every) {
			h = h.add(record.Sample{At: now, OK: true}, testkit.Noon)
			require.LessOrEqual(t, len(h), maxSamples)
		}
		require.Equal(t, maxSamples, cap(h), "it is a ring: two hours take no more room than fifteen minutes")
		require.WithinDuration(t, end.Add(-remembered), h[0].At, max(apart, every), every)
		require.WithinDuration(t, end, h[len(h)-1].At, every)
		for i := 1; i < len(h); i++ {
			require.True(t, h[i].At.After(h[i-1].At))
		}
	}
}

func TestWhatIsMeasuredOftenBecomesOneSampleOfTheWorst(t *testing.T) {
	var h history
	h = h.add(record.Sample{At: testkit.At(0), CPU: 0.1, RSS: 900, Latency: 5, OK: true}, testkit.Noon)
	h = h.add(record.Sample{At: testkit.At(1), CPU: 0.9, RSS: 100, Latency: 2, OK: false}, testkit.Noon)
	h = h.add(record.Sample{At: testkit.At(4.9), CPU: 0.2, RSS: 200, Latency: 9, OK: true}, testkit.Noon)
	require.Equal(t, history{{At: testkit.At(4.9), CPU: 0.9, RSS: 900, Latency: 9, OK: false}}, h)
	h = h.add(record.Sample{At: testkit.At(5), OK: true}, testkit.Noon)
	require.Len(t, h, 2)
}

func TestTheNextRunIsNotMixedWithTheDeadOne(t *testing.T) {
	var h history
	h = h.add(record.Sample{At: testkit.At(0), RSS: 8 << 30}, testkit.Noon)
	h = h.add(record.Sample{At: testkit.At(2), RSS: 1 << 20}, testkit.At(1))
	require.Equal(t, history{{At: testkit.At(0), RSS: 8 << 30}, {At: testkit.At(2), RSS: 1 << 20}}, h)
}

func TestAClockThatIsSetBackEmptiesTheHistory(t *testing.T) {
	var h history
	for i := range 10 {
		h = h.add(record.Sample{At: testkit.At(float64(i) * 10)}, testkit.Noon)
	}
	h = h.add(record.Sample{At: testkit.Noon.Add(-time.Hour)}, testkit.Noon.Add(-2*time.Hour))
	require.Equal(t, history{{At: testkit.Noon.Add(-time.Hour)}}, h)
}

func TestTheMachineSamplesWhatItMeasuresAnyway(t *testing.T) {
	p := newPlay(t, in("healthy"))
	p.feed(probed{runID: "r1", latency: 7 * time.Millisecond, listens: true})
	p.feed(used{runID: "r1", usage: process.Usage{CPU: 0.5, RSS: 300, Procs: 1}})
	require.Equal(t, history{{At: testkit.Noon, CPU: 0.5, RSS: 300, Latency: 7 * time.Millisecond, OK: true}}, p.m.history)
	p.after(5*time.Second).bad(1, 0, quiet)
	require.False(t, p.m.history[1].OK, "a probe failed")
	p.feed(used{runID: "r0", usage: process.Usage{RSS: 1}}).feed(used{runID: "r1", failed: true})
	require.Len(t, p.m.history, 2, "another run's figures and none are no samples")
	p.crash("segfault")
	p.launch().after(5 * time.Second).feed(used{runID: p.m.Run.ID, usage: process.Usage{RSS: 1, Procs: 1}})
	require.Len(t, p.m.history, 3, "it goes on from run to run")
}

func marksOf(m *machine) []record.MarkKind {
	var kinds []record.MarkKind
	for _, k := range m.marks {
		kinds = append(kinds, k.What)
	}
	return kinds
}

func TestStartsDeathsStallsAndSleepAreMarked(t *testing.T) {
	p := newPlay(t, in("healthy")).bad(3, 0, quiet)
	require.Equal(t, []record.MarkKind{record.MarkStall}, marksOf(p.m))
	p.crash("segfault").launch().healthy()
	require.Equal(t, []record.MarkKind{record.MarkStall, record.MarkDeath, record.MarkStart}, marksOf(p.m))
	require.Equal(t, p.m.Last.Summary, p.m.marks[1].Text)
	p.after(5 * time.Minute).feed(woke{4 * time.Minute})
	slept := p.m.marks[len(p.m.marks)-1]
	require.Equal(t, record.Mark{At: p.now.Add(-4 * time.Minute), Until: p.now, What: record.MarkSleep}, slept)
	p.feed(stop{})
	require.Len(t, p.m.marks, 4, "what a person asked for is no death")
	p.m.mark(record.Mark{At: p.now.Add(remembered), What: record.MarkStart})
	require.Equal(t, record.MarkStart, p.m.marks[len(p.m.marks)-1].What)
	require.NotContains(t, marksOf(p.m), record.MarkDeath, "what is older than a history goes")
}

func TestMarksAreBoundedAndAHistoryThatWasGivenIsNotChanged(t *testing.T) {
	m := &machine{}
	for i := range 3 * maxMarks {
		m.mark(record.Mark{At: testkit.At(float64(i) / 10), What: record.MarkStart})
		require.LessOrEqual(t, len(m.marks), maxMarks)
	}
	before := m.past()
	first := before.Marks[0]
	m.mark(record.Mark{At: testkit.At(100), What: record.MarkDeath})
	require.Equal(t, first, before.Marks[0])
	require.Len(t, before.Marks, maxMarks)
	m.mark(record.Mark{At: testkit.Noon.Add(-time.Hour), What: record.MarkStart})
	require.Len(t, m.marks, 1, "the clock was set back")
}

func TestTheHistoryCanBeAskedForWhileTheLoopRunsAndNotAfterwards(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, nil)
		s.Start()
		time.Sleep(time.Minute)
		synctest.Wait()
		past, err := s.History(t.Context())
		require.NoError(t, err)
		require.Greater(t, len(past.Samples), 1)
		require.Len(t, past.Marks, 1)
		require.Equal(t, record.MarkStart, past.Marks[0].What)
		s.leave(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.History(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

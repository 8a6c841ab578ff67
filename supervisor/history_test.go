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

func TestTheMachineSamplesWhatItMeasuresAnyway(t *testing.T) {
	p := newPlay(t, in("healthy"))
	p.feed(probed{runID: "r1", latency: 7 * time.Millisecond, listens: true})
	p.feed(used{runID: "r1", usage: process.Usage{CPU: 0.5, RSS: 300, Procs: 1}})
	require.Equal(t, record.Samples{{At: testkit.Noon, CPU: 0.5, RSS: 300, Latency: 7 * time.Millisecond, OK: true}}, p.m.history)
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
	p.m.mark(record.Mark{At: p.now.Add(record.Remembered), What: record.MarkStart})
	require.Equal(t, record.MarkStart, p.m.marks[len(p.m.marks)-1].What)
	require.NotContains(t, marksOf(p.m), record.MarkDeath, "what is older than a history goes")
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

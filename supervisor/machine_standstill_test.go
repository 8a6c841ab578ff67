package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

var errNoAnswer = errors.New("no answer")

// kept are the stalls that a step has written.
func kept(out []effect) (all []record.Stalled) {
	for _, k := range wants[doKeepStall](out) {
		all = append(all, k.stall)
	}
	return all
}

// stallMarks are those of the history.
func stallMarks(m *machine) (all []record.Mark) {
	for _, k := range m.past().Marks {
		if k.What == record.MarkStall {
			all = append(all, k)
		}
	}
	return all
}

func TestAStallThatRecoversIsOnRecordFromItsFirstFailureToItsEnd(t *testing.T) {
	m := watchedIn("healthy")
	now, out := hang(t, m)
	require.Empty(t, kept(out), "it waits for its cause, as the news does")
	out = m.step(now.Add(time.Second), observed{"r1", blocked})
	require.Len(t, kept(out), 1)
	began := kept(out)[0]
	require.Equal(t, testkit.Noon.Add(5*time.Second), began.At, "the first check that was not answered")
	require.Equal(t, "r1", began.Run)
	require.Equal(t, blocked, began.Stall)
	require.Equal(t, record.Lasts, began.Outcome)
	require.Empty(t, kept(m.step(now.Add(2*time.Second), observed{"r1", blocked})), "nothing new")
	require.Equal(t, []record.Mark{{At: began.At, What: record.MarkStall, Text: blocked.Summary}}, stallMarks(m))

	m.step(now.Add(40*time.Second), used{runID: "r1", usage: process.Usage{Procs: 1}})
	out = m.step(now.Add(41*time.Second), observed{"r1", deadlock})
	require.Len(t, kept(out), 1)
	require.Equal(t, deadlock, kept(out)[0].Stall, "what is known better is kept")
	require.Equal(t, began.At, kept(out)[0].At)

	end := now.Add(50 * time.Second)
	out = m.step(end, probed{runID: "r1", listens: true})
	require.Len(t, kept(out), 1)
	require.Equal(t, record.Recovered, kept(out)[0].Outcome)
	require.Equal(t, end, kept(out)[0].Until)
	require.Equal(t, deadlock, kept(out)[0].Stall)
	require.Equal(t, []record.Mark{{At: began.At, Until: end, What: record.MarkStall, Text: deadlock.Summary}}, stallMarks(m), "one mark, with its end")
	require.Empty(t, kept(m.step(end.Add(5*time.Second), probed{runID: "r1", listens: true})))
}

func TestAStallThatIsOverBeforeItsCauseIsKnownIsOnRecordAllTheSame(t *testing.T) {
	m := watchedIn("healthy")
	now, _ := hang(t, m)
	all := kept(m.step(now.Add(time.Second), probed{runID: "r1", listens: true}))
	require.Len(t, all, 1)
	require.Equal(t, record.Recovered, all[0].Outcome)
	require.Zero(t, all[0].Stall)
	require.Len(t, stallMarks(m), 1)
}

func TestAStallThatEndsWithItsRunSaysSo(t *testing.T) {
	m := watchedIn("healthy")
	now, _ := hang(t, m)
	m.step(now.Add(time.Second), observed{"r1", blocked})
	all := kept(m.step(now.Add(time.Minute), stop{}))
	require.Len(t, all, 1)
	require.Equal(t, record.Ended, all[0].Outcome)
	require.Equal(t, now.Add(time.Minute), all[0].Until)
	require.Equal(t, blocked, all[0].Stall)
}

func TestWithoutTheRecorderAStallIsOnRecordWithoutItsCause(t *testing.T) {
	m := in("healthy")
	_, out := hang(t, m)
	all := kept(out)
	require.Len(t, all, 1)
	require.NotEmpty(t, all[0].Problem)
	require.Zero(t, all[0].Stall)
	require.Equal(t, all[0].Problem, stallMarks(m)[0].Text)
}

func TestTwoStallsOfOneRunAreTwoRecords(t *testing.T) {
	m := in("healthy")
	now, out := hang(t, m)
	first := kept(out)[0]
	m.step(now.Add(time.Second), probed{runID: "r1", listens: true})
	second := now.Add(time.Minute)
	for m.State != Unhealthy {
		second = second.Add(5 * time.Second)
		m.step(second, probed{runID: "r1", err: errNoAnswer})
		out = m.step(second, used{runID: "r1", usage: process.Usage{Procs: 1}})
	}
	require.Len(t, kept(out), 1)
	require.NotEqual(t, first.ID(), kept(out)[0].ID())
	require.Len(t, stallMarks(m), 2)
}

package supervisor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

var openMP = crash.Verdict{Kind: crash.KindOpenMP, Summary: "two OpenMP runtimes in one process", Remedy: "vivarium doctor --fix"}

// recordOf is what the last step wants recorded.
func (p *play) recordOf() doRecord {
	p.t.Helper()
	for _, e := range p.last {
		if r, ok := e.(doRecord); ok {
			return r
		}
	}
	require.FailNow(p.t, "nothing is to be recorded")
	return doRecord{}
}

func TestADeathIsRecordedWithTheStateJustBeforeItAndAfterTheFork(t *testing.T) {
	p := newPlay(t, in("healthy"))
	p.m.Missing = []string{"OMP_NUM_THREADS"}
	p.feed(used{runID: "r1", usage: process.Usage{RSS: 5, Procs: 1}}).after(time.Minute).crash("segfault")
	r := p.recordOf()
	require.Equal(t, "r1", r.death.Run)
	require.Equal(t, Healthy, r.before.State)
	require.Equal(t, record.PhaseOK, r.before.Health.Phase)
	require.Equal(t, []string{"OMP_NUM_THREADS"}, r.before.Missing)
	require.Equal(t, []record.Sample{{At: testkit.Noon, RSS: 5, OK: true}}, r.samples)
	require.IsType(t, doLaunch{}, p.last[1], "the fork comes first")
	p.launch().feed(used{runID: p.m.Run.ID, usage: process.Usage{RSS: 6, Procs: 1}})
	require.Len(t, r.samples, 1, "a record never changes later")
}

func TestAStopThatWasAskedForAndALaunchThatFailedLeaveNoRecord(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{}).crash("x")
	require.False(t, has[doRecord](p.last))
	p = newPlay(t, in("restarting")).after(time.Minute).feed(due{})
	p.feed(launchFailed{attempt: p.m.attempt, verdict: crash.Verdict{Kind: crash.KindCannotStart}})
	require.False(t, has[doRecord](p.last))
}

func TestADeathThatIsOnRecordAlreadyIsNotRecordedAgain(t *testing.T) {
	p := newPlay(t, in("healthy"))
	p.m.record(testkit.Noon, record.Death{Run: "r1", At: testkit.Noon})
	p.crash("segfault")
	require.False(t, has[doRecord](p.last))
}

func TestAnAmendedVerdictReplacesTheFirstWithoutBeingNewsAgain(t *testing.T) {
	p := newPlay(t, in("healthy")).after(time.Hour).crash("segfault")
	r := p.recordOf()
	old := p.m.saved()
	p.launch().after(time.Second).healthy()
	p.events()
	p.feed(amended{r.death, r.exit, openMP})
	require.Equal(t, openMP, p.m.Last)
	require.Equal(t, r.death.At, p.m.LastAt, "it is the same death")
	require.Equal(t, []record.Cause{{Kind: crash.KindOpenMP, Summary: openMP.Summary, Deaths: 1}}, p.m.Tally.Causes)
	require.Equal(t, openMP, p.m.savedIn(p.last).Deaths[0].Verdict)
	require.EqualValues(t, "segfault", p.m.savedIn(p.last).Deaths[0].First)
	require.EqualValues(t, "segfault", old.Deaths[0].Verdict.Kind, "an earlier save never changes")
	require.Equal(t, Healthy, p.m.State)
	require.Equal(t, EventAmended, p.told[0].What)
	require.Equal(t, "r1", p.told[0].Exit.Run.ID, "whose end it was")
	require.Equal(t, []What{EventAmended}, p.events())
}

func TestAnAmendmentOfAnEarlierDeathLeavesTheLastOneAlone(t *testing.T) {
	p := newPlay(t, in("healthy")).after(time.Hour).crash("segfault")
	first := p.recordOf().death
	p.launch().after(time.Minute).crash("abort")
	p.feed(amended{death: first, verdict: openMP})
	require.EqualValues(t, "abort", p.m.Last.Kind)
	require.Equal(t, openMP, p.m.deaths[0].Verdict)
	require.Equal(t, 2, p.m.Tally.Deaths)
	again := first
	again.Verdict = openMP
	p.feed(amended{death: again, verdict: crash.Verdict{Kind: crash.KindKilled}})
	require.EqualValues(t, "segfault", p.m.deaths[0].First, "the very first judgement stays known")
}

func TestFiveDeathsOfOneCauseAreGivenUpAlsoWhenEachWasAmended(t *testing.T) {
	p := newPlay(t, in("stopped")).feed(start{})
	for i := range 5 {
		p.launch().after(time.Second).healthy().after(90 * time.Second).crash("segfault")
		p.feed(amended{death: p.recordOf().death, verdict: openMP})
		require.Equal(t, i == 4, p.m.State == GaveUp, "each run was stable: %d", i)
	}
	require.Equal(t, openMP, p.m.Last)
}

func TestAWorkersDeathIsRecordedAndAmendedToo(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(workerDied{"r1", 12, crash.Verdict{Kind: crash.KindWorkerDied, Summary: "a worker died"}})
	r := p.recordOf()
	require.Equal(t, 12, r.death.Worker)
	require.Nil(t, r.exit)
	require.Contains(t, r.death.ID(), "-r1-12")
	v := crash.Verdict{Kind: crash.KindWorkerDied, Summary: "a worker died: memory ran out"}
	p.feed(amended{death: r.death, verdict: v})
	require.Equal(t, v, p.m.Last)
	require.Empty(t, p.m.deaths, "it is no death of the run")
	p.feed(amended{death: r.death, verdict: openMP})
	require.Equal(t, v, p.m.Last, "stale: it was amended already")
}

func TestAKeeperThatWasLostToMemoryIsGivenUpInTheAmendedWords(t *testing.T) {
	m := in("healthy")
	for i := range 4 {
		m.record(testkit.Noon, record.Death{Run: fmt.Sprint(i), At: testkit.Noon, Verdict: crash.Verdict{Kind: crash.KindKeeperLost}})
	}
	p := newPlay(t, m)
	lost := happenings()["exit unknown"].(exited)
	p.feed(lost)
	p.feed(amended{death: p.recordOf().death, verdict: openMP}).feed(staleEnded{runID: "r1"})
	require.Equal(t, GaveUp, p.m.State)
	require.Equal(t, openMP, p.told[len(p.told)-1].Verdict)
}

func TestThePageOfTheLastDeathIsKnownAndOfNoOther(t *testing.T) {
	p := newPlay(t, in("healthy")).crash("segfault")
	d := p.recordOf().death
	p.feed(recorded{d, ""})
	require.NotEmpty(t, p.m.ignored)
	p.feed(recorded{d, "/s/1.html"})
	require.Equal(t, "/s/1.html", p.m.LastReport)
	p.launch().after(time.Minute).crash("segfault")
	require.Empty(t, p.m.LastReport, "there is none of this one yet")
	p.feed(recorded{d, "/s/1.html"})
	require.Empty(t, p.m.LastReport)
}

func TestAGivenUpBackendKeepsTheTimeAndThePageOfItsLastDeath(t *testing.T) {
	m := in("healthy")
	for i := range 4 {
		m.record(testkit.Noon, record.Death{Run: fmt.Sprint(i), At: testkit.Noon, Verdict: crash.Verdict{Kind: "segfault"}})
	}
	p := newPlay(t, m).after(time.Second).crash("segfault")
	require.Equal(t, GaveUp, p.m.State)
	d := p.recordOf().death
	require.Equal(t, d.At, p.m.LastAt)
	p.after(time.Second).feed(recorded{d, "/s/1.html"})
	require.Equal(t, "/s/1.html", p.m.LastReport)
}

func TestWhatIsRememberedBringsThePageAndTheTally(t *testing.T) {
	m := &machine{}
	s := record.Saved{GaveUp: true, Want: true, Last: openMP, LastAt: testkit.Noon, Deaths: []record.Death{{Run: "r0", At: testkit.Noon, Verdict: openMP}}}
	newPlay(t, m).feed(began{config: testConfig(), saved: &s, report: "/s/1.html"})
	require.Equal(t, "/s/1.html", m.LastReport)
	require.Equal(t, 1, m.Tally.Deaths)
}

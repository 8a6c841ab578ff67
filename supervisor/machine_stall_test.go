package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

var (
	blocked  = stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked by time.sleep, main.py line 17", Remedy: "Make it def.", File: "/b/main.py", Line: 17}
	deadlock = stall.Stall{Kind: stall.KindDeadlock, Summary: "two threads wait for each other"}
)

// watched gives a machine with a recorder in that situation.
func watchedIn(situation string) *machine {
	m := in(situation)
	m.config.Recorder.Enabled, m.config.Health.QuietStart = true, 30*time.Second
	return m
}

func told(out []effect) (events []Event) {
	for _, e := range out {
		if t, ok := e.(doTell); ok {
			events = append(events, t.event)
		}
	}
	return events
}

func wants[T effect](out []effect) (all []T) {
	for _, e := range out {
		if w, ok := e.(T); ok {
			all = append(all, w)
		}
	}
	return all
}

// hang lets a healthy run fail its probes until it is unwell, and gives the moment and what was wanted then.
func hang(t *testing.T, m *machine) (time.Time, []effect) {
	t.Helper()
	now := testkit.Noon
	for range 5 {
		now = now.Add(5 * time.Second)
		m.step(now, probed{runID: "r1", err: errors.New("no answer")})
		out := m.step(now, used{runID: "r1", usage: process.Usage{Procs: 1}})
		if m.State == Unhealthy {
			return now, out
		}
	}
	t.Fatal("it never became unhealthy")
	return now, nil
}

func TestTheNewsOfAHungRunWaitsForItsCause(t *testing.T) {
	m := watchedIn("healthy")
	now, out := hang(t, m)
	require.Empty(t, told(out))
	require.Equal(t, stall.Unhealthy, wants[doObserve](out)[0].phase)

	out = m.step(now.Add(time.Second), observed{"r1", blocked})
	events := told(out)
	require.Len(t, events, 1)
	require.Equal(t, EventUnhealthy, events[0].What)
	require.Equal(t, blocked, events[0].Snapshot.Stall)
	require.Empty(t, told(m.step(now.Add(2*time.Second), observed{"r1", blocked})), "once for one stall")

	out = m.step(now.Add(40*time.Second), used{runID: "r1", usage: process.Usage{Procs: 1}})
	require.Len(t, wants[doObserve](out), 1, "it is looked at again while it lasts")
	events = told(m.step(now.Add(41*time.Second), observed{"r1", deadlock}))
	require.Len(t, events, 1)
	require.Equal(t, EventStalled, events[0].What)
	require.Equal(t, deadlock, events[0].Snapshot.Stall)
	require.Empty(t, told(m.step(now.Add(42*time.Second), observed{"r1", stall.Stall{Kind: stall.KindUnknown}})), "what is not known is no news")
	require.Equal(t, deadlock, m.Stall)

	m.step(now.Add(50*time.Second), probed{runID: "r1", listens: true})
	require.Equal(t, Healthy, m.State)
	require.Zero(t, m.Stall)
}

func TestTheNewsDoesNotWaitLongerThanThreeSeconds(t *testing.T) {
	m := watchedIn("healthy")
	now, _ := hang(t, m)
	require.False(t, m.deadline.After(now.Add(explainTime)))
	require.Empty(t, told(m.step(now.Add(2*time.Second), due{})))
	events := told(m.step(now.Add(explainTime), due{}))
	require.Len(t, events, 1)
	require.Equal(t, EventUnhealthy, events[0].What)
	require.Zero(t, events[0].Snapshot.Stall)
	events = told(m.step(now.Add(explainTime+time.Second), observed{"r1", blocked}))
	require.Len(t, events, 1)
	require.Equal(t, EventStalled, events[0].What, "the cause comes later")
}

func TestWithoutTheRecorderNothingWaitsAndNobodyIsAsked(t *testing.T) {
	m := in("healthy")
	_, out := hang(t, m)
	require.Len(t, told(out), 1)
	require.Empty(t, wants[doObserve](out))
}

func TestARunThatAnswersBeforeItsCauseIsKnownIsToldAllTheSame(t *testing.T) {
	m := watchedIn("healthy")
	now, _ := hang(t, m)
	events := told(m.step(now.Add(time.Second), probed{runID: "r1", listens: true}))
	require.Len(t, events, 2)
	require.Equal(t, EventUnhealthy, events[0].What)
	require.Equal(t, EventHealthy, events[1].What)
	require.Empty(t, told(m.step(now.Add(2*time.Second), observed{"r1", blocked})))
	require.Zero(t, m.Stall, "what comes late says nothing of a healthy run")
}

func TestAHungRunIsEndedOnlyAfterItsStacksAreKnown(t *testing.T) {
	for name, seen := range map[string]input{"seen": observed{"r1", blocked}, "never": due{}} {
		t.Run(name, func(t *testing.T) {
			m := watchedIn("healthy")
			m.config.Health.RestartHung = true
			now, out := hang(t, m)
			require.Empty(t, wants[doStop](out))
			out = m.step(now.Add(explainTime), seen)
			require.Len(t, wants[doStop](out), 1)
			require.Equal(t, crash.KindHung, m.why.Kind)
			if name == "seen" {
				require.Equal(t, "it hung: "+blocked.Summary, m.why.Summary)
				require.Equal(t, blocked.Remedy, m.why.Remedy)
			}
		})
	}
}

func TestAQuietStartIsExplainedWhileItLasts(t *testing.T) {
	m := watchedIn("starting")
	look := func(after time.Duration, log int64) []effect {
		m.using = true
		return m.step(testkit.Noon.Add(after), used{runID: "r1", usage: process.Usage{Procs: 1}, logSize: log})
	}
	require.Empty(t, wants[doObserve](look(10*time.Second, 100)), "it spoke")
	require.Empty(t, wants[doObserve](look(35*time.Second, 100)), "25 s are not long")
	out := look(41*time.Second, 100)
	require.Equal(t, stall.Starting, wants[doObserve](out)[0].phase)
	download := stall.Stall{Kind: stall.KindDownload, Summary: "downloading a model (huggingface_hub)"}
	events := told(m.step(testkit.Noon.Add(42*time.Second), observed{"r1", download}))
	require.Len(t, events, 1)
	require.Equal(t, EventStalled, events[0].What)
	require.Equal(t, Starting, events[0].Snapshot.State)
	require.Empty(t, wants[doObserve](look(50*time.Second, 100)), "not all the time")
	require.Len(t, wants[doObserve](look(80*time.Second, 100)), 1)
	require.Empty(t, told(m.step(testkit.Noon.Add(81*time.Second), observed{"r1", download})))
	look(85*time.Second, 200)
	require.Zero(t, m.Stall, "it speaks again")
}

func TestABusyRunIsExplainedAndABusyOneThatHangsAgain(t *testing.T) {
	m := watchedIn("healthy")
	now := testkit.Noon
	var out []effect
	for cpu := time.Duration(0); m.State != Unhealthy; cpu += 5 * time.Second {
		now = now.Add(5 * time.Second)
		m.step(now, probed{runID: "r1", err: errors.New("no answer")})
		out = m.step(now, used{runID: "r1", usage: process.Usage{Procs: 1, Total: cpu}})
	}
	require.Equal(t, record.PhaseBusy, m.Health.Phase)
	require.Equal(t, stall.Busy, wants[doObserve](out)[0].phase)
	events := told(m.step(now.Add(time.Second), observed{"r1", stall.Stall{Kind: stall.KindNative, Summary: "busy in faiss.search"}}))
	require.Equal(t, EventBusy, events[0].What)
	require.Equal(t, stall.KindNative, events[0].Snapshot.Stall.Kind)
}

func TestASleepOfTheMachineIsToldToWhoeverJudges(t *testing.T) {
	m := watchedIn("healthy")
	m.step(testkit.Noon, woke{time.Hour})
	m.State, m.Health.Phase = Unhealthy, record.PhaseHung
	out := m.step(testkit.Noon.Add(30*time.Second), used{runID: "r1", usage: process.Usage{Procs: 1}})
	require.Equal(t, time.Hour, wants[doObserve](out)[0].slept)
}

func TestAPersonWhoStopsAHungRunDoesNotLoseWhatItDid(t *testing.T) {
	for name, ask := range map[string]input{"stop": stop{}, "restart": restart{}, "quit": quit{}} {
		t.Run(name, func(t *testing.T) {
			m := watchedIn("healthy")
			now, _ := hang(t, m)
			m.step(now.Add(time.Second), observed{"r1", blocked})
			require.Len(t, wants[doStop](m.step(now.Add(time.Minute), ask)), 1)
			end := died(false)
			end.exit.Asked = true
			out := m.step(now.Add(2*time.Minute), end)
			kept := wants[doRecord](out)
			require.Len(t, kept, 1)
			require.Equal(t, crash.KindHung, kept[0].death.Verdict.Kind)
			require.Equal(t, "it hung when it was stopped: "+blocked.Summary, kept[0].death.Verdict.Summary)
			require.Equal(t, blocked, kept[0].before.Stall)
			require.Equal(t, "r1", kept[0].before.Run.ID)
			require.Empty(t, m.deaths, "it is no death")
			require.Zero(t, m.Last)
			require.Zero(t, m.Crashes)
			for _, e := range told(out) {
				require.NotContains(t, []What{EventCrashed, EventAmended}, e.What)
			}
			m.step(now.Add(3*time.Minute), amended{death: kept[0].death, verdict: crash.Verdict{Kind: crash.KindHung}})
			require.Contains(t, m.ignored, "stale")
		})
	}
}

func TestAHealthyOrBusyRunThatIsStoppedIsNotRecorded(t *testing.T) {
	for _, s := range []string{"healthy", "unhealthy", "starting"} { // unhealthy: it is busy
		m := watchedIn(s)
		m.step(testkit.Noon, stop{})
		end := died(false)
		end.exit.Asked = true
		require.Empty(t, wants[doRecord](m.step(testkit.Noon.Add(time.Minute), end)), s)
	}
}

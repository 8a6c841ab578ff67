package supervisor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

var deepWork = config.Deep{Path: "/work", Method: "POST", Interval: 2 * time.Minute, Timeout: time.Minute}

var (
	noAnswer = &probe.DeepError{Request: "POST /work", Problem: "gave no answer within 60 s", Silent: true}
	answers5 = &probe.DeepError{Request: "POST /work", Problem: "answered 500"}
)

// daily is a machine with a deep probe that lives second by second: well, and measured as often as it asks for it.
type daily struct {
	*machine
	now  time.Time
	cpu  time.Duration
	uses float64
	ill  bool
}

func working(situation string) *daily {
	l := &daily{machine: in(situation), now: testkit.Noon}
	l.config.Health.Deep = deepWork
	return l
}

// live lets time pass, answers what is asked about health and figures, and gives what else was wanted.
func (l *daily) live(d time.Duration) (out []effect) {
	for end := l.now.Add(d); l.now.Before(end); {
		l.now, l.cpu = l.now.Add(time.Second), l.cpu+time.Duration(l.uses*float64(time.Second))
		out = append(out, l.give(due{})...)
	}
	return out
}

func (l *daily) give(in input) []effect {
	queue, out := l.step(l.now, in), []effect{}
	for len(queue) > 0 {
		e := queue[0]
		queue = queue[1:]
		switch e.(type) {
		case doProbe:
			p := probed{runID: "r1", listens: true}
			if l.ill {
				p = probed{runID: "r1", err: errors.New("no answer")}
			}
			queue = append(queue, l.step(l.now, p)...)
		case doUse:
			queue = append(queue, l.step(l.now, used{runID: "r1", usage: process.Usage{Procs: 1, Total: l.cpu}})...)
		default:
			out = append(out, e)
		}
	}
	return out
}

func TestTheRealWorkIsAskedForOnceInAWhile(t *testing.T) {
	l := working("healthy")
	require.Empty(t, wants[doDeepProbe](l.live(119*time.Second)))
	require.Len(t, wants[doDeepProbe](l.live(4*time.Second)), 1)
	require.Empty(t, wants[doDeepProbe](l.live(10*time.Minute)), "never two at a time")
	require.Empty(t, told(l.give(deepProbed{"r1", nil})))
	require.Len(t, wants[doDeepProbe](l.live(130*time.Second)), 1)
	require.Equal(t, Healthy, l.State)
}

func TestWithoutASectionNothingIsAsked(t *testing.T) {
	l := &daily{machine: in("healthy"), now: testkit.Noon}
	require.Empty(t, wants[doDeepProbe](l.live(time.Hour)))
}

func TestNobodyAsksARunThatStartsOrStopsOrIsBusyOrIsNotWell(t *testing.T) {
	for _, s := range situations {
		if s == "healthy" {
			continue
		}
		l := working(s)
		l.ill = true
		require.Empty(t, wants[doDeepProbe](l.live(10*time.Minute)), s)
	}
	busy := working("healthy")
	busy.uses = 0.9
	require.Empty(t, wants[doDeepProbe](busy.live(time.Hour)))
	busy.uses = 0
	require.Empty(t, wants[doDeepProbe](busy.live(55*time.Second)))
	require.Len(t, wants[doDeepProbe](busy.live(10*time.Second)), 1)
	stopping := working("healthy")
	stopping.live(time.Minute)
	stopping.give(stop{})
	require.Empty(t, wants[doDeepProbe](stopping.live(time.Hour)))
}

func TestOneHealthCheckThatFailedPutsTheDeepProbeOff(t *testing.T) {
	l := working("healthy")
	l.live(110 * time.Second)
	l.ill = true
	l.live(5 * time.Second)
	l.ill = false
	require.Empty(t, wants[doDeepProbe](l.live(54*time.Second)))
	require.Len(t, wants[doDeepProbe](l.live(12*time.Second)), 1)
}

// asked lives until the deep probe is sent.
func (l *daily) asked(t *testing.T) {
	t.Helper()
	for range 1000 {
		if len(wants[doDeepProbe](l.live(time.Second))) > 0 {
			return
		}
	}
	t.Fatal("nothing was asked")
}

func TestASilentWorkWithAGoodHealthCheckIsWedgedAndExplained(t *testing.T) {
	l := working("healthy")
	l.config.Recorder.Enabled = true
	l.asked(t)
	out := l.give(deepProbed{"r1", noAnswer})
	require.Empty(t, told(out), "it waits for its cause")
	require.Equal(t, noAnswer.Error(), wants[doObserve](out)[0].deep)
	require.Equal(t, stall.Unhealthy, wants[doObserve](out)[0].phase)
	because := stall.Stall{Kind: stall.KindWedged, Summary: noAnswer.Error() + ", while the health check is good: it waits for queue.get, main.py line 9", File: "/b/main.py", Line: 9}
	events := told(l.give(observed{"r1", because}))
	require.Len(t, events, 1)
	require.Equal(t, EventUnhealthy, events[0].What)
	require.Equal(t, because, events[0].Snapshot.Stall)
	require.Equal(t, record.PhaseWedged, events[0].Snapshot.Health.Phase)

	require.Empty(t, told(l.live(90*time.Second)), "a good health check is no recovery, and it is told once")
	require.Equal(t, Unhealthy, l.State)
	require.Equal(t, noAnswer.Error(), l.Health.Problem)
	require.Empty(t, wants[doStop](l.live(time.Second)), "restart_hung is off")
	l.asked(t)
	require.Empty(t, told(l.give(deepProbed{"r1", answers5})))
	require.Equal(t, answers5.Error(), l.Health.Problem)
	l.asked(t)
	events = told(l.give(deepProbed{"r1", nil}))
	require.Len(t, events, 1)
	require.Equal(t, EventHealthy, events[0].What)
	require.True(t, events[0].Recovery)
	require.Zero(t, l.Stall)
	require.Equal(t, record.PhaseOK, l.Health.Phase)
}

func TestAWrongAnswerIsWedgedWhenItComesBackAndNoStacksAreTaken(t *testing.T) {
	l := working("healthy")
	l.config.Recorder.Enabled = true
	l.asked(t)
	require.Empty(t, told(l.give(deepProbed{"r1", answers5})))
	require.Equal(t, Healthy, l.State)
	l.asked(t)
	out := l.give(deepProbed{"r1", answers5})
	require.Empty(t, wants[doObserve](out))
	events := told(out)
	require.Len(t, events, 1)
	require.Equal(t, stall.KindWedged, events[0].Snapshot.Stall.Kind)
	require.Contains(t, events[0].Snapshot.Stall.Summary, "POST /work answered 500")
}

func TestWithoutTheRecorderAWedgedRunIsToldAtOnce(t *testing.T) {
	l := working("healthy")
	l.asked(t)
	events := told(l.give(deepProbed{"r1", noAnswer}))
	require.Len(t, events, 1)
	require.Equal(t, stall.KindWedged, events[0].Snapshot.Stall.Kind)
}

func TestARunThatHangsForGoodIsNoLongerWedged(t *testing.T) {
	l := working("healthy")
	l.config.Health.Deep.Interval = 10 * time.Minute // none is under way
	l.asked(t)
	l.give(deepProbed{"r1", noAnswer})
	l.ill = true
	out := l.live(30 * time.Second)
	require.Equal(t, record.PhaseHung, l.Health.Phase)
	require.Zero(t, l.Stall, "what it does is another question now")
	require.Equal(t, EventUnhealthy, told(out)[0].What)
	l.ill = false
	require.Equal(t, EventHealthy, told(l.live(10 * time.Second))[0].What)
	require.Equal(t, Healthy, l.State, "whether it works is asked anew")
	l.asked(t)
	require.Len(t, told(l.give(deepProbed{"r1", noAnswer})), 1)
}

func TestAServerThatDoesOneThingAtATimeIsNotHungWhileItDoesOurWork(t *testing.T) {
	for name, err := range map[string]error{"it comes to an end": nil, "it does not": noAnswer} {
		l := working("healthy")
		l.config.Health.RestartHung = true
		l.asked(t)
		l.ill = true
		out := l.live(50 * time.Second)
		require.Empty(t, told(out), name)
		require.Equal(t, Healthy, l.State, name)
		require.Empty(t, told(l.give(deepProbed{"r1", err})), name+": a health check that fails is no good one")
		require.Equal(t, Healthy, l.State, name)
		if err == nil {
			l.ill = false
			require.Empty(t, told(l.live(time.Minute)))
			continue
		}
		require.Equal(t, EventUnhealthy, told(l.live(30 * time.Second))[0].What, "now it counts")
		require.Equal(t, crash.KindHung, l.why.Kind)
	}
}

func TestTheAnswerForAnotherRunIsDropped(t *testing.T) {
	l := working("healthy")
	l.asked(t)
	require.Empty(t, l.give(deepProbed{"r0", noAnswer}))
	require.Contains(t, l.ignored, "stale")
	require.Equal(t, Healthy, l.State)
}

func TestASleepOfTheMachineMakesNobodyWedged(t *testing.T) {
	l := working("healthy")
	l.asked(t)
	l.now = l.now.Add(8 * time.Hour)
	l.give(woke{8 * time.Hour})
	require.Empty(t, told(l.give(deepProbed{"r1", noAnswer})))
	require.Empty(t, wants[doDeepProbe](l.live(time.Minute)))
}

func TestAMissingVariableIsSaidAndIsNoFailure(t *testing.T) {
	l := working("healthy")
	for range 3 {
		l.asked(t)
		require.Empty(t, told(l.give(deepProbed{"r1", &config.UnsetError{Name: "API_KEY"}})))
	}
	require.Equal(t, Healthy, l.State)
	require.Contains(t, l.Note, "API_KEY")
}

func TestAWedgedRunIsEndedIfThatIsWanted(t *testing.T) {
	l := working("healthy")
	l.config.Health.RestartHung = true
	l.asked(t)
	out := l.give(deepProbed{"r1", noAnswer})
	require.Len(t, wants[doStop](out), 1)
	require.Equal(t, crash.KindHung, l.why.Kind)
	require.Contains(t, l.why.Summary, "POST /work gave no answer")
}

func TestTheLoopHasTheWorkDoneWithTheEnvironmentOfTheRunAndCutsItAtTheStop(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		asked, cut := make(chan []string, 9), make(chan error, 9)
		s := setStage(t, state, func(w *platform.System) {
			load := w.Load
			w.Load = func(dir string) (config.Config, error) {
				c, err := load(dir)
				c.Health.Deep = deepWork
				return c, err
			}
			w.Plan = func(config.Config) (plan.Plan, error) {
				return plan.Plan{Spec: keeper.Spec{Env: []string{"KEY=k"}}}, nil
			}
			w.Observe = func(context.Context, observation.Subject) observation.Observation { return observation.Observation{} }
			w.Deep = func(ctx context.Context, _ config.Target, d config.Deep, env []string, o probe.Options) (time.Duration, error) {
				asked <- env
				if len(asked) > 1 {
					return 0, errors.New("two at a time")
				}
				<-ctx.Done()
				cut <- ctx.Err()
				return 0, ctx.Err()
			}
		})
		s.Start()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"KEY=k"}, <-asked)
		require.Empty(t, cut)
		s.Stop()
		synctest.Wait()
		require.ErrorIs(t, <-cut, context.Canceled, "a server that stops waits for its requests")
		time.Sleep(time.Hour)
		require.Empty(t, asked)
		require.NotContains(t, s.told(), EventUnhealthy)
		s.leave(t)
	})
}

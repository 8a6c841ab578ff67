package deep

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// run is a watch in a time of its own, measured every five seconds.
type run struct {
	Watch
	now  time.Time
	cpu  time.Duration
	uses float64 // cores
}

func started(every time.Duration) *run {
	r := &run{now: began}
	r.Begin(r.now, every)
	r.Measured(r.now, 0)
	return r
}

// until lets time pass in steps of a second, and gives when the next probe was sent; false if none was.
func (r *run) until(end time.Duration) (time.Duration, bool) {
	for r.now.Before(began.Add(end)) {
		r.now = r.now.Add(time.Second)
		r.cpu += time.Duration(r.uses * float64(time.Second))
		if r.now.Sub(began)%(5*time.Second) == 0 {
			r.Measured(r.now, r.cpu)
		}
		if r.Ask(r.now) {
			return r.now.Sub(began), true
		}
	}
	return 0, false
}

func (r *run) sent(t *testing.T, at time.Duration) {
	t.Helper()
	got, ok := r.until(at + time.Minute)
	require.True(t, ok, "no probe")
	require.Equal(t, at, got)
}

func TestNothingIsAskedUnlessItIsWanted(t *testing.T) {
	var w Watch
	w.Begin(began, 0)
	w.Measured(began, 0)
	w.Busied(began)
	w.Slept(began)
	require.Zero(t, w.At())
	require.False(t, w.Ask(began.Add(time.Hour)))
}

func TestTheFirstProbeComesAnIntervalAfterTheRunBecameHealthy(t *testing.T) {
	r := started(5 * time.Minute)
	r.Begin(r.now.Add(time.Minute), 5*time.Minute) // said with each good answer
	r.sent(t, 5*time.Minute)
	require.Zero(t, r.At(), "one is under way")
	require.False(t, r.Ask(r.now.Add(time.Hour)), "never two at a time")
	require.Equal(t, None, r.Answered(r.now.Add(2*time.Second), Answer{}))
	require.Equal(t, r.now.Add(2*time.Second+5*time.Minute), r.At())
}

func TestARunThatWasBusyWithinTheLastMinuteIsLeftAlone(t *testing.T) {
	r := started(time.Second)
	r.uses = 0.5
	_, asked := r.until(5 * time.Minute)
	require.False(t, asked)
	r.uses = 0
	r.sent(t, 6*time.Minute)
}

func TestALittleWorkIsNoBusiness(t *testing.T) {
	r := started(time.Second)
	r.uses = 0.1
	r.sent(t, time.Minute)
}

func TestARunThatWasNotWellIsLeftAloneForAMinute(t *testing.T) {
	r := started(time.Second)
	_, asked := r.until(50 * time.Second)
	require.False(t, asked)
	r.Busied(r.now)
	r.sent(t, 110*time.Second)
}

func TestTheWorkOfTheProbeItselfMakesNoRunBusy(t *testing.T) {
	r := started(time.Second)
	r.sent(t, time.Minute)
	for range 20 { // it computes for the answer
		r.now, r.cpu = r.now.Add(time.Second), r.cpu+time.Second
		r.Measured(r.now, r.cpu)
	}
	require.Equal(t, None, r.Answered(r.now, Answer{}))
	r.now = r.now.Add(time.Second)
	r.Measured(r.now, r.cpu+time.Second) // a part of it may be the probe's
	require.False(t, r.Ask(r.now), "what it does since then is not known yet")
	r.now = r.now.Add(time.Second)
	r.Measured(r.now, r.cpu+time.Second)
	require.True(t, r.Ask(r.now))
}

func TestWhatGoesOnAfterTheProbeIsBusiness(t *testing.T) {
	r := started(time.Second)
	r.sent(t, time.Minute)
	r.uses = 1
	r.now = r.now.Add(10 * time.Second)
	require.Equal(t, Wedged, r.Answered(r.now, Answer{Problem: "no answer", Silent: true}))
	_, asked := r.until(10 * time.Minute)
	require.False(t, asked)
	require.Equal(t, "no answer", r.Problem())
}

func TestNothingIsAskedWithoutAFreshMeasure(t *testing.T) {
	var w Watch
	w.Begin(began, time.Second)
	require.False(t, w.Ask(began.Add(2*time.Minute)))
	require.True(t, w.At().After(began.Add(2*time.Minute)), "no busy loop")
	w.Measured(began.Add(2*time.Minute), time.Hour)
	require.False(t, w.Ask(began.Add(2*time.Minute)), "one measure compares with nothing")
	w.Measured(began.Add(2*time.Minute+time.Second), time.Hour)
	require.True(t, w.Ask(began.Add(2*time.Minute+time.Second)))
}

func TestSilenceIsToldAtOnceAndAWrongAnswerAfterTheSecond(t *testing.T) {
	r := started(5 * time.Minute)
	r.sent(t, 5*time.Minute)
	require.Equal(t, None, r.Answered(r.now, Answer{Problem: "answered 500"}))
	require.Empty(t, r.Problem())
	r.sent(t, 5*time.Minute+again)
	require.Equal(t, Wedged, r.Answered(r.now, Answer{Problem: "answered 500"}))
	require.Equal(t, "answered 500", r.Problem())

	r = started(5 * time.Minute)
	r.sent(t, 5*time.Minute)
	require.Equal(t, Wedged, r.Answered(r.now, Answer{Problem: "no answer", Silent: true}))
}

func TestAnErrorThatDoesNotComeBackIsForgotten(t *testing.T) {
	r := started(time.Minute)
	for range 3 {
		_, ok := r.until(time.Hour)
		require.True(t, ok)
		require.Equal(t, None, r.Answered(r.now, Answer{Problem: "answered 502"}))
		_, ok = r.until(time.Hour)
		require.True(t, ok)
		require.Equal(t, None, r.Answered(r.now, Answer{}))
	}
}

func TestAWedgedRunIsAskedLessAndLessUntilItRecovers(t *testing.T) {
	r := started(time.Minute)
	r.sent(t, time.Minute)
	require.Equal(t, Wedged, r.Answered(r.now, Answer{Problem: "no answer", Silent: true}))
	var waits []time.Duration
	for range 9 {
		waits = append(waits, r.At().Sub(r.now))
		_, ok := r.until(100 * time.Hour)
		require.True(t, ok)
		require.Equal(t, None, r.Answered(r.now, Answer{Problem: "answered 500"}), "told once")
		require.Equal(t, "answered 500", r.Problem(), "the latest is what is shown")
	}
	require.Equal(t, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}, func() []time.Duration {
		for i := range waits {
			waits[i] /= time.Minute
		}
		return waits
	}())
	_, ok := r.until(100 * time.Hour)
	require.True(t, ok)
	require.Equal(t, Recovered, r.Answered(r.now, Answer{}))
	require.Empty(t, r.Problem())
	require.Equal(t, time.Minute, r.At().Sub(r.now))
}

func TestAFailureSaysNothingIfTheHealthCheckFailedMeanwhileOrTheMachineSlept(t *testing.T) {
	for name, meanwhile := range map[string]func(*run){
		"not well": func(r *run) { r.Busied(r.now) },
		"asleep":   func(r *run) { r.Slept(r.now) },
		"void":     func(*run) {},
	} {
		r := started(time.Minute)
		r.sent(t, time.Minute)
		meanwhile(r)
		require.Equal(t, None, r.Answered(r.now, Answer{Problem: "no answer", Silent: true, Void: name == "void"}), name)
		require.Empty(t, r.Problem(), name)
		require.False(t, r.Ask(r.now.Add(59*time.Second)), name)
	}
}

func TestAfterASleepTheMinuteBeginsAnewAndOldFiguresDoNotCount(t *testing.T) {
	r := started(time.Second)
	_, asked := r.until(59 * time.Second)
	require.False(t, asked)
	r.now = r.now.Add(8 * time.Hour)
	r.Slept(r.now)
	r.Measured(r.now.Add(time.Second), r.cpu+time.Hour)
	require.Equal(t, r.now.Add(Quiet), r.At())
	require.False(t, r.Ask(r.now.Add(30*time.Second)))
}

func TestWhatTheHealthCheckFindsTakesThePlaceOfWhatTheDeepProbeFound(t *testing.T) {
	r := started(time.Minute)
	r.sent(t, time.Minute)
	require.Equal(t, Wedged, r.Answered(r.now, Answer{Problem: "no answer", Silent: true}))
	r.Busied(r.now)
	require.NotEmpty(t, r.Problem(), "one health check that failed says nothing of the work")
	r.Forget()
	require.Empty(t, r.Problem())
}

// The rules hold for any order of events.
func TestNoOrderOfEventsBreaksTheRules(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		var w Watch
		now, cpu, busyAt := began, time.Duration(0), began
		w.Begin(now, time.Duration(1+random.IntN(300))*time.Second)
		for range 400 {
			now = now.Add(time.Duration(random.IntN(20_000)) * time.Millisecond)
			switch random.IntN(7) {
			case 0, 1:
				w.Measured(now, cpu)
			case 2:
				w.Busied(now)
				busyAt = now
			case 3:
				if random.IntN(10) == 0 {
					w.Slept(now)
					busyAt = now
				}
			case 4, 5:
				under := w.Asking()
				if w.Ask(now) {
					require.False(t, under, "two at a time")
					require.GreaterOrEqual(t, now.Sub(busyAt), Quiet)
				}
			case 6:
				if w.Asking() {
					before := w.Problem()
					switch change := w.Answered(now, Answer{Problem: []string{"", "x"}[random.IntN(2)], Silent: random.IntN(2) == 0, Void: random.IntN(4) == 0}); change {
					case Wedged:
						require.Empty(t, before)
						require.NotEmpty(t, w.Problem())
					case Recovered:
						require.NotEmpty(t, before)
						require.Empty(t, w.Problem())
					}
					require.True(t, w.At().After(now))
				}
			}
		}
	}
}

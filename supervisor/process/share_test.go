package process

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheShareIsWhatWasComputedBetweenTheFirstAndTheLastReading(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	at := func(seconds float64, cpu time.Duration) Reading {
		return Reading{noon.Add(time.Duration(seconds * float64(time.Second))), cpu}
	}
	require.Zero(t, Share(nil))
	require.Zero(t, Share([]Reading{at(0, time.Second)}))
	require.Zero(t, Share([]Reading{at(1, 0), at(1, time.Second)}), "no time has passed")
	require.Zero(t, Share([]Reading{at(2, 0), at(1, time.Second)}), "the clock was set back")
	require.InDelta(t, 0.5, Share([]Reading{at(0, 0), at(1, 900*time.Millisecond), at(4, 2*time.Second)}), 1e-9)
	require.InDelta(t, 3, Share([]Reading{at(0, time.Second), at(2, 7*time.Second)}), 1e-9)
}

func TestACommandThatSpeaksOfWorkersMayHaveThem(t *testing.T) {
	require.True(t, MayHaveWorkers([]string{"uvicorn", "main:app", "--workers", "4"}))
	require.True(t, MayHaveWorkers([]string{"gunicorn", "-w", "4"}))
	require.True(t, MayHaveWorkers([]string{"gunicorn", "--worker-class=gthread"}))
	require.False(t, MayHaveWorkers([]string{"uvicorn", "main:app"}))
}

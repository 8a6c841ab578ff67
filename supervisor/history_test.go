package supervisor

import (
	"testing"
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

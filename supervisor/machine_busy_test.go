package supervisor

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// weigh feeds what the tree has used so far.
func (p *play) weigh(cpu time.Duration) *play {
	return p.feed(used{runID: p.m.Run.ID, usage: process.Usage{Total: cpu, Procs: 2}, logSize: 100})
}

func (p *play) fail() *play {
	return p.feed(probed{runID: p.m.Run.ID, err: errors.New("no answer within 3 s")})
}

func TestABusyServerThatDoesNotGetItsTurnForAMomentIsStillBusy(t *testing.T) {
	p := newPlay(t, in("healthy"))
	every := p.m.config.Health.Interval
	p.fail().weigh(0).after(every).fail().weigh(every / 2).after(every - time.Millisecond).weigh(every / 2)
	p.after(time.Millisecond).fail().weigh(every / 2)
	require.Equal(t, record.PhaseBusy, p.m.Health.Phase, "a quarter of a core over two intervals, and nothing in the last")
}

func TestNobodyIsCalledHungByOneMoment(t *testing.T) {
	p := newPlay(t, in("healthy"))
	p.m.config.Health.Failures = 1
	every := p.m.config.Health.Interval
	p.fail().weigh(0).after(time.Millisecond).weigh(0)
	require.Equal(t, Healthy, p.m.State, "a millisecond tells nothing")
	p.after(every).fail().weigh(0)
	require.Equal(t, record.PhaseHung, p.m.Health.Phase)
}

func TestTheWholeTreeIsMeasuredFromTheFirstFailureOn(t *testing.T) {
	p := newPlay(t, in("healthy")).after(time.Second).fail()
	for _, e := range p.last {
		if u, ok := e.(doUse); ok {
			require.True(t, u.whole, "a worker that joins between two samples looks like work")
			return
		}
	}
	require.Fail(t, "nothing is measured")
}

package notice

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func TestAHungServerIsToldWithWhatItDoesAndHowToMendIt(t *testing.T) {
	s := testkit.In(supervisor.Unhealthy, 0)
	s.Backend, s.Health.Phase = "brain", record.PhaseHung
	s.Stall = stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked by time.sleep, main.py line 17", Remedy: "Make it def."}
	for _, what := range []supervisor.What{supervisor.EventUnhealthy, supervisor.EventStalled} {
		n, ok := Of(supervisor.Event{What: what, Snapshot: s, Text: "no answer within 3 s"})
		require.True(t, ok)
		require.Equal(t, "brain: hung: the event loop is blocked by time.sleep, main.py line 17", n.Title)
		require.Equal(t, "Make it def. no answer within 3 s.", n.Body)
	}
	s.State = supervisor.Starting
	_, ok := Of(supervisor.Event{What: supervisor.EventStalled, Snapshot: s})
	require.False(t, ok, "a long start is no news: the status says what it does")
}

func TestABusyServerIsNoNews(t *testing.T) {
	s := testkit.In(supervisor.Unhealthy, 0)
	s.Health.Phase = record.PhaseBusy
	for _, what := range []supervisor.What{supervisor.EventBusy, supervisor.EventStalled} {
		_, ok := Of(supervisor.Event{What: what, Snapshot: s})
		require.False(t, ok)
	}
}

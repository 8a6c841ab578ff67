package words

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func TestAWedgedServerIsSaidToBeWedgedAndNotHung(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const problem = "POST /work answered 500"
	st := stall.Wedged(problem, now)
	s := supervisor.Snapshot{State: supervisor.Unhealthy, Since: now.Add(-time.Minute), Stall: st, Health: record.Health{Phase: record.PhaseWedged, Good: now, Problem: problem}}
	require.Equal(t, "Wedged: POST /work answered 500, while the health check is good · 1 min", StatusLine(s, now))
	require.Equal(t, "Unhealthy: wedged", StateWord(s))
	require.Equal(t, "wedged", briefOf(s))
	require.Equal(t, "unhealthy: wedged · POST /work answered 500, while the health check is good · "+st.Remedy,
		Sentence(supervisor.Event{What: supervisor.EventUnhealthy, Snapshot: s, Text: problem}))
	require.Equal(t, "wedged: POST /work answered 500, while the health check is good · "+st.Remedy, Sentence(supervisor.Event{What: supervisor.EventStalled, Snapshot: s}))
	s.State = supervisor.Stopping
	require.Equal(t, "stopping: its real work fails", Sentence(supervisor.Event{What: supervisor.EventStopping, Snapshot: s}))
}

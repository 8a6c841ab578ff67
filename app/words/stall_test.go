package words

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func TestAStallIsSaidInTheSameWordsEverywhere(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	blocked := stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked by time.sleep, main.py line 17", Remedy: "Make it def."}
	download := stall.Stall{Kind: stall.KindDownload, Summary: "downloading a model (huggingface_hub)", Remedy: "Wait."}
	hung := supervisor.Snapshot{State: supervisor.Unhealthy, Since: now.Add(-20 * time.Second), Stall: blocked, Health: record.Health{Phase: record.PhaseHung, Problem: "no answer"}}
	busy, starting, unknown := hung, hung, hung
	busy.Health.Phase = record.PhaseBusy
	starting.State, starting.Since, starting.Stall = supervisor.Starting, now.Add(-2*time.Minute), download
	unknown.Stall = stall.Stall{Kind: stall.KindUnknown, Summary: "nobody knows"}

	require.Equal(t, "Hung: the event loop is blocked by time.sleep, main.py line 17 · no answer for 20 s", StatusLine(hung, now))
	require.Equal(t, "Make it def.", StatusOf(hung, now, MaxTitle).Note)
	require.Equal(t, "Busy: the event loop is blocked by time.sleep, main.py line 17 · no answer for 20 s", StatusLine(busy, now))
	require.Equal(t, "Starting: downloading a model (huggingface_hub) · 2 min", StatusLine(starting, now))
	require.Equal(t, "Unhealthy: hung · no answer for 20 s", StatusLine(unknown, now))
	require.Equal(t, "no answer", StatusOf(unknown, now, MaxTitle).Note)

	for _, tt := range []struct {
		what supervisor.What
		s    supervisor.Snapshot
		want string
	}{
		{supervisor.EventUnhealthy, hung, "unhealthy: hung · the event loop is blocked by time.sleep, main.py line 17 · Make it def."},
		{supervisor.EventBusy, busy, "busy: it works, but does not answer · the event loop is blocked by time.sleep, main.py line 17"},
		{supervisor.EventStalled, hung, "hung: the event loop is blocked by time.sleep, main.py line 17 · Make it def."},
		{supervisor.EventStalled, busy, "busy: the event loop is blocked by time.sleep, main.py line 17 · Make it def."},
		{supervisor.EventStalled, starting, "starting: downloading a model (huggingface_hub) · Wait."},
		{supervisor.EventUnhealthy, unknown, "unhealthy: hung"},
	} {
		require.Equal(t, tt.want, Sentence(supervisor.Event{What: tt.what, Snapshot: tt.s}))
	}
}

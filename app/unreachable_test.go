package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor"
)

func TestTheMenuOffersToStopWhatCannotBeReachedAndNothingElse(t *testing.T) {
	s := supervisor.Snapshot{Backend: "brain", State: supervisor.Unreachable, Note: "the keeper cannot be reached"}
	sec := section(s, time.Now(), "")
	require.Contains(t, sec.Items[ItemStatus].Title, "Unreachable")
	require.True(t, sec.Items[ItemStop].Shown)
	require.False(t, sec.Items[ItemStart].Shown)
	require.False(t, sec.Items[ItemRestart].Shown)
	require.Equal(t, assets.Unhealthy, IconOf(s))
}

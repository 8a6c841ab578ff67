package app

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
)

func TestTheDashboardIsShownOfOneBackendOrOfAll(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	s.status("brain")
	s.click(ItemDashboard)
	testkit.Eventually(t, "the backend's part of it", func() bool { return s.hasDone("page /made/page --dashboard " + dir) })
	_, err := New(Options{State: s.state, Log: slog.New(slog.DiscardHandler), Supervise: s.supervise})
	require.ErrorIs(t, err, ErrRunning)
	testkit.Eventually(t, "a second app shows all of it", func() bool { return s.hasDone("page /made/page --dashboard ") })
	require.False(t, s.told("already running"))
}

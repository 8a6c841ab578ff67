package supervisor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/reboot"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestARunThatTheComputerTookWithItIsMissedOnce(t *testing.T) {
	s := New(testkit.BackendDir(t, ""), Deps{State: t.TempDir()})
	require.NoError(t, keeper.MakeFolder(s.folder))
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, "run.json"), []byte(`{"run":{"id":"r0","pid":4711,"started":"2026-05-01T10:00:00Z"},"boot":"another"}`), 0o600))
	started := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	asked := 0
	s.system.Restarted = func(from, seen time.Time) reboot.Told {
		asked++
		require.True(t, from.Equal(started))
		require.False(t, seen.Before(from))
		return reboot.Told{Summary: "the Mac restarted at 14:02", Remedy: "Update macOS.", At: from.Add(time.Hour), Line: "panic"}
	}
	wanted := func(s record.Saved) began { return began{config: config.Config{}, saved: &s} }

	all := s.missed(wanted(record.Saved{Want: true}), crash.Evidence{})
	require.Len(t, all, 1)
	require.Equal(t, crash.Verdict{Kind: crash.KindRestarted, Summary: "the Mac restarted at 14:02", Remedy: "Update macOS.", Line: "panic"}, all[0].verdict)
	require.Equal(t, started.Add(time.Hour), all[0].exit.At.UTC())

	p := newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &record.Saved{Want: true}, missed: all})
	require.True(t, p.told[0].Away)
	require.Equal(t, []What{EventCrashed}, p.events())
	require.Equal(t, Starting, p.m.State, "it is started again")
	require.Equal(t, crash.KindRestarted, p.m.Last.Kind)

	written := p.m.savedIn(p.last)
	require.Empty(t, s.missed(wanted(written), crash.Evidence{}), "it is told once")
	require.Empty(t, s.missed(wanted(record.Saved{Want: true, Ended: "r0"}), crash.Evidence{}), "it was asked to end")
	require.Empty(t, s.missed(wanted(record.Saved{Want: true, Quit: true}), crash.Evidence{}), "it was not to run")
	require.Empty(t, s.missed(wanted(record.Saved{}), crash.Evidence{}))
	require.Empty(t, s.missed(began{}, crash.Evidence{}), "nothing is remembered")
	require.Equal(t, 1, asked, "the system is asked only if there is something to tell")
}

package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

func TestAFolderThatWasNotChosenIsNoError(t *testing.T) {
	s := play(t)
	s.clickTail(TailAdd)
	testkit.Eventually(t, "the dialog was there", func() bool { return s.hasDone("folder") })
	s.clickTail(TailManual)
	testkit.Eventually(t, "the loop goes on", func() bool { return s.hasDone("url " + helpURL) })
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(t, s.notices)
}

func TestTryTheDemoStartsItAndOpensTheBrowserOnceItIsHealthy(t *testing.T) {
	s := play(t)
	s.clickTail(TailDemo)
	s.puppet(filepath.Join(s.state, "demo"))
	testkit.Eventually(t, "the browser", func() bool { return s.hasDone("url http://127.0.0.1:8000") })
	require.FileExists(t, filepath.Join(s.state, "demo", config.FileName))
}

func TestTheAppsLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vivarium.log")
	l, err := openLog(path)
	require.NoError(t, err)
	l.max = 100
	for range 50 {
		_, err := l.Write([]byte("a line of some length\n"))
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	_, err = l.Write([]byte("late"))
	require.ErrorIs(t, err, os.ErrClosed)
	for _, name := range []string{path, path + ".1"} {
		st, err := os.Stat(name)
		require.NoError(t, err)
		require.LessOrEqual(t, st.Size(), int64(100))
	}
}

func TestProgramsAreLookedForBesideAndInTheBundle(t *testing.T) {
	require.Equal(t, []string{"/V.app/Contents/Helpers/vivarium-keeper", "/V.app/Contents/MacOS/vivarium-keeper", "/V.app/Contents/Helpers/vivarium-keeper",
		"/V.app/Contents/Helpers/Vivarium Keeper.app/Contents/MacOS/vivarium-keeper"},
		desktop.ProgramPaths("/V.app/Contents/Helpers", desktop.KeeperProgram))
	require.Contains(t, desktop.ProgramPaths("/V.app/Contents/Helpers", desktop.MenubarProgram), "/V.app/Contents/MacOS/Vivarium")
	require.Contains(t, desktop.ProgramPaths("/V.app/Contents/MacOS", desktop.KeeperProgram), "/V.app/Contents/Helpers/Vivarium Keeper.app/Contents/MacOS/vivarium-keeper")
	_, err := desktop.Program("vivarium-nonsense")
	var missing *desktop.MissingError
	require.ErrorAs(t, err, &missing)
	require.Contains(t, err.Error(), "vivarium-nonsense")
}

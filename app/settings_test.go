package app

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
)

func TestTheCommandLineToolIsInstalledByOneClickAndRemovedByTheNext(t *testing.T) {
	s := play(t)
	testkit.Eventually(t, "the item", func() bool { return s.now().Tail[TailTool].Title == wordInstallTool })
	s.clickTail(TailTool)
	testkit.Eventually(t, "where it is", func() bool { return s.hasDone("it is there") })
	testkit.Eventually(t, "the way back", func() bool { return s.now().Tail[TailTool].Title == wordRemoveTool })
	testkit.Eventually(t, "it is gone", func() bool { s.clickTail(TailTool); return s.now().Tail[TailTool].Title == wordInstallTool })
}

func TestQuietCrashDialogsIsACheckMark(t *testing.T) {
	s := play(t)
	testkit.Eventually(t, "the item", func() bool { return s.now().Tail[TailQuiet].Shown })
	require.False(t, s.now().Tail[TailQuiet].Checked)
	s.clickTail(TailQuiet)
	testkit.Eventually(t, "the mark", func() bool { return s.now().Tail[TailQuiet].Checked })
	s.clickTail(TailQuiet)
	testkit.Eventually(t, "no mark", func() bool { return !s.now().Tail[TailQuiet].Checked })
}

func TestASettingThatCannotBeMadeIsTold(t *testing.T) {
	s := play(t)
	s.status("Add a backend")
	s.set(func() { s.fail = errors.New("macOS did not keep the setting") })
	s.clickTail(TailQuiet)
	testkit.Eventually(t, "it is told", func() bool { return s.told("Quiet Crash Dialogs: macOS did not keep the setting") })
	s.set(func() { s.fail = errors.New("/usr/local/bin/vivarium is there already") })
	s.clickTail(TailTool)
	testkit.Eventually(t, "it is told, too", func() bool { return s.told("is there already") })
	require.Equal(t, wordInstallTool, s.now().Tail[TailTool].Title)
}

func TestWhatThisSystemCannotSetIsNotInTheMenu(t *testing.T) {
	m := Render(nil, time.Now(), MenuOptions{})
	require.False(t, m.Tail[TailTool].Shown)
	require.False(t, m.Tail[TailQuiet].Shown)
	require.False(t, m.Tail[TailLogin].Shown)
	d := Desktop{}.orReal(t.TempDir())
	_, possible := d.Quiet()
	require.Equal(t, testkit.IsMac, possible, "a setting of macOS alone")
}

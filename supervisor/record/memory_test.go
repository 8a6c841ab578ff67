package record

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestWithoutAMemoryNothingIsWanted(t *testing.T) {
	m, err := Remember(t.TempDir(), testkit.Noon)
	require.NoError(t, err)
	require.Zero(t, m)
}

func TestAStopWithoutAnAppIsRememberedAndTheDeathsStay(t *testing.T) {
	folder := t.TempDir()
	at := time.Now().Truncate(time.Second)
	v := crash.Verdict{Kind: crash.KindSegfault, Summary: "a segmentation fault"}
	require.NoError(t, WriteWant(folder, Saved{Want: true, GaveUp: true, Deaths: []Death{{Run: "r", At: at, Verdict: v}}}))
	m, err := Remember(folder, testkit.Noon)
	require.NoError(t, err)
	require.True(t, m.Want)
	require.True(t, m.GaveUp)
	require.Equal(t, v, m.Last)
	require.True(t, at.Equal(m.LastAt))

	require.NoError(t, Unwant(folder))
	m, err = Remember(folder, testkit.Noon)
	require.NoError(t, err)
	require.False(t, m.Want)
	require.False(t, m.GaveUp)
	deaths, err := Deaths(folder)
	require.NoError(t, err)
	require.Len(t, deaths, 1)
}

func TestAfterAQuitAStopStillSticks(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, WriteWant(folder, Saved{Quit: true}))
	require.NoError(t, Unwant(folder))
	s, err := ReadWant(folder)
	require.NoError(t, err)
	require.False(t, s.Quit, "or autostart would decide")
	require.False(t, s.Want)
}

func TestABrokenMemoryIsAnErrorAndIsKept(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, wantFile), []byte("{"), 0o600))
	_, err := Remember(folder, testkit.Noon)
	require.Error(t, err)
	require.FileExists(t, filepath.Join(folder, wantFile+".broken"))
	require.NoError(t, Unwant(folder), "after that it begins anew")
}

func TestAQuitIsRememberedAlsoWhereTheLoopDidNotHearOfIt(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, RememberQuit(folder))
	s, err := ReadWant(folder)
	require.NoError(t, err)
	require.Nil(t, s)
	require.NoError(t, WriteWant(folder, Saved{Want: true, GaveUp: true}))
	require.NoError(t, RememberQuit(folder))
	s, err = ReadWant(folder)
	require.NoError(t, err)
	require.True(t, s.Quit)
	require.False(t, s.Want)
	require.False(t, s.GaveUp)
}

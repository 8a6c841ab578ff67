package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/stall"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func stallAt(at time.Time) Stalled {
	return Stalled{
		Run: "r1", At: at, Uptime: time.Hour, Problem: "no answer within 3 s", Stacks: []string{"Thread 0x1", "  File \"main.py\", line 17 in search"},
		Stall: stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked", Remedy: "Make it def.", File: "/b/main.py", Line: 17},
	}
}

func TestAStallIsReadAsItWasWrittenAndItsEndReplacesItsBeginning(t *testing.T) {
	folder := t.TempDir()
	require.Empty(t, Stalls(folder, time.Time{}))
	s := stallAt(testkit.Noon)
	require.NoError(t, s.Write(folder))
	path := filepath.Join(folder, "stalls", "20260301T120000.000Z-r1-stall.json")
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	require.Equal(t, []Stalled{s}, Stalls(folder, time.Time{}))
	s.Until, s.Outcome = s.At.Add(time.Minute), Recovered
	require.NoError(t, s.Write(folder))
	require.Equal(t, []Stalled{s}, Stalls(folder, time.Time{}))
	one, err := StallOf(folder, s.ID())
	require.NoError(t, err)
	require.Equal(t, s, one)
}

func TestOnlyTheLastFiftyStallsStayAndWhatIsNotOursIsNotTouched(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, stallAt(testkit.Noon).Write(folder))
	dir := filepath.Join(folder, "stalls")
	foreign := filepath.Join(dir, "notes-stall.json")
	require.NoError(t, os.WriteFile(foreign, nil, 0o600))
	for i := range 60 {
		require.NoError(t, stallAt(testkit.Noon.Add(time.Duration(i)*time.Minute)).Write(folder))
	}
	all := Stalls(folder, time.Time{})
	require.Len(t, all, 50)
	require.Equal(t, testkit.Noon.Add(10*time.Minute), all[0].At, "the oldest went, and the rest are in order")
	require.FileExists(t, foreign)
	recent := Stalls(folder, testkit.Noon.Add(55*time.Minute))
	require.Len(t, recent, 5)
	require.Equal(t, testkit.Noon.Add(55*time.Minute), recent[0].At)
	require.Empty(t, Stalls(folder, testkit.Noon.Add(2*time.Hour)))
}

func TestTheStacksOfAStallAreBounded(t *testing.T) {
	folder := t.TempDir()
	s := stallAt(testkit.Noon)
	for i := range 3000 {
		s.Stacks = append(s.Stacks, fmt.Sprint(i, strings.Repeat("x", 400)))
	}
	require.NoError(t, s.Write(folder))
	one, err := StallOf(folder, s.ID())
	require.NoError(t, err)
	require.Len(t, one.Stacks, 501)
	require.Equal(t, "… 2502 more lines", one.Stacks[500])
	require.Len(t, s.Stacks, 3002, "the caller's own is as it was")
}

func TestAStallThatCannotBeReadIsLeftOutAndNoIDLeadsOutOfTheFolder(t *testing.T) {
	folder := t.TempDir()
	s := stallAt(testkit.Noon)
	require.NoError(t, s.Write(folder))
	dir := filepath.Join(folder, "stalls")
	broken := stallAt(testkit.Noon.Add(time.Minute)).ID()
	require.NoError(t, os.WriteFile(filepath.Join(dir, broken+".json"), []byte("{"), 0o600))
	pipe := stallAt(testkit.Noon.Add(2 * time.Minute)).ID()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, pipe+".json"), 0o600))
	other := stallAt(testkit.Noon.Add(3 * time.Minute)).ID()
	require.NoError(t, os.WriteFile(filepath.Join(dir, other+".json"), []byte(`{"run":"r9"}`), 0o600))
	require.Equal(t, []Stalled{s}, Stalls(folder, time.Time{}))
	_, err := StallOf(folder, broken)
	require.ErrorContains(t, err, "reading a recorded stall")
	_, err = StallOf(folder, pipe)
	require.Error(t, err, "a pipe is not waited for")
	for _, id := range []string{"", "..", "../crashes/x", "20260301T120000.000Z-r2-stall", "../stalls/" + s.ID()} {
		_, err = StallOf(folder, id)
		require.ErrorIs(t, err, ErrNoStall, id)
	}
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	require.ErrorContains(t, s.Write(folder), "recording a stall")
}

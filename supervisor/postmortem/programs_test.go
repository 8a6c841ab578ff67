package postmortem

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"

	"context"
)

// examined are the records that an examination of one death kept, in order.
func examined(t *testing.T, c Case, programs func(skip func(pid int) bool) []memory.Program) []record.Record {
	t.Helper()
	var kept []record.Record
	x := Examiner{
		Scans: new(Scans), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Programs: programs,
		PortOwner: func(context.Context) (port.Owner, error) { return port.Owner{}, errors.New("nobody asks") },
		Keep:      func(r record.Record) { kept = append(kept, r) },
		Amend:     func(record.Death, *keeper.Exit, crash.Verdict) {},
	}
	x.Examine(t.Context(), c)
	require.NotEmpty(t, kept)
	return kept
}

func killedCase(kind crash.Kind, signal int) Case {
	run := keeper.Run{ID: "r1", PID: 4711, Started: testkit.Noon.Add(-time.Hour)}
	exit := &keeper.Exit{Run: run, At: testkit.Noon, Known: true}
	if exit.Code = 1; signal != 0 {
		exit.Code, exit.Signal = 0, 9
	}
	return Case{Death: record.Death{Run: "r1", At: testkit.Noon, Verdict: crash.Verdict{Kind: kind}}, Exit: exit, Run: run}
}

func TestTheLargestOthersAreNamedBesideADeathForWantOfMemory(t *testing.T) {
	others := []memory.Program{{Name: "Google Chrome", Bytes: 6e9, Processes: 30}}
	for name, tt := range map[string]struct {
		c    Case
		want bool
	}{
		"killed by nobody knows whom": {killedCase(crash.KindKilled, 9), true},
		"Python had no memory":        {killedCase(crash.KindOutOfMemory, 0), true},
		"an exception":                {killedCase(crash.KindException, 0), false},
		"an end that was asked for": {func() Case {
			c := killedCase(crash.KindKilled, 9)
			c.Exit.Asked = true
			return c
		}(), false},
		"seen later by another app": {func() Case {
			c := killedCase(crash.KindKilled, 9)
			c.Away = true
			return c
		}(), false},
	} {
		asked := 0
		kept := examined(t, tt.c, func(func(int) bool) []memory.Program { asked++; return others })
		require.Equal(t, tt.want, asked == 1, name)
		require.Equal(t, tt.want, len(kept[0].Programs) == 1, name)
		require.LessOrEqual(t, asked, 1)
	}
}

func TestWhatIsLeftOfTheRunIsNoOther(t *testing.T) {
	t.Setenv("VIVARIUM_RUN", "r1")
	cmd := testkit.LaunchIn(t, t.TempDir(), os.Environ(), "sleep", "3600")
	other := testkit.LaunchIn(t, t.TempDir(), []string{"VIVARIUM_RUN=r2"}, "sleep", "3600")
	examined(t, killedCase(crash.KindKilled, 9), func(skip func(int) bool) []memory.Program {
		require.Eventually(t, func() bool { return skip(cmd.Process.Pid) }, testkit.Patience, 10*time.Millisecond)
		require.False(t, skip(other.Process.Pid))
		return nil
	})
}

func TestWhatTheRunUsedAtLastIsPartOfTheVerdict(t *testing.T) {
	rig := testkit.NewCgroupRig(t, "v2")
	rig.Kills(t, "0")
	for name, tt := range map[string]struct {
		sample record.Sample
		want   uint64
	}{
		"a moment before":   {record.Sample{At: testkit.Noon.Add(-4 * time.Second), Memory: 13.6e9, RSS: 1e9}, 13.6e9},
		"long before":       {record.Sample{At: testkit.Noon.Add(-5 * time.Minute), Memory: 13.6e9}, 0},
		"by an older app":   {record.Sample{At: testkit.Noon.Add(-4 * time.Second), RSS: 1e9}, 1e9},
		"of an earlier run": {record.Sample{At: testkit.Noon.Add(-2 * time.Second), Memory: 13.6e9}, 0},
	} {
		c := killedCase(crash.KindKilled, 9)
		if name == "of an earlier run" {
			c.Run.Started = testkit.Noon.Add(-time.Second)
		}
		c.Samples = []record.Sample{tt.sample}
		rig.Kills(t, "0")
		c.Memory = NewMemoryWatch(rig.Root, 4711, 0, nil)
		rig.Kills(t, "1")
		kept := examined(t, c, nil)
		require.Equal(t, tt.want, kept[len(kept)-1].Memory.Last, name)
		require.Equal(t, crash.KindOutOfMemory, kept[len(kept)-1].Verdict.Kind)
	}
}

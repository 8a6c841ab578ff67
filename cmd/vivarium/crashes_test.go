package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func keptDeaths() []record.Kept {
	died := time.Date(2026, 11, 26, 14, 2, 3, 0, time.Local)
	return []record.Kept{
		{Death: record.Death{Run: "r1", At: died, Uptime: 65 * time.Second, Signal: "SIGSEGV", Verdict: crash.Verdict{Kind: crash.KindOpenMP, Summary: "two OpenMP\nruntimes"}, First: crash.KindSegfault},
			File: "/s/crashes/1.json", Page: "/s/crashes/1.html"},
		{Death: record.Death{Run: "r2", At: died, Code: 3, Verdict: crash.Verdict{Kind: crash.KindExitCode, Summary: "it exited"}}, File: "/s/crashes/2.json"},
		{Death: record.Death{Run: "r3", At: died, Verdict: crash.Verdict{Kind: crash.KindKeeperLost, Summary: "the keeper died"}}},
		{Death: record.Death{Run: "r3", At: died, Worker: 99, Verdict: crash.Verdict{Kind: crash.KindWorkerDied, Summary: "a worker died"}}},
	}
}

func TestCrashesAreListedWithWhereToReadMore(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, printDeaths(&out, "brain", "/b", keptDeaths(), false))
	require.Equal(t, strings.Join([]string{
		"2026-11-26 14:02:03  brain: two OpenMP runtimes (SIGSEGV), after 1 min 5 s",
		"    report  /s/crashes/1.html",
		"2026-11-26 14:02:03  brain: it exited (exit code 3), after 0 s",
		"    record  /s/crashes/2.json",
		"2026-11-26 14:02:03  brain: the keeper died, after 0 s",
		"2026-11-26 14:02:03  brain: a worker died",
		"",
	}, "\n"), out.String())
	out.Reset()
	require.NoError(t, printDeaths(&out, "brain", "/b", nil, false))
	require.Equal(t, "brain: no crash on record\n", out.String())
}

func TestCrashesAreRowsForPrograms(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, printDeaths(&out, "brain", "/b", keptDeaths(), true))
	var rows []deathRow
	for d := json.NewDecoder(&out); d.More(); {
		var r deathRow
		require.NoError(t, d.Decode(&r))
		rows = append(rows, r)
	}
	require.Len(t, rows, 4)
	require.Equal(t, "/s/crashes/1.html", rows[0].Report)
	require.Equal(t, crash.KindSegfault, rows[0].First)
	require.InDelta(t, 65, rows[0].Uptime, 0)
	require.Nil(t, rows[0].Code)
	require.Equal(t, 3, *rows[1].Code)
	require.Nil(t, rows[2].Code, "nobody saw it")
	require.Nil(t, rows[3].Code)
	require.Equal(t, 99, rows[3].Worker)
	out.Reset()
	require.NoError(t, printDeaths(&out, "brain", "/b", nil, true))
	require.Empty(t, out.String())
}

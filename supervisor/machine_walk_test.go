package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// situations are the states, and the two that have a launch under way.
var situations = []string{"stopped", "launching", "starting", "healthy", "unhealthy", "stopping", "stopping a launch", "winding up", "winding up alone", "restarting", "gave-up", "unreachable"}

// in gives a machine in that situation, at noon, with run r1 where something runs.
func in(situation string) *machine {
	m := &machine{config: testConfig()}
	m.setConfig(m.config)
	m.Since = testkit.Noon
	run := func(s State) {
		m.attempt, m.Want = 1, true
		m.enter(testkit.Noon, s)
		m.Run = keeper.Run{ID: "r1", PID: 4711, Stamp: "s1", Started: testkit.Noon}
		m.watch = watch{started: testkit.Noon, probeAt: testkit.Noon}
	}
	switch situation {
	case "stopped":
		m.enter(testkit.Noon, Stopped)
	case "launching":
		m.Want = true
		m.launch(testkit.Noon, doLaunch{})
	case "starting":
		run(Starting)
		m.Health.Phase = record.PhaseStarting
	case "healthy":
		run(Healthy)
		m.Health = record.Health{Phase: record.PhaseOK, Good: testkit.Noon}
		m.proven, m.answers = true, answers{well: true, answered: true}
	case "unhealthy":
		run(Unhealthy)
		m.Health = record.Health{Phase: record.PhaseBusy, Failures: 3}
		m.failing, m.proven, m.answers = testkit.Noon, true, answers{well: true}
		m.samples = []process.Reading{{At: testkit.Noon}}
	case "stopping":
		run(Stopping)
		m.Want = false
	case "winding up":
		run(Healthy)
		m.Want = false
		m.windUp(testkit.Noon, false, false)
	case "winding up alone":
		run(Healthy)
		m.Want = false
		m.windUp(testkit.Noon, false, true)
	case "unreachable":
		run(Stopping)
		m.Want = false
		m.cannotReach(testkit.Noon, "the keeper cannot be reached: it is silent")
	case "stopping a launch":
		m.Want = true
		m.launch(testkit.Noon, doLaunch{})
		m.onStop(testkit.Noon)
	case "restarting":
		m.Want = true
		m.lastRun = "r0"
		m.record(testkit.Noon, record.Death{Run: "r0", At: testkit.Noon, Verdict: crash.Verdict{Kind: "segfault"}})
		m.enter(testkit.Noon, Restarting)
		m.Retry = testkit.Noon.Add(time.Second)
	case "gave-up":
		m.Want = true
		m.enter(testkit.Noon, GaveUp)
	}
	m.out = nil
	return m
}

func testConfig() config.Config {
	return config.Config{
		Dir: "/b", File: "/b/vivarium.toml", Name: "backend", Command: []string{"{python}", "-m", "uvicorn", "main:app"}, Port: 8000,
		Autostart: true, OnPortConflict: config.TakeOver,
		Health:  config.Health{Path: "/health", Interval: 5 * time.Second, Timeout: 3 * time.Second, Startup: 3 * time.Minute, Failures: 3, BusyLimit: 10 * time.Minute},
		Restart: config.Restart{Policy: config.RestartOnCrash, Stable: time.Minute, GiveUpAfter: 5},
		Stop:    config.Stop{Signal: 2, Grace: 10 * time.Second},
		Log:     config.Log{File: "/b/logs/server.log", MaxSize: 50 << 20, Keep: 5},
	}
}

func died(signal bool) exited {
	e := exited{keeper.Exit{Run: keeper.Run{ID: "r1", PID: 4711, Started: testkit.Noon}, At: testkit.Noon.Add(3 * time.Second), Known: true, Code: 1}, crash.Verdict{Kind: "exception", Summary: "it raised"}}
	if signal {
		e.exit.Code, e.exit.Signal, e.verdict = 0, 11, crash.Verdict{Kind: "segfault", Summary: "it crashed"}
	}
	return e
}

// happenings are the inputs, each in the variants that are decided differently.
func happenings() map[string]input {
	copyOwner := port.Owner{PID: 99, Name: "python3", Copy: true, Why: "it was started by hand"}
	clean := died(false)
	clean.exit.Code, clean.verdict = 0, crash.Verdict{Kind: crash.KindCleanExit}
	stale := died(true)
	stale.exit.Run.ID = "r0"
	lost := died(true)
	lost.exit.Known, lost.exit.Signal, lost.verdict = false, 0, crash.Verdict{Kind: crash.KindKeeperLost}
	return map[string]input{
		"start": start{}, "stop": stop{}, "restart": restart{}, "takeOver": takeOver{}, "hurry": hurry{}, "quit": quit{}, "look": look{},
		"launched": launched{attempt: 1, run: keeper.Run{ID: "r2", PID: 4712}, config: testConfig()}, "launched, stale": launched{attempt: 7},
		"awaiting": awaiting{1, Awaits{Name: "db"}}, "awaiting, stale": awaiting{7, Awaits{Name: "db"}},
		"launchFailed": launchFailed{attempt: 1, verdict: crash.Verdict{Kind: crash.KindCannotStart}}, "launchFailed, port": launchFailed{attempt: 1, final: true, owner: copyOwner, verdict: crash.Verdict{Kind: crash.KindPortTaken}},
		"launchFailed, canceled": launchFailed{attempt: 1, canceled: true},
		"crashed":                died(true), "exited cleanly": clean, "exited, stale": stale, "exit unknown": lost,
		"reattached": reattached{"r1", found{run: keeper.Run{ID: "r1"}}}, "reattached, ended": reattached{"r1", found{exit: &keeper.Exit{Run: keeper.Run{ID: "r1"}, Known: true, Code: 1}}},
		"reattached, nothing": reattached{"r1", found{}}, "reattached, silent": reattached{"r1", found{problem: "does not answer"}}, "reattached, stale": reattached{"r0", found{}},
		"staleEnded": staleEnded{runID: "r1"}, "staleEnded, failed": staleEnded{"r1", "it is stuck"}, "staleEnded, stale": staleEnded{runID: "r0"},
		"probed, good": probed{runID: "r1", latency: time.Millisecond, listens: true}, "probed, another's answer": probed{runID: "r1", latency: time.Millisecond},
		"probed, bad": probed{runID: "r1", err: errors.New("no answer")}, "probed, not found": probed{runID: "r1", err: &probe.AnswerError{Status: 404}, listens: true}, "probed, an error": probed{runID: "r1", err: &probe.AnswerError{Status: 500}, listens: true},
		"probed, refused": probed{runID: "r1", err: probe.ErrRefused},
		"explained":       explained{runID: "r1", answer: "answered 404", problem: "/health answers 404", sure: true}, "explained, nothing": explained{runID: "r1", answer: "answered 404"}, "explained, stale": explained{runID: "r0", answer: "answered 404"},
		"probed, stale": probed{runID: "r0", listens: true},
		"used":          used{runID: "r1", usage: process.Usage{RSS: 1 << 20, Procs: 1}}, "used, OpenMP": used{runID: "r1", usage: process.Usage{Procs: 1}, looked: true, openmp: []string{"/e/libomp.dylib"}}, "used, stale": used{runID: "r0"},
		"observed": observed{"r1", stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked"}}, "observed, stale": observed{runID: "r0"},
		"deepProbed": deepProbed{"r1", errors.New("it was not asked")}, "deepProbed, silent": deepProbed{"r1", &probe.DeepError{Problem: "gave no answer", Silent: true}},
		"sampled": sampled{"r1", "libomp's __kmp_wait"}, "sampled, stale": sampled{runID: "r0"},
		"workerDied": workerDied{"r1", 12, crash.Verdict{Kind: crash.KindWorkerDied}}, "workerDied, stale": workerDied{runID: "r0"},
		"arrived, missing": arrived{"r1", []string{"OMP_NUM_THREADS"}}, "arrived, stale": arrived{runID: "r0"},
		"recorded": recorded{record.Death{Run: "r0", At: testkit.Noon}, "/state/crashes/r0.html"}, "recorded, stale": recorded{record.Death{Run: "r0", At: testkit.Noon.Add(-time.Hour)}, ""},
		"amended":       amended{death: record.Death{Run: "r0", At: testkit.Noon, Verdict: crash.Verdict{Kind: "segfault"}}, verdict: crash.Verdict{Kind: crash.KindOpenMP}},
		"amended, same": amended{death: record.Death{Run: "r0", At: testkit.Noon, Verdict: crash.Verdict{Kind: "segfault"}}, verdict: crash.Verdict{Kind: "segfault"}},
		"semaphores":    semaphores{3}, "semaphores, none": semaphores{0},
		"port, copy": portSeen{look: 1, owner: copyOwner}, "port, free": portSeen{look: 1}, "port, failed": portSeen{look: 1, failed: true}, "port, stale": portSeen{look: 7}, "unreachable": unreachable{}, "woke": woke{time.Hour}, "sleeping": sleeping{true}, "sleeping, back": sleeping{}, "awake": awake{true}, "asleep again": awake{}, "due": due{},
	}
}

func TestEveryStateDecidesEveryInput(t *testing.T) {
	edges, lines := map[string]bool{}, []string{}
	inputs := happenings()
	var names []string
	for n := range inputs {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, s := range situations {
		for _, n := range names {
			m := in(s)
			m.came = testkit.Noon
			if strings.HasPrefix(n, "port") {
				m.look, m.looking = 1, true
			}
			before := *m
			out := m.step(testkit.Noon.Add(20*time.Second), inputs[n])
			decided := len(out) > 0 || m.State != before.State || fmt.Sprintf("%+v", *m) != fmt.Sprintf("%+v", before)
			require.True(t, m.ignored != "" || decided, "%s × %s: neither decided nor ignored for a reason", s, n)
			what := ""
			if m.ignored != "" && m.State == before.State && len(out) == 0 {
				what = "ignored because " + m.ignored
			} else {
				what = m.State.String() + effectNames(out)
			}
			lines = append(lines, fmt.Sprintf("%-18s %-24s %s", s, n, what))
			if m.State != before.State {
				edges[fmt.Sprintf("    %s --> %s: %s", mermaid(before.State), mermaid(m.State), strings.SplitN(n, ",", 2)[0])] = true
			}
		}
	}
	var diagram []string
	for e := range edges {
		diagram = append(diagram, e)
	}
	sort.Strings(diagram)
	golden(t, "machine.mmd", "stateDiagram-v2\n    [*] --> stopped\n"+strings.Join(diagram, "\n")+"\n")
	golden(t, "machine.txt", strings.Join(lines, "\n")+"\n")
}

func mermaid(s State) string { return strings.ReplaceAll(s.String(), "-", "_") }

func effectNames(out []effect) string {
	var b strings.Builder
	for _, e := range out {
		name := strings.TrimPrefix(fmt.Sprintf("%T", e), "supervisor.")
		if tell, ok := e.(doTell); ok {
			name = "tell " + string(tell.event.What)
		}
		b.WriteString(", " + name)
	}
	return b.String()
}

// golden compares with testdata/name; UPDATE=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run with UPDATE=1 to write it")
	require.Equal(t, string(want), got, "the machine changed: look at the difference, then run with UPDATE=1")
}

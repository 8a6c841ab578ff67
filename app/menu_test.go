package app

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

var updateMenu = flag.Bool("update-menu", false, "write testdata/menu.txt anew")

// menuCase is one picture of the menu, with what it is a picture of.
type menuCase struct {
	name string
	all  []supervisor.Snapshot
	o    MenuOptions
}

func one(s supervisor.Snapshot) []supervisor.Snapshot { return []supervisor.Snapshot{s} }

func menuCases() []menuCase {
	login := MenuOptions{Login: true, LoginShown: true}
	three := []supervisor.Snapshot{testkit.In(supervisor.Healthy, time.Hour), testkit.In(supervisor.Healthy, time.Minute), testkit.Calm()}
	three[1].Backend, three[2].Backend = "search", "backend"
	three[2].Dir = "/home/ada/old/backend"
	var ten []supervisor.Snapshot
	for i := range 10 {
		s := testkit.In(supervisor.Healthy, time.Hour)
		s.Backend = fmt.Sprintf("service %d", i)
		ten = append(ten, s)
	}
	ten[9].State = supervisor.GaveUp
	return []menuCase{
		{"no backend", nil, login},
		{"stopped", one(testkit.Calm()), login},
		{"stopped, it crashed while nobody wanted it again", one(testkit.In(supervisor.Stopped, time.Minute, testkit.Crashed)), MenuOptions{}},
		{"starting", one(testkit.In(supervisor.Starting, 45*time.Second)), MenuOptions{}},
		{"healthy", one(testkit.In(supervisor.Healthy, 3*time.Hour+12*time.Minute, testkit.Crashed)), MenuOptions{LoginShown: true}},
		{"healthy without a port", one(testkit.In(supervisor.Healthy, time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.Port, s.URL, s.Health.Latency = 0, "", 0
		}))), MenuOptions{}},
		{"healthy, the configuration changed", one(testkit.In(supervisor.Healthy, time.Hour, testkit.With(func(s *supervisor.Snapshot) {
			s.ConfigChanged = true
		}))), MenuOptions{}},
		{"healthy, part of the crash environment is missing", one(testkit.In(supervisor.Healthy, time.Hour, testkit.With(func(s *supervisor.Snapshot) {
			s.Missing = []string{"KMP_DUPLICATE_LIB_OK", "OMP_NUM_THREADS"}
		}))), MenuOptions{}},
		{"healthy, ended runs left semaphores", one(testkit.In(supervisor.Healthy, time.Hour, testkit.Crashed, testkit.With(func(s *supervisor.Snapshot) {
			s.Semaphores = 10
		}))), MenuOptions{}},
		{"healthy, started with the last good configuration", one(testkit.In(supervisor.Healthy, time.Hour, testkit.With(func(s *supervisor.Snapshot) {
			s.ConfigFile = "/home/ada/backend/vivarium.toml"
			s.ConfigProblem = s.ConfigFile + ":3: port: wants a whole number, not a string; write it like this: port = 8000"
			s.Note = "started with the last good configuration"
		}))), MenuOptions{}},
		{"busy", one(testkit.In(supervisor.Unhealthy, 40*time.Second, testkit.With(func(s *supervisor.Snapshot) {
			s.Health = record.Health{Phase: record.PhaseBusy, Good: testkit.Ago(55 * time.Second), Failures: 3, Problem: "no answer within 3 s"}
			s.Usage = process.Usage{CPU: 3.97, RSS: 640_000_000}
		}))), MenuOptions{}},
		{"hung", one(testkit.In(supervisor.Unhealthy, 5*time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.Health = record.Health{Phase: record.PhaseHung, Good: testkit.Ago(6*time.Minute + 20*time.Second), Failures: 30, Problem: "no answer within 3 s"}
		}))), MenuOptions{}},
		{"stopping", one(testkit.In(supervisor.Stopping, 3*time.Second)), MenuOptions{}},
		{"restarting at once", one(testkit.In(supervisor.Restarting, 0, testkit.Crashed)), MenuOptions{}},
		{"restarting later", one(testkit.In(supervisor.Restarting, time.Second, testkit.Crashed, testkit.With(func(s *supervisor.Snapshot) {
			s.Retry, s.Crashes = testkit.Noon.Add(4*time.Second), 3
		}))), MenuOptions{}},
		{"gave up", one(testkit.In(supervisor.GaveUp, time.Minute, testkit.Crashed)), MenuOptions{}},
		{"gave up, the remedy is long", one(testkit.In(supervisor.GaveUp, time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.Last = crash.Verdict{
				Kind: "missing-module", Summary: "the module uvicorn is not installed in the environment the server is started in",
				Remedy: "Install it there: /home/ada/backend/.venv/bin/python -m pip install uvicorn; or set python in vivarium.toml to the interpreter that has it.",
			}
			s.LastAt = testkit.Ago(time.Minute)
		}))), MenuOptions{}},
		{"the port is taken by a stranger", one(testkit.In(supervisor.GaveUp, time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.Last = crash.Verdict{Kind: crash.KindPortTaken, Summary: "port 8000 is taken by node (PID 812)", Remedy: "End it yourself, or set another port in vivarium.toml."}
			s.LastAt = testkit.Ago(time.Minute)
			s.Owner = port.Owner{PID: 812, Name: "node", Why: "It is not this backend."}
		}))), MenuOptions{}},
		{"the port is taken by a copy, and on_port_conflict refuses", one(testkit.In(supervisor.GaveUp, time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.Last = crash.Verdict{Kind: crash.KindPortTaken, Summary: "port 8000 is taken by python3.12 (PID 4000)", Remedy: "Take Over ends it and starts it properly."}
			s.Owner = port.Owner{PID: 4000, Name: "python3.12", Copy: true}
		}))), MenuOptions{}},
		{"a copy was started by hand", one(testkit.In(supervisor.Stopped, time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.Owner = port.Owner{PID: 4000, Name: "python3.12", Copy: true, Why: "It runs in this folder."}
		}))), MenuOptions{}},
		{"stopped, another user has the port", one(testkit.In(supervisor.Stopped, time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.Owner = port.Owner{Why: "Its owner cannot be seen."}
		}))), MenuOptions{}},
		{"the configuration is broken", one(testkit.In(supervisor.GaveUp, time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.ConfigFile = "/home/ada/backend/vivarium.toml"
			s.ConfigProblem = s.ConfigFile + ":3: port: wants a whole number, not a string; write it like this: port = 8000"
			s.Last = crash.Verdict{Kind: crash.KindConfig, Summary: s.ConfigProblem}
		}))), MenuOptions{}},
		{"the folder is gone", one(testkit.In(supervisor.Stopped, time.Minute, testkit.With(func(s *supervisor.Snapshot) {
			s.ConfigFile = "/home/ada/backend"
			s.ConfigProblem = "/home/ada/backend: there is no such folder; check its name, or remove the backend"
		}))), MenuOptions{}},
		{"kept by vivarium run", one(testkit.In(supervisor.Healthy, time.Hour, testkit.With(func(s *supervisor.Snapshot) { s.HeldBy = 99 }))), MenuOptions{}},
		{"kept by vivarium run, of which nothing is known", one(testkit.In(supervisor.Stopped, time.Hour, testkit.With(func(s *supervisor.Snapshot) { s.HeldBy = 99 }))), MenuOptions{}},
		{"three backends, two of one name", three, login},
		{"more backends than fit", ten, MenuOptions{}},
	}
}

// inset sets the lines of a submenu apart.
func inset(parent int) string {
	if parent == Top {
		return ""
	}
	return "    "
}

// picture draws a menu as a person sees it: ( ) around what cannot be clicked.
func picture(m Menu) string {
	var b strings.Builder
	line := func(indent string, it Item, parent bool) {
		if !it.Shown {
			return
		}
		t := it.Title
		if it.Checked {
			t += " ✓"
		}
		if !it.Enabled {
			t = "(" + t + ")"
		}
		if parent {
			t += " ▸"
		}
		b.WriteString(indent + t + "\n")
	}
	fmt.Fprintf(&b, "icon: %s\ntooltip: %s\n", [...]string{"stopped", "healthy", "starting", "unhealthy", "crashed"}[m.Icon], m.Tooltip)
	for i, it := range m.Sections[0].Items {
		line(inset(ItemParent(i)), it, i == ItemMore)
		if i == ItemLast {
			b.WriteString("────\n")
		}
	}
	for _, s := range m.Sections[1:] {
		if s.Title == "" {
			continue
		}
		b.WriteString(s.Title + " ▸\n")
		for i, it := range s.Items {
			line("    "+inset(ItemParent(i)), it, i == ItemMore)
		}
	}
	for i, it := range m.Tail {
		if i == TailAdd && !strings.HasSuffix(b.String(), "────\n") || i == TailQuit {
			b.WriteString("────\n")
		}
		line(inset(TailParent(i)), it, i == TailSettings || i == TailHelp)
	}
	return b.String()
}

func TestEveryStateHasItsPictureInTheGoldenFile(t *testing.T) {
	var b strings.Builder
	for _, c := range menuCases() {
		fmt.Fprintf(&b, "== %s ==\n%s\n", c.name, picture(Render(c.all, testkit.Noon, c.o)))
	}
	const file = "testdata/menu.txt"
	if *updateMenu {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

func TestASeparatorNeverStandsBesideAnother(t *testing.T) {
	for _, c := range menuCases() {
		p := picture(Render(c.all, testkit.Noon, c.o))
		require.NotContains(t, p, "────\n────", c.name)
		require.False(t, strings.HasSuffix(p, "────\n"), c.name)
		require.False(t, strings.HasPrefix(strings.SplitN(p, "\n", 3)[2], "────"), c.name)
	}
}

func TestTheFlatSectionAndTheSubmenusAreNeverShownTogether(t *testing.T) {
	for _, c := range menuCases() {
		m := Render(c.all, testkit.Noon, c.o)
		subs := 0
		for _, s := range m.Sections[1:] {
			if s.Title != "" {
				subs++
			} else {
				require.Equal(t, Section{}, s, c.name)
			}
		}
		if len(c.all) < 2 {
			require.Zero(t, subs, c.name)
			continue
		}
		require.Equal(t, min(len(c.all), words.MaxBackends), subs, c.name)
		for i, it := range m.Sections[0].Items {
			require.Equal(t, i == ItemStatus, it.Shown, "%s: item %d", c.name, i)
		}
	}
}

func TestWhatCanBeAskedForMakesSenseInItsState(t *testing.T) {
	words := map[int]string{ItemStart: "start", ItemStop: "stop", ItemRestart: "restart", ItemTakeOver: "take over", ItemTryAgain: "try again"}
	want := map[supervisor.State]string{
		supervisor.Stopped: "start", supervisor.Starting: "stop restart", supervisor.Healthy: "stop restart",
		supervisor.Unhealthy: "stop restart", supervisor.Stopping: "stop", supervisor.Restarting: "start stop", supervisor.GaveUp: "try again",
	}
	offered := func(s supervisor.Snapshot) string {
		m := Render(one(s), testkit.Noon, MenuOptions{})
		var out []string
		for i := ItemStart; i <= ItemTryAgain; i++ {
			if it := m.Sections[0].Items[i]; it.Shown && it.Enabled {
				out = append(out, words[i])
			}
		}
		return strings.Join(out, " ")
	}
	for state, w := range want {
		require.Equal(t, w, offered(testkit.In(state, time.Minute)), state)
	}
	byHand := testkit.With(func(s *supervisor.Snapshot) { s.Owner = port.Owner{PID: 7, Copy: true} })
	require.Equal(t, "take over", offered(testkit.In(supervisor.Stopped, time.Minute, byHand)))
	require.Equal(t, "take over try again", offered(testkit.In(supervisor.GaveUp, time.Minute, byHand)))
	held := testkit.With(func(s *supervisor.Snapshot) { s.HeldBy = 7 })
	for state := range want {
		w := "stop restart"
		if state == supervisor.Stopping {
			w = "restart"
		}
		require.Equal(t, w, offered(testkit.In(state, time.Minute, held)), "held, %s", state)
	}
}

func TestOnlyAConfigurationErrorMakesALineThatOpensTheFile(t *testing.T) {
	for _, c := range menuCases() {
		for i, s := range Render(c.all, testkit.Noon, c.o).Sections {
			broken := len(c.all) == 1 && c.all[0].ConfigProblem != "" && c.all[0].ConfigFile != c.all[0].Dir
			require.False(t, s.Items[ItemNote].Enabled || s.Items[ItemLast].Enabled, c.name)
			require.Equal(t, broken && i == 0, s.Items[ItemStatus].Enabled || s.Items[ItemDetail].Enabled, c.name)
		}
	}
}

func TestTheMostUrgentBackendGivesTheIconAlsoWhenItIsNotShown(t *testing.T) {
	all := make([]supervisor.Snapshot, words.MaxBackends+1)
	for i := range all {
		all[i] = testkit.In(supervisor.Healthy, time.Hour)
	}
	require.Equal(t, assets.Healthy, Render(all, testkit.Noon, MenuOptions{}).Icon)
	all[words.MaxBackends] = testkit.In(supervisor.GaveUp, time.Hour)
	require.Equal(t, assets.Crashed, Render(all, testkit.Noon, MenuOptions{}).Icon)
}

func TestARestartIsShownAsAMomentAndNotAsACountdown(t *testing.T) {
	s := testkit.In(supervisor.Restarting, 0, testkit.With(func(s *supervisor.Snapshot) { s.Retry = testkit.Noon.Add(20 * time.Second) }))
	first := Render(one(s), testkit.Noon, MenuOptions{})
	for d := time.Second; d < 20*time.Second; d += time.Second {
		require.Equal(t, first, Render(one(s), testkit.Noon.Add(d), MenuOptions{}))
	}
}

func TestTheMenuChangesAtMostOnceASecond(t *testing.T) {
	for _, c := range menuCases() {
		for _, d := range []time.Duration{time.Nanosecond, 300 * time.Millisecond, 999 * time.Millisecond} {
			require.Equal(t, Render(c.all, testkit.Noon, c.o), Render(c.all, testkit.Noon.Add(d), c.o), c.name)
		}
	}
}

func draw(r *rand.Rand) supervisor.Snapshot {
	text := func() string { return testkit.Nasty[r.IntN(len(testkit.Nasty))] }
	some := func(s string) string {
		if r.IntN(2) == 0 {
			return ""
		}
		return s
	}
	when := func() time.Time {
		if r.IntN(4) == 0 {
			return time.Time{}
		}
		return testkit.Noon.Add(time.Duration(r.Int64N(int64(1000*time.Hour))) - 500*time.Hour)
	}
	s := supervisor.Snapshot{
		Backend: text(), Dir: some("/" + text()), State: supervisor.State(r.IntN(7)), Since: when(), Retry: when(),
		Run:    keeper.Run{ID: text(), PID: r.IntN(3), Started: when()},
		Health: record.Health{Phase: record.Phase(some(text())), Latency: time.Duration(r.Int64()), Good: when(), Problem: text()},
		Usage:  process.Usage{CPU: r.NormFloat64(), RSS: r.Uint64()}, Crashes: r.IntN(9),
		Last: crash.Verdict{Kind: crash.Kind(some("x")), Summary: text(), Remedy: text()}, LastAt: when(),
		Port: r.IntN(3), URL: some("http://x"), Log: some("/log"), ConfigProblem: some(text()), ConfigFile: some(text()),
		ConfigChanged: r.IntN(2) == 0, Semaphores: r.IntN(3), Note: some(text()), HeldBy: r.IntN(2) * r.IntN(99),
	}
	if r.IntN(2) == 0 {
		s.Owner = port.Owner{PID: r.IntN(3), Name: text(), Copy: r.IntN(2) == 0, Ours: r.IntN(2) == 0, Why: text()}
	}
	if r.IntN(3) == 0 {
		s.Missing = []string{text(), text()}
	}
	return s
}

func TestTitlesFitAMenuWhateverTheSnapshotsHold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		all := make([]supervisor.Snapshot, r.IntN(12))
		for i := range all {
			all[i] = draw(r)
		}
		m := Render(all, testkit.Noon, MenuOptions{LoginShown: true})
		testkit.RequireFit(t, m.Tooltip, words.MaxLine)
		items := m.Tail[:]
		for i, s := range m.Sections {
			testkit.RequireFit(t, s.Title, words.MaxTitle)
			items = append(items, s.Items[:]...)
			if s.Title != "" || i == 0 {
				require.True(t, s.Items[ItemStatus].Shown)
			}
		}
		for _, it := range items {
			testkit.RequireFit(t, it.Title, words.MaxTitle)
			require.Equal(t, it.Shown, it.Title != "", "a line without words, or words that nobody sees: %+v", it)
			require.True(t, it.Shown || it == Item{})
		}
	}
}

func TestTheMenuAndTheRowHaveTheTally(t *testing.T) {
	s := testkit.HealthySnapshot()
	s.Tally = record.Tally{Day: testkit.Midday.Format("2006-01-02"), Deaths: 3, Causes: []record.Cause{{Kind: crash.KindOpenMP, Deaths: 2}, {Kind: "abort", Summary: "x", Deaths: 1}}}
	s.LastReport = "/state/b/1/crashes/1.html"
	line := "3 crashes today, mostly: two OpenMP runtimes"
	menu := Render([]supervisor.Snapshot{s}, testkit.Midday, MenuOptions{})
	require.Equal(t, line, menu.Sections[0].Items[ItemNote].Title)
	there := control.StatusRow(s, testkit.Midday).Snapshot()
	require.Equal(t, s.Tally, there.Tally, "the same on the other side of the control socket")
	require.Equal(t, s.LastReport, there.LastReport)
	require.Empty(t, Render([]supervisor.Snapshot{s}, testkit.Midday.AddDate(0, 0, 1), MenuOptions{}).Sections[0].Items[ItemNote].Title, "another day")
}

package hook

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// ground is a backend's folder with a script that is told of events.
type ground struct {
	t   *testing.T
	dir string
	*Runner

	mu     sync.Mutex
	failed []string
}

func newGround(t *testing.T, script, more string) *ground {
	t.Helper()
	g := &ground{t: t, dir: testkit.ShortDir(t)}
	g.script(script)
	g.configure("[on_event]\ncommand = ['./tell.sh', 'an argument; $(not a shell)']\n" + more)
	g.Runner = New(g.dir, nil, func(text string) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.failed = append(g.failed, text)
	})
	t.Cleanup(g.Close)
	return g
}

func (g *ground) script(text string) {
	require.NoError(g.t, os.WriteFile(filepath.Join(g.dir, "tell.sh"), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
}

func (g *ground) configure(text string) {
	require.NoError(g.t, os.WriteFile(filepath.Join(g.dir, config.FileName), []byte(text), 0o644))
}

func (g *ground) wrote(name string) string {
	text, _ := os.ReadFile(filepath.Join(g.dir, name))
	return string(text)
}

func (g *ground) told() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.failed)
}

func event(what supervisor.What) supervisor.Event {
	return supervisor.Event{
		What: what, At: testkit.Noon, Snapshot: supervisor.Snapshot{Backend: "shop", Dir: "/srv/shop", State: supervisor.Restarting, Port: 8000},
		Verdict: crash.Verdict{Kind: "segfault", Summary: "it died with password=hunter2hunter2", Remedy: "Upgrade torch.", Line: "token=sk-ant-api03-abcdefghijklmnopqrstuvwxyz"},
	}
}

func TestAChosenEventIsOneLineOfJSONOnStandardInput(t *testing.T) {
	g := newGround(t, `cat >> got; echo "$1" > args; env > env; pwd > cwd`, "")
	t.Setenv("MY_API_TOKEN", "topsecret")
	t.Setenv("LC_ALL", "C")
	g.Tell(event(supervisor.EventStarted)) // not chosen
	g.Tell(event(supervisor.EventCrashed))
	testkit.Eventually(t, "it is told", func() bool { return g.wrote("cwd") != "" })
	require.Equal(t, 1, strings.Count(g.wrote("got"), "\n"))
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(g.wrote("got")), &got))
	require.Equal(t, "crashed", got["event"])
	require.Equal(t, "shop", got["backend"])
	require.Equal(t, "segfault", got["verdict"].(map[string]any)["kind"])
	require.EqualValues(t, os.Getpid(), got["held_by"])
	require.NotContains(t, got, "dropped")
	require.NotContains(t, g.wrote("got"), "hunter2hunter2")
	require.NotContains(t, g.wrote("got"), "abcdefghijklmnop")
	require.Equal(t, "an argument; $(not a shell)\n", g.wrote("args"))
	require.Equal(t, g.dir+"\n", g.wrote("cwd"))
	env := g.wrote("env")
	require.NotContains(t, env, "topsecret")
	require.Contains(t, env, "VIVARIUM_EVENT=crashed\n")
	require.Contains(t, env, "VIVARIUM_BACKEND=shop\n")
	require.Contains(t, env, "LC_ALL=C\n")
	g.Close()
	require.Empty(t, g.told())
}

func TestAFailureIsToldOnceUntilItWorksAgain(t *testing.T) {
	g := newGround(t, `echo "no such host, password=hunter2hunter2" >&2; exit 3`, "")
	for range 3 {
		g.Tell(event(supervisor.EventCrashed))
	}
	testkit.Eventually(t, "it is told", func() bool { return len(g.told()) == 1 })
	require.Contains(t, g.told()[0], "the command of on_event failed for crashed: ./tell.sh ended with exit status 3: no such host")
	require.NotContains(t, g.told()[0], "hunter2hunter2")
	g.script("echo x >> well")
	g.Tell(event(supervisor.EventGaveUp))
	testkit.Eventually(t, "it works", func() bool { return g.wrote("well") != "" })
	require.Len(t, g.told(), 1)
	g.configure("[on_event]\ncommand = ['./gone.sh']")
	g.Tell(event(supervisor.EventCrashed))
	testkit.Eventually(t, "it is told again", func() bool { return len(g.told()) == 2 })
	require.Contains(t, g.told()[1], "./gone.sh cannot be started: no such file or directory")
}

func TestOneThatHangsIsEndedWithWhatItStarted(t *testing.T) {
	g := newGround(t, "trap '' TERM; sleep 1000 & echo $! > child; echo waiting for slack; while :; do sleep 1000; done", "timeout = '300ms'")
	g.Tell(event(supervisor.EventCrashed))
	testkit.Eventually(t, "it is told", func() bool { return len(g.told()) == 1 })
	require.Contains(t, g.told()[0], "./tell.sh took longer than 300ms and was ended: waiting for slack")
	g.gone("child")
}

// gone waits for the end of a process whose PID a script wrote.
func (g *ground) gone(name string) {
	g.t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(g.wrote(name)))
	require.NoError(g.t, err)
	testkit.Eventually(g.t, "the process is gone", func() bool {
		p, err := proc.Find(pid)
		return err != nil || p.Zombie
	})
}

func TestWhatItLeavesInTheBackgroundIsBoundedToo(t *testing.T) {
	g := newGround(t, "sleep 1000 & echo $! > child", "")
	g.Tell(event(supervisor.EventCrashed))
	testkit.Eventually(t, "it began", func() bool { return strings.HasSuffix(g.wrote("child"), "\n") })
	g.gone("child")
	g.Close()
	require.Empty(t, g.told())
}

func TestCloseEndsACommandThatRuns(t *testing.T) {
	g := newGround(t, "echo $$ > self; sleep 1000", "timeout = '5m'")
	g.Tell(event(supervisor.EventCrashed))
	testkit.Eventually(t, "it began", func() bool { return strings.HasSuffix(g.wrote("self"), "\n") })
	begin := time.Now()
	g.Close()
	require.Less(t, time.Since(begin), finishTime+5*time.Second)
	g.gone("self")
	require.Empty(t, g.told(), "its end is ours")
	g.Tell(event(supervisor.EventCrashed)) // nobody listens any more, and nobody waits
}

func TestTheLastEventsAreToldBeforeTheEnd(t *testing.T) {
	g := newGround(t, "cat >> got", "events = ['stopped']")
	g.Tell(event(supervisor.EventStopped))
	g.Tell(event(supervisor.EventStopped))
	g.Close()
	require.Equal(t, 2, strings.Count(g.wrote("got"), "\n"))
}

func TestASlowCommandHoldsUpNobodyAndWhatIsDroppedIsCounted(t *testing.T) {
	g := newGround(t, "cat >> got; while ! [ -e go ]; do sleep 0.01; done", "timeout = '5m'")
	g.Tell(event(supervisor.EventCrashed))
	testkit.Eventually(t, "it began", func() bool { return g.wrote("got") != "" })
	begin := time.Now()
	for range maxQueued + 7 {
		g.Tell(event(supervisor.EventCrashed))
	}
	require.Less(t, time.Since(begin), time.Second)
	require.NoError(t, os.WriteFile(filepath.Join(g.dir, "go"), nil, 0o600))
	testkit.Eventually(t, "the rest is told", func() bool { return strings.Count(g.wrote("got"), "\n") == maxQueued+1 })
	require.Equal(t, 1, strings.Count(g.wrote("got"), `"dropped":7`), "the next one says how many are missing")
	testkit.Eventually(t, "a person hears of it", func() bool { return len(g.told()) == 1 })
	require.Contains(t, g.told()[0], "it was not told of 7 events")
}

func TestTheConfigurationOfTheMomentCountsAndABrokenOneChangesNothing(t *testing.T) {
	g := newGround(t, "cat >> got", "")
	g.Tell(event(supervisor.EventCrashed))
	testkit.Eventually(t, "it is told", func() bool { return strings.Count(g.wrote("got"), "\n") == 1 })
	g.configure("prot = 7")
	g.Tell(event(supervisor.EventCrashed))
	testkit.Eventually(t, "it is told", func() bool { return strings.Count(g.wrote("got"), "\n") == 2 })
	g.configure("")
	g.Tell(event(supervisor.EventCrashed))
	g.Close()
	require.Equal(t, 2, strings.Count(g.wrote("got"), "\n"))
}

func TestOnlyTheGroupOfTheCommandItselfIsSignalled(t *testing.T) {
	us := os.Getuid()
	leader := proc.Process{PID: 10, Group: 10, UID: us, Stamp: "a"}
	child := proc.Process{PID: 11, PPID: 10, Group: 10, UID: us, Stamp: "b"}
	ours := []proc.Process{leader, child}
	all := append(slices.Clone(ours), proc.Process{PID: 12, Group: 12, UID: us, Stamp: "c"}, proc.Process{PID: 13, Group: 10, UID: us + 1, Stamp: "d"}, proc.Process{PID: 14, Group: 10, UID: us, Zombie: true})
	require.Equal(t, ours, members(leader, all))
	require.Equal(t, []proc.Process{child}, members(leader, all[1:]), "the leader has ended")
	again := slices.Clone(all)
	again[0].Stamp = "z"
	require.Empty(t, members(leader, again), "its number is another program's now")
	require.Empty(t, members(proc.Process{PID: 10}, all), "a leader that was never seen")
}

func TestTheEnvironmentHoldsNoSecretAndWhatACommandNeeds(t *testing.T) {
	env := environment([]string{"HOME=/home/ann", "HF_TOKEN=x", "PATH=/x:/usr/bin", "LC_TIME=de", "VIVARIUM_RUN=r", "VIRTUAL_ENV=/v", "odd"}, "darwin")
	require.Equal(t, []string{"HOME=/home/ann", "LC_TIME=de", "PATH=/x:/usr/bin:/opt/homebrew/bin:/usr/local/bin:/bin"}, env)
	require.Equal(t, []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, environment(nil, "linux"))
}

func TestAProgramIsFoundInTheFolderOrOnPath(t *testing.T) {
	dir := testkit.ShortDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tell"), nil, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), nil, 0o644))
	env := []string{"PATH=relative:/no/such:" + dir}
	for name, want := range map[string]string{"./tell": dir + "/tell", "/bin/sh": "/bin/sh", "bin/tell": dir + "/bin/tell", "tell": dir + "/tell"} {
		got, err := find(name, dir, env)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"data", "nothing"} {
		_, err := find(name, dir, env)
		require.ErrorContains(t, err, "there is no program "+name)
	}
}

// Whoever adds an event tells those who want to be told of it.
func TestEveryEventCanBeChosen(t *testing.T) {
	text, err := os.ReadFile("../../supervisor/state.go")
	require.NoError(t, err)
	n := 0
	for l := range strings.Lines(string(text)) {
		f := strings.Fields(l)
		if len(f) == 4 && strings.HasPrefix(f[0], "Event") && f[1] == "What" || len(f) > 4 && strings.HasPrefix(f[0], "Event") && f[1] == "What" {
			name, err := strconv.Unquote(f[3])
			require.NoError(t, err)
			require.Contains(t, config.EventNames, name)
			n++
		}
	}
	require.Len(t, config.EventNames, n)
}

func TestTheLastWordsAreBounded(t *testing.T) {
	var said tail
	for range 100 {
		_, err := fmt.Fprintln(&said, strings.Repeat("x", 1000))
		require.NoError(t, err)
	}
	_, _ = said.Write([]byte("the last\n\n"))
	require.LessOrEqual(t, len(said.text), maxSaid)
	require.Equal(t, ": the last", said.last())
	require.Empty(t, (&tail{}).last())
	require.NoError(t, outcome("x", syscall.EPIPE, &tail{}))
}

package process

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestTheShareOfCPUIsTheTreesTimeOverTheTimeThatPassed(t *testing.T) {
	s := time.Second
	for _, c := range []struct {
		name           string
		prev           Usage
		total, elapsed time.Duration
		want           float64
	}{
		{"the first look has nothing to compare with", Usage{}, 90 * s, 5 * s, 0},
		{"idle", Usage{Procs: 1, Total: 10 * s}, 10 * s, 5 * s, 0},
		{"a fifth of a core", Usage{Procs: 1, Total: 10 * s}, 11 * s, 5 * s, 0.2},
		{"four cores", Usage{Procs: 4, Total: 10 * s}, 30 * s, 5 * s, 4},
		{"a worker ended and took its time along", Usage{Procs: 2, Total: 10 * s}, 4 * s, 5 * s, 0},
		{"no time passed", Usage{Procs: 1, Total: 10 * s, CPU: 0.5}, 11 * s, 0, 0.5},
		{"the clock went back", Usage{Procs: 1, Total: 10 * s, CPU: 0.5}, 11 * s, -s, 0.5},
	} {
		require.InDelta(t, c.want, cpuShare(c.prev, c.total, c.elapsed), 1e-9, c.name)
	}
}

func TestATreeIsFoundInAProcessTable(t *testing.T) {
	all := []proc.Process{{PID: 1}, {PID: 10, PPID: 1}, {PID: 11, PPID: 10}, {PID: 12, PPID: 11}, {PID: 13, PPID: 10}, {PID: 20, PPID: 1}}
	depths := func(tree []member) map[int]int {
		m := map[int]int{}
		for _, p := range tree {
			m[p.PID] = p.depth
		}
		return m
	}
	require.Equal(t, map[int]int{10: 0, 11: 1, 13: 1, 12: 2}, depths(treeOf(10, all)))
	require.Empty(t, treeOf(99, all))
	circle := []proc.Process{{PID: 8, PPID: 9}, {PID: 9, PPID: 8}}
	require.NotEmpty(t, treeOf(8, circle), "a table that is no snapshot ends, too")
}

// burners are a leader with children that use a core, memory and nothing.
const burners = `import multiprocessing, os, subprocess, sys, time

def burn():
    while True:
        pass

def hold(ready):
    data = bytearray(os.urandom(1 << 20) * 64)
    open(ready, "w").close()
    time.sleep(3600)

if __name__ == "__main__":
    kind = sys.argv[1]
    context = multiprocessing.get_context("spawn")
    lock = context.Lock()  # brings a resource tracker
    if kind == "burn":
        context.Process(target=burn, daemon=True).start()
    if kind == "hold":
        context.Process(target=hold, args=("ready",), daemon=True).start()
    if kind == "kinds":
        context.Process(target=time.sleep, args=(3600,), daemon=True).start()
        if os.fork() == 0:
            time.sleep(3600)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        subprocess.Popen(["sleep", "3600"])
        if os.fork() == 0:
            os._exit(0)  # a zombie: nobody waits for it
    if kind == "deep":
        subprocess.Popen(["/bin/sh", "-c", "while :; do :; done; true"])
    open("up", "w").close()
    time.sleep(3600)
`

func startBurners(t testing.TB, kind string) (pid int, dir string) {
	t.Helper()
	dir = testkit.BackendDir(t, "")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "burners.py"), []byte(burners), 0o600))
	cmd := testkit.LaunchIn(t, dir, nil, testkit.Interpreter(t), "burners.py", kind)
	require.Eventually(t, func() bool { return config.Exists(filepath.Join(dir, "up")) }, testkit.Patience, 10*time.Millisecond)
	return cmd.Process.Pid, dir
}

func TestTheWorkOfAChildIsTheTreesWork(t *testing.T) {
	for _, kind := range []string{"burn", "deep"} {
		pid, _ := startBurners(t, kind)
		first, _, err := Measure(pid, Usage{}, 0, false, new(memory.Meter))
		require.NoError(t, err)
		require.Zero(t, first.CPU)
		begun := time.Now()
		require.Eventually(t, func() bool {
			u, _, err := Measure(pid, first, time.Since(begun), false, new(memory.Meter))
			return err == nil && u.Total >= first.Total+300*time.Millisecond && u.CPU > 0 && u.CPU < 3
		}, testkit.Patience, 50*time.Millisecond)
	}
}

func TestMemoryIsReadOfTheWholeTreeAndOfManyProcessesOnlyWhenAsked(t *testing.T) {
	pid, dir := startBurners(t, "hold")
	require.Eventually(t, func() bool { return config.Exists(filepath.Join(dir, "ready")) }, testkit.Patience, 10*time.Millisecond)
	whole, _, err := Measure(pid, Usage{}, 0, true, new(memory.Meter))
	require.NoError(t, err)
	require.Greater(t, whole.RSS, uint64(64<<20), "the child's 64 MiB are in it")
	require.Greater(t, whole.Held, uint64(64<<20))
	require.Less(t, whole.Held, whole.Memory, "the interpreter itself is mapped from its file")
	require.Equal(t, 3, whole.Procs, "leader, child and resource tracker")
	again, _, err := Measure(pid, Usage{Memory: 44, Held: 43, RSS: 42}, time.Second, false, new(memory.Meter))
	require.NoError(t, err)
	require.Greater(t, again.RSS, uint64(64<<20), "three processes are few")
	pid, _ = startBurners(t, "kinds")
	many, _, err := Measure(pid, Usage{Memory: 44, Held: 43, RSS: 42}, time.Second, false, new(memory.Meter))
	require.NoError(t, err)
	require.Greater(t, many.Procs, few)
	require.Equal(t, []uint64{44, 43, 42}, []uint64{many.Memory, many.Held, many.RSS}, "as it was")
}

func TestWorkersAreToldFromHelpersAndPrograms(t *testing.T) {
	pid, _ := startBurners(t, "kinds")
	var children []Child
	interpreters := func() (n int) {
		for _, c := range children {
			if c.Interpreter {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { // a fork counts once it has settled
		var err error
		_, children, err = Measure(pid, Usage{}, 0, false, new(memory.Meter))
		return err == nil && len(children) == 5 && interpreters() == 2
	}, testkit.Patience, 50*time.Millisecond)
	for _, c := range children {
		p, err := proc.Find(c.PID)
		require.NoError(t, err)
		require.False(t, p.Zombie)
		require.Equal(t, p.Stamp, c.Stamp)
		require.Equal(t, p.Name, c.Name)
	}
	victim := children[0]
	for _, c := range children {
		if c.Interpreter {
			victim = c
		}
	}
	p, err := proc.Find(victim.PID)
	require.NoError(t, err)
	require.NoError(t, proc.Signal(p, syscall.SIGKILL))
	require.Eventually(t, func() bool {
		_, after, err := Measure(pid, Usage{}, 0, false, new(memory.Meter))
		gone := Vanished(children, after)
		return err == nil && len(gone) == 1 && gone[0] == victim
	}, testkit.Patience, 20*time.Millisecond)
}

func TestAProcessThatEndedCannotBeMeasured(t *testing.T) {
	cmd := testkit.LaunchIn(t, t.TempDir(), nil, "sleep", "3600")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	prev := Usage{CPU: 0.3, Total: time.Second, RSS: 7, Procs: 2}
	u, children, err := Measure(cmd.Process.Pid, prev, time.Second, true, new(memory.Meter))
	require.ErrorIs(t, err, proc.ErrGone)
	require.ErrorContains(t, err, strconv.Itoa(cmd.Process.Pid))
	require.Equal(t, prev, u, "what was known stays")
	require.Nil(t, children)
}

func BenchmarkTreeUsage(b *testing.B) {
	for _, kind := range []string{"none", "kinds"} {
		pid, _ := startBurners(b, kind)
		for _, whole := range []bool{false, true} {
			b.Run(kind+"/whole="+strconv.FormatBool(whole), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := Measure(pid, Usage{}, 0, whole, new(memory.Meter)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

package keeper

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// python is a real interpreter: a shim of pyenv would be one process more.
var python = sync.OnceValue(func() string {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

func pythonSpec(t testing.TB, dir, script string) Spec {
	t.Helper()
	if python() == "" {
		t.Skip("skipped: there is no python3 here")
	}
	path := filepath.Join(dir, "server.py")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	s := shell(dir, "")
	s.Argv = []string{python(), "-u", path}
	return s
}

// said waits until the log says what.
func said(t testing.TB, s Spec, what string) {
	t.Helper()
	eventually(t, func() bool { return regexp.MustCompile(what).MatchString(logOf(t, s)) }, what)
}

// stopped stops the run and wants that nothing is left of it.
func stopped(t testing.TB, c *Conn, run Run, l Ladder) Exit {
	t.Helper()
	mine := carriers(t, run.ID)
	require.NotEmpty(t, mine)
	require.NoError(t, c.Stop(run.ID, l))
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.True(t, e.Asked)
	require.True(t, e.Known)
	for _, p := range mine {
		require.False(t, proc.Alive(p), "%+v", p)
	}
	require.Empty(t, carriers(t, run.ID))
	return e
}

func TestAStopIsASignalToTheLeaderFirst(t *testing.T) {
	t.Parallel()
	for sig, code := range map[syscall.Signal]string{0: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP"} {
		dir := stateDir(t)
		c := launched(t, dir)
		s := shell(dir, `trap 'echo got INT; exit 3' INT; trap 'echo got TERM; exit 3' TERM; trap 'echo got HUP; exit 3' HUP; echo up; while :; do sleep 0.05; done`)
		run, err := c.Spawn(soon(t), s)
		require.NoError(t, err)
		said(t, s, "up")
		e := stopped(t, c, run, Ladder{Signal: sig, Grace: patience})
		require.Equal(t, 3, e.Code)
		require.Equal(t, "up\ngot "+code+"\n", logOf(t, s))
	}
}

func TestAServerThatIgnoresEverythingIsKilled(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := spec(dir, "stubborn")
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	said(t, s, "ready")
	e := stopped(t, c, run, Ladder{Grace: 100 * time.Millisecond})
	require.Equal(t, syscall.SIGKILL, e.Signal)
}

func TestASecondStopCutsTheGraceShort(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := shell(dir, `trap 'n=$((n+1)); echo got $n; [ $n = 2 ] && exit 0' INT; echo up; while :; do sleep 0.05; done`)
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	said(t, s, "up")
	require.NoError(t, c.Stop(run.ID, Ladder{Grace: time.Hour}))
	said(t, s, "got 1")
	require.NoError(t, c.Stop(run.ID, Ladder{Grace: time.Hour}), "again with grace changes nothing")
	require.NoError(t, c.Stop(run.ID, Ladder{}))
	require.NoError(t, c.Stop(run.ID, Ladder{}), "more hurry than that there is not")
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.True(t, e.Asked)
	require.Zero(t, e.Code)
	require.Contains(t, logOf(t, s), "got 2")
}

func TestAStopTakesTheWholeFamily(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"same group":          `sleep 1001 & sleep 1002 & echo up; wait`,
		"own session":         `setsid sleep 1001 & setsid sh -c "sleep 1002; :" & echo up; wait`,
		"no environment":      `env -i setsid sleep 1001 & env -i sh -c 'sleep 1002; :' & echo up; wait`,
		"orphans":             `(setsid env -i sleep 1001 &) ; (sleep 1002 &); echo up; exec sleep 1003`,
		"deaf grandchildren":  `sh -c 'trap "" INT TERM; sleep 1001; :' & echo up; trap 'exit 0' INT; wait`,
		"a stopped child":     `sleep 1001 & kill -STOP $!; echo up; wait`,
		"forks while it ends": `trap 'sleep 1001 & exit 0' INT TERM; echo up; while :; do sleep 0.05; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			c := launched(t, dir)
			s := shell(dir, script)
			run, err := c.Spawn(soon(t), s)
			require.NoError(t, err)
			said(t, s, "up")
			stopped(t, c, run, Ladder{Grace: 200 * time.Millisecond})
			keeper, _ := c.Keeper()
			all, err := proc.Processes()
			require.NoError(t, err)
			for _, p := range all {
				require.False(t, p.PPID == keeper && !p.Zombie, "%+v", p)
			}
		})
	}
}

const lockScript = `
import multiprocessing as mp, os, signal, sys, time
def child(locks):
    if %s: os.setsid()
    time.sleep(1000)
if __name__ == "__main__":
    ctx = mp.get_context("spawn")
    locks = [ctx.Lock() for _ in range(10)]
    for l in locks: print("sem", l._semlock.name, flush=True)
    p = ctx.Process(target=child, args=(locks,)); p.start()
    %s
    print("up", flush=True)
    time.sleep(1000)
`

func TestNoSemaphoreIsLeftBehind(t *testing.T) {
	needsProc(t)
	t.Parallel()
	for name, script := range map[string][2]string{
		"an obedient server": {"False", ""},
		"a deaf server":      {"False", "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)"},
		"a setsid child":     {"True", "signal.signal(signal.SIGINT, signal.SIG_IGN)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			c := launched(t, dir)
			s := pythonSpec(t, dir, strings.Replace(strings.Replace(lockScript, "%s", script[0], 1), "%s", script[1], 1))
			run, err := c.Spawn(soon(t), s)
			require.NoError(t, err)
			said(t, s, "up")
			eventually(t, func() bool { return len(carriers(t, run.ID)) >= 3 }, "server, child, tracker")
			names := regexp.MustCompile(`sem /(\S+)`).FindAllStringSubmatch(logOf(t, s), -1)
			require.Len(t, names, 10)
			for _, n := range names {
				require.FileExists(t, "/dev/shm/sem."+n[1])
			}
			stopped(t, c, run, Ladder{Grace: 200 * time.Millisecond})
			for _, n := range names {
				require.NoFileExists(t, "/dev/shm/sem."+n[1])
			}
		})
	}
}

func TestACrashLeavesTheTrackerItsTime(t *testing.T) {
	needsProc(t)
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := pythonSpec(t, dir, strings.Replace(strings.Replace(lockScript, "%s", "True", 1), "%s", "", 1))
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	said(t, s, "up")
	names := regexp.MustCompile(`sem /(\S+)`).FindAllStringSubmatch(logOf(t, s), -1)
	require.Len(t, names, 10)
	require.NoError(t, syscall.Kill(run.PID, syscall.SIGKILL))
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.NoError(t, c.Forget(run.ID))
	_, err = c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	eventually(t, func() bool { return len(carriers(t, run.ID)) == 0 })
	for _, n := range names {
		require.NoFileExists(t, "/dev/shm/sem."+n[1])
	}
}

func TestAStopGoesOnWithoutTheOneWhoAsked(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := spec(dir, "stubborn")
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	said(t, s, "ready")
	require.NoError(t, c.Close())
	cmd, line := clientProcess(t, dir, "stop")
	require.Equal(t, "attached", line())
	require.Equal(t, "stopping", line())
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	c, err = Attach(soon(t), dir)
	require.NoError(t, err)
	require.True(t, c.Stopping())
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.True(t, e.Asked)
	require.Equal(t, syscall.SIGKILL, e.Signal)
	require.Empty(t, carriers(t, run.ID))
	require.False(t, c.Stopping())
}

func TestAStopOfARunThatEndedEndsWhatItLeft(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), shell(dir, "sh -c 'trap \"\" TERM; sleep 1001; :' & exit 9"))
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.False(t, e.Asked)
	require.NotEmpty(t, carriers(t, run.ID))
	require.NoError(t, c.Stop(run.ID, Ladder{}))
	require.NoError(t, c.Forget(run.ID))
	next, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err, "the start waits until the ladder is climbed")
	require.Empty(t, carriers(t, run.ID))
	require.NotEmpty(t, carriers(t, next.ID), "which does not end the new run")
	require.ErrorIs(t, c.Stop(run.ID, Ladder{}), ErrUnknownRun)
}

func TestSIGTERMToTheKeeperStopsTheServerAndLeaves(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := shell(dir, `trap 'echo bye; exit 0' INT; echo up; while :; do sleep 0.05; done`)
	_, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	said(t, s, "up")
	p := ofKeeper(t, c)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGTERM} {
		require.NoError(t, proc.Signal(p, sig))
	}
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.True(t, e.Asked)
	require.Zero(t, e.Code)
	eventually(t, func() bool { return !proc.Alive(p) })
	require.Equal(t, "up\nbye\n", logOf(t, s))
}

func TestEndEndsAStaleServerAndAllItsKin(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := shell(dir, `trap '' INT; setsid sleep 1001 & sh -c 'trap "" TERM; sleep 1002; :' & (sleep 1003 &); echo up; while :; do sleep 0.05; done`)
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	said(t, s, "up")
	mine := carriers(t, run.ID)
	require.GreaterOrEqual(t, len(mine), 5)
	killKeeper(t, ofKeeper(t, c))
	require.NoError(t, End(soon(t), run, Ladder{Grace: 50 * time.Millisecond}))
	for _, p := range mine {
		require.False(t, proc.Alive(p), "%+v", p)
	}
	require.Empty(t, carriers(t, run.ID))
	require.NoError(t, End(soon(t), run, Ladder{}), "again there is nothing to do")
}

func TestEndTouchesNoStranger(t *testing.T) {
	t.Parallel()
	stranger := exec.Command("sleep", "1000")
	require.NoError(t, stranger.Start())
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	p, err := proc.Find(stranger.Process.Pid)
	require.NoError(t, err)
	for _, r := range []Run{{ID: "x", PID: p.PID, Stamp: "another"}, {ID: "x", PID: p.PID}, {ID: "x", PID: 1, Stamp: "1"}, {ID: "x"}} {
		require.NoError(t, End(soon(t), r, Ladder{}))
	}
	require.NoError(t, EndAll(soon(t), []proc.Process{{PID: p.PID, Stamp: "another"}, {PID: os.Getpid(), Stamp: "mine"}}, Ladder{}))
	require.True(t, proc.Alive(p))
	require.ErrorIs(t, proc.Signal(proc.Process{PID: p.PID, Stamp: "another"}, syscall.SIGKILL), proc.ErrGone)
	require.True(t, proc.Alive(p))
}

func TestHandStartedCopiesEndTopmostFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	// A parent as of --reload: it ends its child itself when it is asked to.
	cmd := exec.Command("/bin/sh", "-c", `sh -c 'trap "echo child >>'$OUT'; exit" INT TERM; while :; do sleep 0.05; done' & trap "echo parent >>$OUT; kill -TERM $!; wait; exit" INT; echo up >>$OUT; while :; do sleep 0.05; done`)
	cmd.Env = append(os.Environ(), "OUT="+out)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	go cmd.Wait()
	eventually(t, func() bool { b, _ := os.ReadFile(out); return string(b) == "up\n" })
	parent, err := proc.Find(cmd.Process.Pid)
	require.NoError(t, err)
	var child proc.Process
	eventually(t, func() bool {
		all, err := proc.Processes()
		require.NoError(t, err)
		for _, p := range all {
			if argv, _ := proc.Args(p.PID); p.PPID == parent.PID && len(argv) > 2 && strings.Contains(argv[2], "echo child") {
				child = p
			}
		}
		return child.PID != 0
	})
	time.Sleep(100 * time.Millisecond) // the child's trap
	bystander := exec.Command("sleep", "1000")
	bystander.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: parent.PID}
	require.NoError(t, bystander.Start())
	defer func() { _ = bystander.Process.Kill(); _ = bystander.Wait() }()

	require.NoError(t, EndAll(soon(t), []proc.Process{child, parent}, Ladder{Grace: patience}))
	require.False(t, proc.Alive(parent))
	require.False(t, proc.Alive(child))
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "up\nparent\nchild\n", string(b))
	p, err := proc.Find(bystander.Process.Pid)
	require.NoError(t, err)
	require.True(t, proc.Alive(p), "the group of a shell is not ours")
}

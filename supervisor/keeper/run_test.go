package keeper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func playStubborn() int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	os.Stdout.WriteString("ready\n")
	time.Sleep(time.Hour)
	return 0
}

// playClient is an app that is going to be killed: args are the folder, the keeper, and what to do.
func playClient(args []string) int {
	dir, program := args[0], args[1]
	ctx := context.Background()
	c, err := Attach(ctx, dir)
	if errors.Is(err, ErrNone) {
		c, err = Launch(ctx, program, dir)
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println("attached")
	switch args[2] {
	case "hold":
	case "spawn":
		if _, running := c.Current(); running {
			break
		}
		run, err := c.Spawn(ctx, spec(dir, args[3]))
		if err != nil {
			fmt.Println("error:", err)
			return 1
		}
		fmt.Println("spawned", run.PID)
	case "stop":
		run, _ := c.Current()
		if err := c.Stop(run.ID, Ladder{Grace: 300 * time.Millisecond}); err != nil {
			fmt.Println("error:", err)
			return 1
		}
		fmt.Println("stopping")
	}
	time.Sleep(time.Hour)
	return 0
}

func TestARunTellsHowItEnded(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := shell(dir, "echo out; echo err >&2; printf last; exit 3")
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	require.NotZero(t, run.PID)
	require.NotEmpty(t, run.Stamp)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.True(t, e.Known)
	require.False(t, e.Asked)
	require.Equal(t, 3, e.Code)
	require.Equal(t, run.ID, e.Run.ID)
	require.False(t, e.At.Before(run.Started))
	require.Equal(t, []string{"out", "err", "last"}, e.Tail)
	require.Equal(t, "out\nerr\nlast", logOf(t, s))

	require.NoError(t, c.Forget(run.ID))
	next, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	require.NotEqual(t, run.ID, next.ID)
	e, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, next.ID, e.Run.ID)
	require.Equal(t, []string{"out", "err", "last"}, e.Tail, "a tail belongs to one run")
	require.Equal(t, "out\nerr\nlast\nout\nerr\nlast", logOf(t, s), "a new run begins on a line of its own")
}

func TestASecondRunIsRefused(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	_, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	_, err = c.Spawn(soon(t), spec(dir, "sleep"))
	require.ErrorIs(t, err, ErrRunning)
	require.ErrorIs(t, c.Stop("another", Ladder{}), ErrUnknownRun)
}

func TestWhatCannotBeStartedSaysWhy(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("not a program\n"), 0o700))
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600))
	good := shell(dir, "exit 0")
	for name, row := range map[string]struct {
		change func(*Spec)
		path   string
		err    error
	}{
		"no such program":    {func(s *Spec) { s.Argv = []string{"/no/such"} }, "/no/such", syscall.ENOENT},
		"not a program":      {func(s *Spec) { s.Argv = []string{text} }, text, syscall.ENOEXEC},
		"not executable":     {func(s *Spec) { s.Argv = []string{plain} }, plain, syscall.EACCES},
		"no such folder":     {func(s *Spec) { s.Dir = "/no/such" }, "/no/such", syscall.ENOENT},
		"not a folder":       {func(s *Spec) { s.Dir = text }, text, syscall.ENOTDIR},
		"no argv":            {func(s *Spec) { s.Argv = nil }, "", nil},
		"a relative program": {func(s *Spec) { s.Argv = []string{"sh"} }, "sh", nil},
		"a relative log":     {func(s *Spec) { s.Log = "x.log" }, "x.log", nil},
		"a log in a file":    {func(s *Spec) { s.Log = text + "/x" }, text + "/x", syscall.ENOTDIR},
		"a log that is none": {func(s *Spec) { s.Log = dir }, dir, syscall.EISDIR},
	} {
		s := good
		row.change(&s)
		_, err := c.Spawn(soon(t), s)
		var se *SpawnError
		require.ErrorAs(t, err, &se, name)
		require.Equal(t, row.path, se.Path, name)
		if row.err != nil {
			require.ErrorIs(t, err, row.err, name)
		}
	}
	run, err := c.Spawn(soon(t), good)
	require.NoError(t, err, "a failed start is no run that would have to be forgotten")
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, run.ID, e.Run.ID)
}

func TestAFailedStartLeavesNoNews(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), shell(dir, "exit 0"))
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.NoError(t, c.Forget(run.ID))
	_, err = c.Spawn(soon(t), Spec{Argv: []string{"/no/such"}, Dir: dir, Log: filepath.Join(dir, "l")})
	require.Error(t, err)
	p := ofKeeper(t, c)
	require.NoError(t, c.Close())
	killKeeper(t, p)
	_, err = Attach(soon(t), dir)
	require.ErrorIs(t, err, ErrNone)
	last, ok := (records{dir}).last()
	require.True(t, ok)
	require.Equal(t, run.ID, last.ID, "what it left behind can still be found")
}

func TestARunThatDiesAtOnceIsToldOfFirstAndThenItsEnd(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	for i := range 100 {
		run, err := c.Spawn(soon(t), shell(dir, "exit "+strconv.Itoa(i)))
		require.NoError(t, err)
		e, err := c.Wait(soon(t))
		require.NoError(t, err)
		require.Equal(t, run.ID, e.Run.ID)
		require.Equal(t, run.PID, e.Run.PID)
		require.NotEmpty(t, e.Run.Stamp)
		require.True(t, e.Known)
		require.Equal(t, i, e.Code)
		_, running := c.Current()
		require.False(t, running)
		require.NoError(t, c.Forget(run.ID))
	}
}

func TestAChildStartsWithACleanSlate(t *testing.T) {
	needsProc(t)
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	// The keeper below a shell that ignores signals and leaves descriptors open, as GUI toolkits do.
	self, err := os.Executable()
	require.NoError(t, err)
	script := fmt.Sprintf(`trap '' INT HUP QUIT TERM PIPE TSTP TTIN TTOU XFSZ; exec 7</etc/passwd 9>/dev/null; exec %q %q`, self, dir)
	p := shortKeeperBy(t, dir, script)
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	require.NoError(t, err)
	for _, fd := range fds {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.PID, fd.Name()))
		require.NotEqual(t, "/etc/passwd", target)
	}

	s := shell(dir, "grep -E '^Sig(Ign|Blk)' /proc/self/status; ls -l /proc/self/fd; ulimit -Sn; cat; readlink /proc/self/cwd; ps -o pgid= -p $$; echo pid $$; echo run $VIVARIUM_RUN")
	s.Env = append(s.Env, "VIVARIUM_RUN=of-another")
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	out := logOf(t, s)
	require.Regexp(t, `SigIgn:\s+0{7}[01][08]0{7}\n`, out)
	require.Regexp(t, `SigBlk:\s+0+\n`, out)
	require.Regexp(t, ` 0 -> /dev/null\n`, out)
	require.Regexp(t, ` 1 -> pipe:`, out)
	require.Regexp(t, ` 2 -> pipe:`, out)
	require.NotRegexp(t, ` ([4-9]|\d\d) -> `, out, "3 is the listing itself")
	require.Contains(t, out, "run "+run.ID+"\n")
	require.Contains(t, out, "pid "+strconv.Itoa(run.PID)+"\n")
	require.Regexp(t, regexp.MustCompile(`(?m)^\s*`+strconv.Itoa(run.PID)+`$`), out, "it leads its group")
	resolved, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	require.Contains(t, out, resolved+"\n")
	var lim syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim))
	require.Contains(t, out, strconv.FormatUint(min(lim.Max, maxOpenFiles), 10)+"\n")
}

// shortKeeperBy starts a keeper of this test program through a shell script.
func shortKeeperBy(t testing.TB, dir, script string) proc.Process {
	t.Helper()
	cmd := shellCommand(script)
	cmd.Env = append(os.Environ(), "KEEPER_TEST_ROLE=keep", "KEEPER_TEST_IDLE=1m")
	stderr, err := openKeeperLog(filepath.Join(dir, logFile))
	require.NoError(t, err)
	defer stderr.Close()
	cmd.Stderr = stderr
	require.NoError(t, cmd.Start())
	p, err := proc.Find(cmd.Process.Pid)
	require.NoError(t, err)
	go cmd.Wait()
	t.Cleanup(func() { endKeeper(t, dir, p) })
	eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, sockFile)); return err == nil })
	return p
}

func TestTheKeeperItselfCarriesNothingOfThePersonsEnvironment(t *testing.T) {
	needsProc(t)
	t.Setenv("DYLD_INSERT_LIBRARIES", "/x/libomp.dylib")
	t.Setenv("VIVARIUM_RUN", "outer")
	t.Setenv("MY_SECRET", "x")
	dir := stateDir(t)
	c := launched(t, dir)
	p := ofKeeper(t, c)
	env, err := proc.Environ(p.PID)
	require.NoError(t, err)
	for _, v := range env {
		require.False(t, strings.HasPrefix(v, "DYLD_") || strings.HasPrefix(v, proc.RunVariable) || strings.HasPrefix(v, "MY_"), v)
	}
	require.Empty(t, proc.RunOf(p.PID))
	s := shell(dir, "env")
	_, err = c.Spawn(soon(t), s)
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.Contains(t, logOf(t, s), "DYLD_INSERT_LIBRARIES=/x/libomp.dylib\n", "but its child gets it")

	argv, err := proc.Args(p.PID)
	require.NoError(t, err)
	require.Regexp(t, `/bin/vivarium-keeper-[0-9a-f]{12}$`, argv[0])
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	require.NoError(t, err)
	resolved, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	require.Equal(t, resolved, cwd)
	for fd, want := range map[int]string{0: os.DevNull, 1: os.DevNull, 2: filepath.Join(resolved, logFile)} {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", p.PID, fd))
		require.NoError(t, err)
		require.Equal(t, want, target)
	}
	sid, err := getsid(p.PID)
	require.NoError(t, err)
	require.Equal(t, p.PID, sid, "it leads a session of its own")
}

func TestOldCopiesGoWhenNobodyRunsThem(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	bin := filepath.Join(dir, "..", "..", "bin")
	copies := func() []string {
		list, err := filepath.Glob(filepath.Join(bin, binName+"*"))
		require.NoError(t, err)
		slices.Sort(list)
		return list
	}
	require.Len(t, copies(), 1)
	used := copies()[0]
	require.NoError(t, os.WriteFile(filepath.Join(bin, binName+"000000000000"), []byte("old"), 0o700))
	b, err := os.ReadFile(keeperProgram)
	require.NoError(t, err)
	newer := filepath.Join(t.TempDir(), "newer")
	require.NoError(t, os.WriteFile(newer, append(b, "\n# newer"...), 0o700))
	other := filepath.Join(filepath.Dir(dir), "ba9876543210")
	c2, err := Launch(soon(t), newer, other)
	require.NoError(t, err)
	p2 := ofKeeper(t, c2)
	t.Cleanup(func() { c2.Close(); endKeeper(t, other, p2) })
	require.Len(t, copies(), 2)
	require.Contains(t, copies(), used, "a keeper runs it")
	require.True(t, c.Live())
}

func TestNothingIsLostWhenTheClientIsKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	require.NoError(t, c.Close())
	s := spec(dir, "count")
	var first Run
	for i := range 30 {
		cmd, said := clientProcess(t, dir, "spawn", "count")
		if i == 0 {
			require.Equal(t, "attached", said())
			require.True(t, strings.HasPrefix(said(), "spawned"))
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		if i == 0 {
			c, err := Attach(soon(t), dir)
			require.NoError(t, err)
			var running bool
			first, running = c.Current()
			require.True(t, running)
			require.NoError(t, c.Close())
		}
	}
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	defer c.Close()
	now, running := c.Current()
	require.True(t, running)
	require.Equal(t, first.ID, now.ID)
	require.Equal(t, first.PID, now.PID)
	require.NoError(t, c.Stop(now.ID, Ladder{}))
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	requireCounted(t, logOf(t, s))
}

// requireCounted wants "line 0", "line 1" and so on, none missing.
func requireCounted(t *testing.T, log string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	require.Greater(t, len(lines), 10)
	for i, l := range lines {
		require.Equal(t, fmt.Sprintf("line %d", i), l)
	}
}

func TestAClientKilledWhileItStartsTheServerLeavesOneServer(t *testing.T) {
	t.Parallel()
	for range 15 {
		dir := stateDir(t)
		c := launched(t, dir)
		require.NoError(t, c.Close())
		cmd, _ := clientProcess(t, dir, "spawn", "count")
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		c, err := Attach(soon(t), dir)
		require.NoError(t, err)
		run, running := c.Current()
		again, err := c.Spawn(soon(t), spec(dir, "count"))
		if running {
			require.ErrorIs(t, err, ErrRunning)
		} else {
			require.NoError(t, err)
			run = again
		}
		all, err := proc.Processes()
		require.NoError(t, err)
		keeper, _ := c.Keeper()
		children := slices.DeleteFunc(all, func(p proc.Process) bool { return p.PPID != keeper || p.Zombie })
		require.Len(t, children, 1)
		require.Equal(t, run.PID, children[0].PID)
		require.NoError(t, c.Close())
	}
}

func TestWhoAttachesInTheMiddleOfAStartIsToldOfTheRun(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), shell(dir, `sh -c 'trap "" TERM; echo deaf; sleep 1001; :' & sleep 0.3; exit 1`))
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.NotEmpty(t, carriers(t, run.ID))
	require.NoError(t, c.Close())

	w := dialled(t, dir)
	require.Equal(t, "hello", w.hear()["type"])
	sleeper := spec(dir, "sleep")
	_, err = w.conn.Write(append(message{Type: typeForget, ID: 1, RunID: run.ID}.encode(), message{Type: typeSpawn, ID: 2, Spec: &sleeper}.encode()...))
	require.NoError(t, err)
	require.NoError(t, w.conn.Close()) // it takes a second until the deaf one is gone
	c, err = Attach(soon(t), dir)
	require.NoError(t, err)
	now, running := c.Current()
	require.True(t, running)
	require.NotEqual(t, run.ID, now.ID)
	require.Empty(t, carriers(t, run.ID))
	require.NoError(t, c.Close())
}

func TestDeathIsToldAtOnceThoughAGrandchildHoldsThePipe(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := shell(dir, "(sleep 2; echo late; sleep 1000) & echo early; exit 4")
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, 4, e.Code)
	require.Equal(t, []string{"early"}, e.Tail)
	require.Equal(t, "early\n", logOf(t, s), "it is told before the grandchild says more")
	eventually(t, func() bool { return logOf(t, s) == "early\nlate\n" }, "the pipe is served on")
	require.NotEmpty(t, carriers(t, run.ID))

	require.NoError(t, c.Forget(run.ID))
	next, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	require.Empty(t, carriers(t, run.ID), "what is left is ended before the next start")
	eventually(t, func() bool { return len(carriers(t, next.ID)) > 0 })
}

func TestTheLastTracebackIsInTheTail(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	for range 20 {
		run, err := c.Spawn(soon(t), shell(dir, `i=0; while [ $i -lt 200 ]; do echo "frame $i"; i=$((i+1)); done; printf 'ValueError: the last'; kill -9 $$`))
		require.NoError(t, err)
		e, err := c.Wait(soon(t))
		require.NoError(t, err)
		require.Len(t, e.Tail, 201)
		require.Equal(t, "ValueError: the last", e.Tail[200])
		require.NoError(t, c.Forget(run.ID))
	}
}

func TestTheTailIsAsLongAsTheSpecSays(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	for _, tail := range []int{0, 1000, 300_000} {
		s := spec(dir, "flood", "500000", "700")
		s.Tail = tail
		run, err := c.Spawn(soon(t), s)
		require.NoError(t, err)
		e, err := c.Wait(soon(t))
		require.NoError(t, err)
		want := tail
		if tail == 0 {
			want = defaultTail
		}
		size := 0
		for i, l := range e.Tail {
			size += len(l) + 1
			require.True(t, i == len(e.Tail)-1 || len(l) == 99, "whole lines")
		}
		require.InDelta(t, want, size, 101)
		require.NoError(t, c.Forget(run.ID))
	}
}

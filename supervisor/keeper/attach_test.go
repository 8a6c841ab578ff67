package keeper

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// ofKeeper is the keeper's process.
func ofKeeper(t testing.TB, c *Conn) proc.Process {
	t.Helper()
	pid, _ := c.Keeper()
	p, err := proc.Find(pid)
	require.NoError(t, err)
	return p
}

func killKeeper(t testing.TB, p proc.Process) {
	t.Helper()
	require.NoError(t, proc.Signal(p, syscall.SIGKILL))
	eventually(t, func() bool { return !proc.Alive(p) })
}

func TestWithoutAFolderThereIsNoKeeper(t *testing.T) {
	_, err := Attach(soon(t), filepath.Join(t.TempDir(), "b", "none"))
	require.ErrorIs(t, err, ErrNone)
}

func TestWithoutRecordsThereIsNoNews(t *testing.T) {
	dir := t.TempDir()
	lock, err := Lock(filepath.Join(dir, lockFile))
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	_, err = Attach(soon(t), dir)
	require.ErrorIs(t, err, ErrNone)
}

func TestAKeeperThatAnswersTellsOfItsRun(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	before := ofKeeper(t, c)
	require.NoError(t, c.Close())

	c, err = Attach(soon(t), dir)
	require.NoError(t, err)
	defer c.Close()
	require.True(t, c.Live())
	again, ok := c.Current()
	require.True(t, ok)
	require.Equal(t, run.ID, again.ID)
	require.Equal(t, run.PID, again.PID)
	require.Equal(t, run.Stamp, again.Stamp)
	require.True(t, run.Started.Equal(again.Started))
	require.Equal(t, before.PID, ofKeeper(t, c).PID)
	_, version := c.Keeper()
	require.Equal(t, Version, version)
}

func TestAnExitIsToldAtEveryAttachUntilItIsForgotten(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), shell(dir, "exit 7"))
	require.NoError(t, err)
	for range 3 {
		for range 2 {
			e, err := c.Wait(soon(t))
			require.NoError(t, err)
			require.Equal(t, 7, e.Code)
		}
		_, err = c.Spawn(soon(t), shell(dir, "exit 8"))
		require.ErrorIs(t, err, ErrUnforgotten)
		require.NoError(t, c.Close())
		c, err = Attach(soon(t), dir)
		require.NoError(t, err)
		_, running := c.Current()
		require.False(t, running)
	}
	require.ErrorIs(t, c.Forget("another"), ErrUnknownRun)
	require.NoError(t, c.Forget(run.ID))
	require.NoError(t, c.Close())
	c, err = Attach(soon(t), dir)
	require.NoError(t, err)
	_, err = c.Spawn(soon(t), shell(dir, "exit 8"))
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, 8, e.Code)
}

func TestASilentKeeperIsAnErrorAndGetsNoSignal(t *testing.T) {
	needsProc(t)
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	_, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	p := ofKeeper(t, c)
	require.NoError(t, c.Close())
	require.NoError(t, proc.Signal(p, syscall.SIGSTOP))
	eventually(t, func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
		return err == nil && strings.Contains(string(b), ") T ")
	})
	_, err = Attach(soon(t), dir)
	require.ErrorIs(t, err, ErrSilent)
	require.True(t, proc.Alive(p))
	require.NoError(t, proc.Signal(p, syscall.SIGCONT))
	eventually(t, func() bool { // what connected meanwhile and left is swept first
		c, err = Attach(soon(t), dir)
		return err == nil
	})
	require.NoError(t, c.Close())
}

func TestALockWithoutASocketIsASilentKeeper(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := Lock(filepath.Join(dir, lockFile))
	require.NoError(t, err)
	defer lock.Close()
	_, err = Attach(soon(t), dir)
	require.ErrorIs(t, err, ErrSilent)
}

func TestAKeeperThatIsJustStartingIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	lock, err := Lock(filepath.Join(dir, lockFile))
	require.NoError(t, err)
	defer lock.Close()
	go func() {
		time.Sleep(300 * time.Millisecond)
		ln, err := ListenUnix(filepath.Join(dir, sockFile))
		if err != nil {
			return
		}
		conn, err := ln.Accept()
		if err == nil {
			fmt.Fprintln(conn, `{"type":"hello","proto":1,"version":"9","pid":42}`)
		}
	}()
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	pid, version := c.Keeper()
	require.Equal(t, 42, pid)
	require.Equal(t, "9", version)
}

func TestAnExitThatHappenedAwayIsToldFromTheRecords(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), shell(dir, "echo dying; kill -SEGV $$"))
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	p := ofKeeper(t, c)
	require.NoError(t, c.Close())
	killKeeper(t, p)

	c, err = Attach(soon(t), dir)
	require.NoError(t, err)
	require.False(t, c.Live())
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.True(t, e.Known)
	require.Equal(t, syscall.SIGSEGV, e.Signal)
	require.Equal(t, []string{"dying"}, e.Tail)
	_, err = c.Spawn(soon(t), shell(dir, "true"))
	require.ErrorIs(t, err, ErrNone)
	require.ErrorIs(t, c.Stop(run.ID, Ladder{}), ErrNone)
	require.NoError(t, c.Forget(run.ID))
	_, err = Attach(soon(t), dir)
	require.ErrorIs(t, err, ErrNone)
}

func TestANewKeeperTellsTheNewsOfTheOldOne(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), shell(dir, "exit 5"))
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	killKeeper(t, ofKeeper(t, c))
	c = launched(t, dir)
	require.True(t, c.Live())
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, 5, e.Code)
	_, err = c.Spawn(soon(t), shell(dir, "true"))
	require.ErrorIs(t, err, ErrUnforgotten)
	require.NoError(t, c.Forget(run.ID))
	_, err = c.Spawn(soon(t), shell(dir, "true"))
	require.NoError(t, err)
}

func TestALostKeeperIsNoticedAndItsServerEnded(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	server, err := proc.Find(run.PID)
	require.NoError(t, err)
	killKeeper(t, ofKeeper(t, c))
	_, err = c.Wait(soon(t))
	require.ErrorIs(t, err, ErrLost)
	require.False(t, c.Live())
	require.True(t, proc.Alive(server), "a server does not die with its keeper")

	c, err = Attach(soon(t), dir)
	require.NoError(t, err)
	require.False(t, c.Live())
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.False(t, e.Known)
	require.Equal(t, run.PID, e.Run.PID)
	require.Equal(t, run.Stamp, e.Run.Stamp)
	require.NoError(t, End(soon(t), e.Run, Ladder{Grace: time.Second}))
	require.False(t, proc.Alive(server))
	require.NoError(t, c.Forget(run.ID))
	_, err = Attach(soon(t), dir)
	require.ErrorIs(t, err, ErrNone)
}

func TestANewKeeperEndsTheServerOfALostOneBeforeItStartsItsOwn(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	server, err := proc.Find(run.PID)
	require.NoError(t, err)
	killKeeper(t, ofKeeper(t, c))
	c = launched(t, dir)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.False(t, e.Known)
	require.NoError(t, c.Forget(run.ID))
	_, err = c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	require.False(t, proc.Alive(server), "never two at a time")
}

func TestTheRecordsOfAnotherBootAreNoNews(t *testing.T) {
	t.Parallel()
	for _, ended := range []bool{false, true} {
		dir := t.TempDir()
		r := records{dir}
		require.NoError(t, r.save(record{Run: Run{ID: "a", PID: os.Getpid()}, Boot: "another"}))
		if ended {
			require.NoError(t, r.ended(r.begin(), encodeExit(Exit{Run: Run{ID: "b"}})))
		}
		_, err := Attach(soon(t), dir)
		require.ErrorIs(t, err, ErrNone)
	}
}

func TestAnExitOfAnotherRunDoesNotCount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := records{dir}
	require.NoError(t, r.started(Run{ID: "new"}))
	require.NoError(t, r.ended(noFile, encodeExit(Exit{Run: Run{ID: "old"}, Known: true, Code: 1})))
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.False(t, e.Known)
	require.Equal(t, "new", e.Run.ID)
}

func TestRecordsThatAreNoJSONAreNoNews(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "\x00\x00", "{", "[]", `{"run":{}}`, `{"run":{"id":7}}`} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, runFile), []byte(content), 0o600))
		_, err := Attach(soon(t), dir)
		require.ErrorIs(t, err, ErrNone, "%q", content)
	}
}

func TestASecondClientIsToldWhoHoldsTheKeeper(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	launched(t, dir)
	_, err := Attach(soon(t), dir)
	var busy *BusyError
	require.ErrorAs(t, err, &busy)
	require.Equal(t, os.Getpid(), busy.PID)
	_, err = Launch(soon(t), keeperProgram, dir)
	require.ErrorAs(t, err, &busy)
}

func TestTheNextClientAttachesAsSoonAsTheFirstIsKilled(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	require.NoError(t, c.Close())
	for range 10 {
		cmd, said := clientProcess(t, dir, "hold")
		require.Equal(t, "attached", said())
		_, err := Attach(soon(t), dir)
		var busy *BusyError
		require.ErrorAs(t, err, &busy)
		require.Equal(t, cmd.Process.Pid, busy.PID)
		require.NoError(t, cmd.Process.Kill())
		c, err := Attach(soon(t), dir) // it may still be dying
		require.NoError(t, err)
		require.NoError(t, c.Close())
		_ = cmd.Wait()
	}
}

func TestTwoLaunchesMakeOneKeeper(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	type result struct {
		c   *Conn
		err error
	}
	results := make(chan result)
	for range 4 {
		go func() {
			c, err := Launch(t.Context(), keeperProgram, dir)
			results <- result{c, err}
		}()
	}
	var live []*Conn
	for range 4 {
		r := <-results
		var busy *BusyError
		if r.err != nil {
			require.ErrorAs(t, r.err, &busy)
			continue
		}
		live = append(live, r.c)
	}
	require.Len(t, live, 1)
	p := ofKeeper(t, live[0])
	t.Cleanup(func() { endKeeper(t, dir, p) })
	require.NoError(t, live[0].Close())
}

// clientProcess runs playClient in a process of its own; said returns its next line.
func clientProcess(t testing.TB, dir string, args ...string) (*exec.Cmd, func() string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, append([]string{dir, keeperProgram}, args...)...)
	cmd.Env = append(os.Environ(), "KEEPER_TEST_ROLE=client")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	lines := bufio.NewScanner(out)
	return cmd, func() string {
		if !lines.Scan() {
			return ""
		}
		return lines.Text()
	}
}

func TestTheKeeperLeavesWhenNobodyNeedsIt(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	p := shortKeeper(t, dir, "300ms")
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	time.Sleep(600 * time.Millisecond)
	require.True(t, proc.Alive(p), "it has a client")
	run, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	time.Sleep(600 * time.Millisecond)
	require.True(t, proc.Alive(p), "it has a child")
	require.NoError(t, syscall.Kill(run.PID, syscall.SIGKILL))
	eventually(t, func() bool { return !proc.Alive(p) })
	require.NoFileExists(t, filepath.Join(dir, sockFile))
	lock, err := Lock(filepath.Join(dir, lockFile))
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	c, err = Attach(soon(t), dir)
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, syscall.SIGKILL, e.Signal, "the news waits on disk")
}

func TestAKeeperThatLeavesEndsWhatItsRunLeftBehind(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	p := shortKeeper(t, dir, "200ms")
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	run, err := c.Spawn(soon(t), shell(dir, "sleep 1000 & exit 1"))
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.NotEmpty(t, carriers(t, run.ID))
	require.NoError(t, c.Close())
	eventually(t, func() bool { return !proc.Alive(p) })
	require.Empty(t, carriers(t, run.ID))
}

// shortKeeper is a keeper of this test program, whose patience without work is as said.
func shortKeeper(t testing.TB, dir, idle string, env ...string) proc.Process {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, dir)
	cmd.Env = append(append(os.Environ(), "KEEPER_TEST_ROLE=keep", "KEEPER_TEST_IDLE="+idle), env...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	stderr, err := openKeeperLog(filepath.Join(dir, logFile))
	require.NoError(t, err)
	defer stderr.Close()
	cmd.Stderr = stderr
	require.NoError(t, cmd.Start())
	word, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, sayReady, strings.TrimSpace(word))
	p, err := proc.Find(cmd.Process.Pid)
	require.NoError(t, err)
	go cmd.Wait()
	t.Cleanup(func() { endKeeper(t, dir, p) })
	return p
}

// carriers are the living processes that carry the run's ID.
func carriers(t testing.TB, run string) []proc.Process {
	t.Helper()
	all, err := proc.Processes()
	require.NoError(t, err)
	var got []proc.Process
	for _, p := range all {
		if !p.Zombie && proc.RunOf(p.PID) == run {
			got = append(got, p)
		}
	}
	return got
}

func TestTheEnvironmentIsInNoFile(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := shell(dir, "exit 1")
	s.Env = []string{"SECRET_TOKEN=hunter2hunter2", "PATH=/bin:/usr/bin"}
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		st, err := e.Info()
		require.NoError(t, err)
		require.Zero(t, st.Mode().Perm()&0o077, path)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotContains(t, string(b), "hunter2", path)
		return nil
	}))
	b, err := os.ReadFile(filepath.Join(dir, runFile))
	require.NoError(t, err)
	var rec record
	require.NoError(t, json.Unmarshal(b, &rec))
	require.Equal(t, run.ID, rec.Run.ID)
	require.Equal(t, proc.BootID(), rec.Boot)
	st, err := os.Stat(filepath.Join(dir, sockFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	st, err = os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), st.Mode().Perm())
}

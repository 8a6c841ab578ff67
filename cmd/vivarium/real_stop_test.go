package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// folder is the backend's state folder.
func (r *rig) folder() string {
	r.t.Helper()
	real, err := filepath.EvalSymlinks(r.dir)
	require.NoError(r.t, err)
	return keeper.BackendFolder(r.home, real)
}

// keeperPID is the process that keeps the backend, found by its lock and its command line; 0 if there is none.
func (r *rig) keeperPID() int {
	all, err := proc.Processes()
	require.NoError(r.t, err)
	for _, p := range all {
		args, err := proc.Args(p.PID)
		if err == nil && len(args) == 2 && args[1] == r.folder() && !p.Zombie {
			return p.PID
		}
	}
	return 0
}

// left are the processes of the run that are alive.
func left(t *testing.T, run string) []int {
	all, err := proc.Processes()
	require.NoError(t, err)
	var pids []int
	for _, p := range all {
		if !p.Zombie && proc.RunOf(p.PID) == run {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// deaf is a server with a child that hears nothing but SIGKILL.
const deaf = `import os, signal, sys, time
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(1000)
print("up", flush=True)
signal.signal(signal.SIGINT, lambda *a: os._exit(0))
while True:
    time.sleep(0.05)
    if os.path.exists("die"): os._exit(1)
`

func deafRig(t *testing.T, more string) *rig {
	r := newRig(t)
	write(t, filepath.Join(r.dir, "deaf.py"), deaf)
	write(t, filepath.Join(r.dir, "vivarium.toml"), "name = \"brain\"\ncommand = [\"{python}\", \"deaf.py\"]\nport = 0\n"+more)
	return r
}

func TestWhenRunOrStopHasSaidStoppedNothingIsLeftAndNoKeeper(t *testing.T) {
	t.Parallel()
	r := deafRig(t, "")
	f := r.run()
	run := f.row(supervisor.EventHealthy, 1).Run
	require.NotZero(t, r.keeperPID())
	f.signal(syscall.SIGINT)
	f.row(supervisor.EventStopped, 1)
	require.Empty(t, left(t, run))
	require.Zero(t, r.keeperPID())
	f.ended(0)

	f = r.run() // and the same by a command
	run = f.row(supervisor.EventHealthy, 1).Run
	out, code := r.do("stop")
	require.Equal(t, 0, code, out)
	require.Empty(t, left(t, run))
	require.Zero(t, r.keeperPID())
	f.ended(0)
}

func TestAStopDuringBackOffWaitsForWhatIsLeft(t *testing.T) {
	t.Parallel()
	r := deafRig(t, "[restart]\ngive_up_after = 50\n")
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	write(t, filepath.Join(r.dir, "die"), "")
	run := f.row(supervisor.EventCrashed, 2).Run // it waits now, and what is left has a second
	out, code := r.do("stop")
	require.Equal(t, 0, code, out)
	require.Empty(t, left(t, run))
	require.Zero(t, r.keeperPID())
	f.ended(0)
}

func TestAStopWhoseKeeperDiedAfterTheLeaderEndsTheRest(t *testing.T) {
	t.Parallel()
	for _, watched := range []bool{true, false} {
		r := deafRig(t, "")
		f := r.run()
		row := f.row(supervisor.EventHealthy, 1)
		if !watched {
			f.signal(syscall.SIGKILL)
			<-f.done
		}
		pid := r.keeperPID()
		stop := r.command("stop")
		var out strings.Builder
		stop.Stdout, stop.Stderr = &out, &out
		require.NoError(t, stop.Start())
		eventually(t, "the leader is gone", func() bool { return !exists(row.PID) })
		require.NotEmpty(t, left(t, row.Run), "its child hears nothing")
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		require.NoError(t, stop.Wait(), out.String())
		require.Empty(t, left(t, row.Run), "watched: %v", watched)
		require.Zero(t, r.keeperPID())
	}
}

func exists(pid int) bool {
	p, err := proc.Find(pid)
	return err == nil && !p.Zombie
}

func TestAStopThatIsSupersededIsAnError(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	write(t, filepath.Join(r.dir, "slow.py"), "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(1000)\n")
	write(t, filepath.Join(r.dir, "vivarium.toml"), "name = \"brain\"\ncommand = [\"{python}\", \"slow.py\"]\nport = 0\n[stop]\ngrace = \"2s\"\n")
	for _, again := range []string{"start", "restart", "run"} {
		f := r.run()
		f.row(supervisor.EventHealthy, 1)
		stop := r.command("stop")
		var out strings.Builder
		stop.Stdout, stop.Stderr = &out, &out
		require.NoError(t, stop.Start())
		f.row(supervisor.EventStopping, 1)
		if again == "run" {
			r.run()
		} else {
			text, code := r.do(again)
			require.Equal(t, 0, code, text)
		}
		done := make(chan error, 1)
		go func() { done <- stop.Wait() }()
		select {
		case err := <-done:
			require.Error(t, err, again)
			require.Contains(t, out.String(), "started again", again)
		case <-time.After(patience):
			require.Fail(t, "the stop waits for ever", again)
		}
		text, code := r.do("stop")
		require.Equal(t, 0, code, text)
	}
}

func TestAServerThatNobodyCanReachIsNotCalledStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	server := r.get("/")
	f.signal(syscall.SIGKILL)
	<-f.done
	pid := r.keeperPID()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP)) // it is there, and silent
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	text, code := r.do("status")
	require.Equal(t, 1, code, text)
	require.Contains(t, text, "Unreachable")
	text, code = r.do("stop")
	require.Equal(t, 1, code, text)
	require.NotContains(t, text, ": stopped")

	f = r.run()
	eventually(t, "it is shown by its holder", func() bool {
		text, code = r.do("status")
		return code == 1 && strings.Contains(text, "Unreachable") && strings.Contains(text, "kept by")
	})
	text, code = r.do("stop")
	require.Equal(t, 1, code, text)
	require.Contains(t, text, "cannot be stopped")
	require.Equal(t, server, r.get("/"))
	f.signal(syscall.SIGTERM)
	f.ended(1)

	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	text, code = r.do("stop")
	require.Equal(t, 0, code, text)
	require.True(t, r.free())
	require.Zero(t, r.keeperPID())
}

func TestNeitherARemovedSocketNorASilentClientKeepsAStopAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	sock := filepath.Join(r.folder(), "sock")
	require.NoError(t, os.Remove(sock))
	f.signal(syscall.SIGKILL)
	<-f.done
	text, code := r.do("stop")
	require.Equal(t, 0, code, text)
	require.True(t, r.free())

	f = r.run()
	f.row(supervisor.EventHealthy, 1)
	f.signal(syscall.SIGKILL)
	<-f.done
	var silent net.Conn
	eventually(t, "somebody has the seat, and says nothing", func() bool {
		var err error
		silent, err = net.Dial("unix", sock)
		return err == nil
	})
	defer silent.Close()
	f = r.run()
	f.row(supervisor.EventAttached, 1)
	text, code = r.do("stop")
	require.Equal(t, 0, code, text)
	require.True(t, r.free())
	f.ended(0)
}

func TestAStateFolderThatWasRemovedGivesNoSecondServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	write(t, filepath.Join(r.dir, "one.py"), "import time\nprint('one', flush=True)\ntime.sleep(1000)\n")
	write(t, filepath.Join(r.dir, "vivarium.toml"), "name = \"brain\"\ncommand = [\"{python}\", \"one.py\"]\nport = 0\n")
	f := r.run()
	pid := f.row(supervisor.EventHealthy, 1).PID
	require.Eventually(t, func() bool { return os.RemoveAll(r.home) == nil }, patience, time.Millisecond, "the keeper makes it again meanwhile")
	second := r.run()
	time.Sleep(2 * time.Second) // what must not happen has that long
	out, err := exec.Command("pgrep", "-c", "-f", filepath.Join("^[^ ]*python[^ ]* one.py")).Output()
	require.NoError(t, err)
	require.Equal(t, "1", strings.TrimSpace(string(out)))
	require.True(t, exists(pid))
	second.signal(syscall.SIGTERM)
	<-second.done
	require.True(t, exists(pid))
	f.signal(syscall.SIGINT)
	f.ended(0)
	require.False(t, exists(pid))
}

func TestAHolderThatGoesBeforeItHasGreetedIsNoAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, keeper.MakeFolder(r.folder()))
	for _, args := range [][]string{{"status"}, {"stop"}, {"start"}, {"restart"}} {
		ln, err := keeper.ListenUnix(filepath.Join(r.folder(), "ctl"))
		require.NoError(t, err)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			c, err := ln.Accept()
			if err == nil {
				_, _ = c.Read(make([]byte, 10))
				ln.Close()
				c.Close()
			}
		}()
		out, code := r.do(args...)
		<-gone
		require.NotContains(t, out, control.ErrHolderGone.Error(), args)
		require.Equal(t, map[string]int{"status": 3, "stop": 0, "start": 3, "restart": 3}[args[0]], code, "%v: %s", args, out)
	}
}

func TestADeathFromBeforeIsToldAndDoesNotEndTheNextRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("[restart]\npolicy = \"never\"\n")
	f := r.run()
	row := f.row(supervisor.EventHealthy, 1)
	f.signal(syscall.SIGKILL)
	<-f.done
	require.NoError(t, syscall.Kill(row.PID, syscall.SIGKILL))
	eventually(t, "it is gone", func() bool { return !exists(row.PID) })
	f = r.run()
	require.True(t, f.row(supervisor.EventCrashed, 1).Away)
	f.row(supervisor.EventHealthy, 1)
	f.signal(syscall.SIGINT)
	f.ended(0)
}

// An app that dies within milliseconds of its server has asked for the next one already, and has written nothing yet.
func TestADeathIsNotLostWithTheAppThatSawIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("[restart]\ngive_up_after = 0\n")
	for delay := range 12 {
		f := r.run()
		row := f.row(supervisor.EventHealthy, 1)
		require.NoError(t, syscall.Kill(row.PID, syscall.SIGSEGV))
		time.Sleep(time.Duration(delay+1) * time.Millisecond)
		f.signal(syscall.SIGKILL)
		<-f.done
		f = r.run()
		f.row(supervisor.EventHealthy, 1)
		text, code := r.do("crashes", "--json")
		require.Equal(t, 0, code, text)
		require.Contains(t, text, row.Run, fmt.Sprint(delay))
		f.signal(syscall.SIGINT)
		f.ended(0)
	}
}

//go:build e2e && linux

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// menubar is the menu-bar program, built on first need: its libraries are not everywhere.
var menubar = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaries, "vivarium-menubar")
	if os.Getenv("VIVARIUM_BIN") != "" {
		_, err := os.Stat(path)
		return path, err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "../../../cmd/vivarium-menubar")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	_, err := cmd.Output()
	return path, err
})

// desktop is a virtual desktop that lives as long as the test: the environment of its programs.
func desktop(t *testing.T) []string {
	t.Helper()
	rig := exec.Command("../desktop/rig.sh", "sh", "-c", "env; echo ready; exec cat >/dev/null")
	var complaint strings.Builder
	rig.Stderr = &complaint
	in, err := rig.StdinPipe()
	require.NoError(t, err)
	out, err := rig.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, rig.Start())
	t.Cleanup(func() { _ = in.Close(); _ = rig.Wait() })
	var env []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			return env
		}
		env = append(env, lines.Text())
	}
	_ = rig.Wait()
	needs(t, rig.ProcessState.ExitCode() != 69, complaint.String())
	require.FailNow(t, "the desktop did not come up", complaint.String())
	return nil
}

// app starts the menu-bar program on the rig's state folder.
func (r *rig) app(desktop []string) *exec.Cmd {
	r.t.Helper()
	path, err := menubar()
	needs(r.t, err == nil, "vivarium-menubar cannot be built here")
	cmd := exec.Command(path)
	cmd.Env = append(append([]string(nil), desktop...), "VIVARIUM_HOME="+r.home)
	require.NoError(r.t, cmd.Start())
	r.t.Cleanup(func() { end(cmd) })
	return cmd
}

// end is kill -9; what was waited for already is no error.
func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// register puts the backend on the app's list.
func (r *rig) register() {
	r.t.Helper()
	text, err := json.Marshal(map[string][]string{"backends": {r.dir}})
	require.NoError(r.t, err)
	require.NoError(r.t, os.MkdirAll(r.home, 0o700))
	require.NoError(r.t, os.WriteFile(filepath.Join(r.home, "backends.json"), text, 0o600))
}

// held waits until somebody supervises the backend and calls it healthy; it returns the server's PID.
func (r *rig) held() int {
	r.t.Helper()
	var rows []row
	eventually(r.t, "status says healthy", func() bool {
		out, code := r.do("status", "--json", r.dir)
		rows = nil
		for d := json.NewDecoder(strings.NewReader(out)); ; {
			var one row
			if d.Decode(&one) != nil {
				break
			}
			rows = append(rows, one)
		}
		return code == 0 && len(rows) == 1 && rows[0].State == "healthy" && rows[0].HeldBy != 0
	})
	return rows[0].PID
}

func TestKillingTheMenuBarProgramTwentyTimesDoesNotDisturbTheServer(t *testing.T) {
	t.Parallel()
	r := twin(t, quick+"[log]\nmax_size = \"16KiB\"\nkeep = 1000\n", "TWIN_LINES=1000", "TWIN_PAD=48")
	r.register()
	screen := desktop(t)
	a := r.app(screen)
	pid := r.held()
	stop := r.patient(t)
	for i := range 20 {
		soon(time.Second)
		end(a)
		a = r.app(screen)
		if i%4 == 0 {
			require.Equal(t, pid, r.held())
		}
	}
	require.Equal(t, pid, r.held())
	require.Equal(t, strconv.Itoa(pid), r.get("/pid"))
	t.Logf("%d questions to /health, each was answered", stop())
	require.NoError(t, a.Process.Signal(syscall.SIGTERM))
	require.NoError(t, a.Wait(), "SIGTERM is a Quit: launchd must not start it again")
	r.empty()
	r.free()
	require.Len(t, r.lives(), 1)
	r.wholeLog()
}

func TestKillingTheMenuBarProgramWhileTheServerStartsMakesNoSecondServer(t *testing.T) {
	t.Parallel()
	screen := desktop(t)
	for range 5 {
		r := twin(t, quick, "TWIN_LOAD=0.5")
		r.register()
		a := r.app(screen)
		soon(time.Second) // before the fork, around it, or while the server loads
		end(a)
		a = r.app(screen)
		pid := r.held()
		require.Equal(t, []int{pid}, r.lives())
		require.NoError(t, a.Process.Signal(syscall.SIGTERM))
		require.NoError(t, a.Wait())
		r.empty()
	}
}

func TestKillingTheMenuBarProgramInTheMiddleOfAStopDoesNotEndTheStop(t *testing.T) {
	t.Parallel()
	screen := desktop(t)
	for range 4 {
		r := twin(t, quick+"[stop]\ngrace = \"300ms\"\n", "TWIN_IGNORE=SIGINT")
		r.register()
		a := r.app(screen)
		pid := r.held()
		stop := exec.Command(vivarium, "stop", r.dir)
		stop.Env = r.environ()
		require.NoError(t, stop.Start())
		r.heard("SIGINT")
		soon(time.Second)
		end(a)
		_ = stop.Wait() // whom it asked may be gone before the end
		r.empty()
		r.free()

		a = r.app(screen) // autostart is on, but the stop was a person's
		var now row
		eventually(t, "the next app holds it", func() bool { now = r.status(); return now.HeldBy == a.Process.Pid })
		require.Equal(t, "stopped", now.State, now.text)
		require.Equal(t, []int{pid}, r.lives())
		require.NoError(t, a.Process.Signal(syscall.SIGTERM))
		require.NoError(t, a.Wait())
	}
}

func TestKillingTheMenuBarProgramDuringBackOffKeepsCountAndCause(t *testing.T) {
	t.Parallel()
	screen := desktop(t)
	for range 4 {
		r := twin(t, quick, "TWIN_DIE_AFTER=0.05")
		r.register()
		a := r.app(screen)
		var before row
		eventually(t, "it crashed twice and waits", func() bool {
			before = r.status()
			return before.State == "restarting" && before.Crashes >= 2
		})
		soon(500 * time.Millisecond)
		end(a)
		r.empty()
		a = r.app(screen)
		var after row
		eventually(t, "the next app goes on counting", func() bool {
			after = r.status()
			return after.HeldBy == a.Process.Pid && after.Crashes > before.Crashes
		})
		require.Equal(t, before.Verdict.Kind, after.Verdict.Kind)
		out, code := r.do("stop", r.dir)
		require.Zero(t, code, out)
		r.empty()
		require.GreaterOrEqual(t, len(r.lives()), 3) // and never two at the same time
		require.NoError(t, a.Process.Signal(syscall.SIGTERM))
		require.NoError(t, a.Wait())
	}
}

func TestTheMenuBarProgramAndRunOnOneBackendAreOneServer(t *testing.T) {
	t.Parallel()
	screen := desktop(t)
	for _, c := range []struct {
		name  string
		begin func(r *rig) (*exec.Cmd, *follower)
	}{
		{"the app first", func(r *rig) (*exec.Cmd, *follower) { a := r.app(screen); r.held(); return a, r.run() }},
		{"run first", func(r *rig) (*exec.Cmd, *follower) { f := r.run(); f.await("healthy"); return r.app(screen), f }},
		{"at the same instant", func(r *rig) (*exec.Cmd, *follower) { return r.app(screen), r.run() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := twin(t, quick)
			r.register()
			a, f := c.begin(r)
			pid := r.held()
			require.Equal(t, []int{pid}, r.lives())
			soon(300 * time.Millisecond)
			out, code := r.do("stop", r.dir)
			require.Zero(t, code, out)
			f.ended(0)
			r.empty()
			r.free()
			require.Len(t, r.lives(), 1)
			require.NoError(t, a.Process.Signal(syscall.SIGTERM))
			require.NoError(t, a.Wait())
		})
	}
}

func TestAStopDuringBackOffSticksAlsoOverAKillOfTheApp(t *testing.T) {
	t.Parallel()
	r := twin(t, quick, "TWIN_DIE_AFTER=0.05") // autostart is on: without the stop each launch begins a life
	r.register()
	screen := desktop(t)
	a := r.app(screen)
	eventually(t, "it crashed twice and waits", func() bool {
		now := r.status()
		return now.State == "restarting" && now.Crashes >= 2
	})
	out, code := r.do("stop", r.dir)
	end(a)
	require.Zero(t, code, out)
	r.empty()
	before := len(r.lives())
	a = r.app(screen)
	var now row
	eventually(t, "the next app holds it", func() bool { now = r.status(); return now.HeldBy == a.Process.Pid })
	require.Equal(t, "stopped", now.State, now.text)
	require.False(t, now.Want, now.text)
	time.Sleep(1500 * time.Millisecond) // a forgotten stop would start it within the back-off
	require.Len(t, r.lives(), before)
	require.Equal(t, "stopped", r.status().State)
	require.NoError(t, a.Process.Signal(syscall.SIGTERM))
	require.NoError(t, a.Wait())
}

func TestASecondMenuBarProgramEndsWithoutAnError(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	r.register()
	screen := desktop(t)
	first := r.app(screen)
	pid := r.held()
	second := r.app(screen)
	require.NoError(t, second.Wait())
	require.Equal(t, pid, r.held())
	require.NoError(t, first.Process.Signal(syscall.SIGTERM))
	require.NoError(t, first.Wait())
	r.empty()
}

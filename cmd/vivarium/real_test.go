package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
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

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// server is a backend of Python's standard library: it answers with its PID, and can be told to die.
const server = `import http.server, os, sys, signal
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
        if self.path == "/die": os._exit(3)
        if self.path == "/segv": os.kill(os.getpid(), signal.SIGSEGV)
    def log_message(self, *a): print("asked", self.path)
print("serving", os.environ.get("OMP_NUM_THREADS"))
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
`

// rig is a backend with a real server, and a state folder of its own.
type rig struct {
	t    *testing.T
	home string
	dir  string
	port int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	top := shortDir(t)
	r := &rig{t: t, home: filepath.Join(top, "h"), dir: filepath.Join(top, "my brain"), port: freePort(t)}
	write(t, filepath.Join(r.dir, "server.py"), server)
	r.configure("")
	t.Cleanup(func() { r.do("stop", "--all") })
	return r
}

func (r *rig) configure(more string) {
	write(r.t, filepath.Join(r.dir, "vivarium.toml"), fmt.Sprintf("name = \"brain\"\ncommand = [\"{python}\", \"server.py\", \"{port}\"]\nport = %d\n%s\n", r.port, more))
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (r *rig) command(args ...string) *exec.Cmd {
	return r.prepare(exec.Command(filepath.Join(programs, "vivarium"), args...))
}

// prepare gives a command the rig's folders.
func (r *rig) prepare(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), "VIVARIUM_HOME="+r.home)
	return cmd
}

// do runs a command to its end.
func (r *rig) do(args ...string) (out string, code int) {
	r.t.Helper()
	cmd := r.command(args...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(r.t, err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// follower is a `vivarium run --json` under way.
type follower struct {
	t    *testing.T
	cmd  *exec.Cmd
	err  bytes.Buffer
	done chan struct{}
	out  io.ReadCloser

	mu   sync.Mutex
	rows []control.Row
}

func (r *rig) run(args ...string) *follower {
	r.t.Helper()
	return r.runBy(r.command(append([]string{"run", "--json"}, args...)...))
}

// runBy follows a command that becomes a run --json.
func (r *rig) runBy(cmd *exec.Cmd) *follower {
	r.t.Helper()
	f := &follower{t: r.t, cmd: cmd, done: make(chan struct{})}
	f.cmd.Stderr = &f.err
	out, err := f.cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, f.cmd.Start())
	f.out = out
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			var row control.Row
			if json.Unmarshal(s.Bytes(), &row) == nil {
				f.mu.Lock()
				f.rows = append(f.rows, row)
				f.mu.Unlock()
			}
		}
		_ = f.cmd.Wait()
		close(f.done)
	}()
	r.t.Cleanup(func() {
		_ = f.cmd.Process.Kill()
		<-f.done
	})
	return f
}

// row waits for the nth row of an event, counted from 1.
func (f *follower) row(event supervisor.What, n int) control.Row {
	f.t.Helper()
	var found control.Row
	eventually(f.t, fmt.Sprintf("%s, %d times", event, n), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		seen := 0
		for _, r := range f.rows {
			if r.Event == event {
				if seen++; seen == n {
					found = r
					return true
				}
			}
		}
		select {
		case <-f.done:
			require.FailNow(f.t, "run has ended", "%+v\n%s", f.rows, f.err.String())
		default:
		}
		return false
	})
	return found
}

func (f *follower) ended(code int) {
	f.t.Helper()
	select {
	case <-f.done:
		require.Equal(f.t, code, f.cmd.ProcessState.ExitCode(), "%s\n%s", f.cmd.ProcessState, f.err.String())
	case <-time.After(patience):
		require.FailNow(f.t, "run has not ended")
	}
}

func (f *follower) signal(s syscall.Signal) {
	f.t.Helper()
	require.NoError(f.t, f.cmd.Process.Signal(s))
}

func (r *rig) get(path string) string {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path))
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

func (r *rig) free() bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func TestARunFromStartToCtrlC(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		r := newRig(t)
		f := r.run()
		pid := f.row(supervisor.EventHealthy, 1).PID
		require.Equal(t, strconv.Itoa(pid), r.get("/"))
		out, code := r.do("status")
		require.Zero(t, code, out)
		require.Contains(t, out, "brain: Healthy")
		require.Contains(t, out, strconv.Itoa(pid))
		out, code = r.do("logs")
		require.Zero(t, code, out)
		require.Contains(t, out, "serving 4", "with the crash environment")
		f.signal(sig)
		f.ended(codeWell)
		require.True(t, r.free())
		_, code = r.do("status")
		require.Equal(t, codeNotRunning, code)
	}
}

func TestACrashIsToldWithItsSignalAndTheServerIsBack(t *testing.T) {
	r := newRig(t)
	f := r.run()
	first := f.row(supervisor.EventHealthy, 1).PID
	r.get("/segv")
	crashed := f.row(supervisor.EventCrashed, 1)
	require.Equal(t, "SIGSEGV", crashed.Signal)
	require.Equal(t, first, crashed.PID)
	require.EqualValues(t, "segfault", crashed.Verdict.Kind)
	require.NotEqual(t, first, f.row(supervisor.EventHealthy, 2).PID)
	r.get("/die")
	require.Equal(t, 3, *f.row(supervisor.EventCrashed, 2).Code)
	out, code := "", codeWell
	require.Eventually(t, func() bool { // another program writes the pages
		out, code = r.do("crashes")
		return strings.Count(out, "    report  ") == 2
	}, 20*time.Second, 50*time.Millisecond, "both have a report")
	require.Zero(t, code)
	require.Equal(t, 2, strings.Count(out, "brain: "), out)
	require.Contains(t, out, "SIGSEGV")
	require.Contains(t, out, "exit code 3")
	out, _ = r.do("crashes", "--json")
	require.Contains(t, out, `"signal":"SIGSEGV"`)
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
}

func TestStopRestartAndStartReachTheHolderByName(t *testing.T) {
	r := newRig(t)
	f := r.run()
	first := f.row(supervisor.EventHealthy, 1).PID
	cmd := r.command("restart", "brain")
	cmd.Dir = "/"
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.NotEqual(t, first, f.row(supervisor.EventHealthy, 2).PID)
	_, code := r.do("start")
	require.Zero(t, code, "it runs already")
	out, code := r.do("stop")
	require.Zero(t, code, out)
	require.Contains(t, out, "brain: stopped")
	require.True(t, r.free(), "stop waits")
	f.ended(codeWell)
}

func TestARunThatOutlivedItsAppIsFoundShownAndStopped(t *testing.T) {
	r := newRig(t)
	f := r.run()
	pid := f.row(supervisor.EventHealthy, 1).PID
	require.NoError(t, f.cmd.Process.Kill())
	<-f.done
	out, code := r.do("status")
	require.Zero(t, code, out)
	require.Contains(t, out, strconv.Itoa(pid))
	require.Contains(t, out, "no Vivarium program watches it")
	g := r.run()
	require.Equal(t, pid, g.row(supervisor.EventAttached, 1).PID)
	require.NoError(t, g.cmd.Process.Kill())
	<-g.done
	out, code = r.do("stop")
	require.Zero(t, code, out)
	require.Contains(t, out, "stopped")
	eventually(t, "the port is free", r.free)
	_, code = r.do("status")
	require.Equal(t, codeNotRunning, code)
	want, err := record.Remember(keeper.BackendFolder(r.home, r.dir), time.Now())
	require.NoError(t, err)
	require.False(t, want.Want, "the next app leaves it stopped")
}

func TestStopAllEndsEveryKeeperAlsoOfBackendsThatNobodyKnows(t *testing.T) {
	r := newRig(t)
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	require.NoError(t, f.cmd.Process.Kill())
	<-f.done
	cmd := r.command("stop", "--all")
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	eventually(t, "the port is free", r.free)
}

func TestASecondRunShowsTheFirstOnesEvents(t *testing.T) {
	r := newRig(t)
	first := r.run()
	pid := first.row(supervisor.EventHealthy, 1).PID
	second := r.run()
	attached := second.row(supervisor.EventAttached, 1)
	require.Equal(t, pid, attached.PID)
	require.Equal(t, first.cmd.Process.Pid, attached.HeldBy)
	third := r.run()
	third.row(supervisor.EventAttached, 1)
	third.signal(syscall.SIGINT)
	third.ended(codeWell)
	require.Equal(t, strconv.Itoa(pid), r.get("/"))
	first.signal(syscall.SIGINT)
	first.ended(codeWell)
	second.ended(codeWell)
}

func TestAClosedOutputStopsTheServer(t *testing.T) {
	r := newRig(t)
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	require.NoError(t, f.out.Close()) // what `| head -1` does
	f.ended(codeWell)
	require.True(t, r.free())
}

func TestAForeignPortIsToldAndIsExitOne(t *testing.T) {
	r := newRig(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	require.NoError(t, err)
	defer l.Close()
	f := r.run()
	f.ended(codeFailed)
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.rows[len(f.rows)-1]
	require.Equal(t, supervisor.EventGaveUp, last.Event)
	require.EqualValues(t, "port-taken", last.Verdict.Kind)
	require.Equal(t, os.Getpid(), last.Owner.PID, "and it lives")
	out, code := r.do("doctor")
	require.Equal(t, codeFailed, code)
	require.Contains(t, out, strconv.Itoa(os.Getpid()))
}

func TestTheWrittenStartScriptStartsTheBackend(t *testing.T) {
	r := newRig(t)
	out, code := r.do("init", "--force")
	require.Zero(t, code, out)
	cmd := exec.Command(filepath.Join(r.dir, "start"), "--json")
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "VIVARIUM_HOME="+r.home, "PATH="+programs+":"+os.Getenv("PATH"))
	require.NoError(t, cmd.Start())
	eventually(t, "it answers", func() bool { return r.get("/") != "" })
	out, code = r.do("status")
	require.Zero(t, code, out)
	require.Contains(t, out, fmt.Sprintf("PID %d", cmd.Process.Pid), "the script became vivarium run")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
	require.True(t, r.free())
}

func TestAnInterpreterThatIsGoneIsExitTwoWithItsRemedy(t *testing.T) {
	r := newRig(t)
	r.configure("python = \"/gone/bin/python\"")
	out, code := r.do("env")
	require.Equal(t, codeUsage, code)
	require.Contains(t, out, "/gone/bin/python")
	out, code = r.do("run")
	require.NotZero(t, code)
	require.Contains(t, out, "/gone/bin/python")
}

func TestTheDemoRunsFromTheCommandLine(t *testing.T) {
	r := newRig(t)
	cmd := r.command("run", "--demo", "--json")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s := bufio.NewScanner(out)
	var row control.Row
	for row.Event != supervisor.EventHealthy && s.Scan() {
		require.NoError(t, json.Unmarshal(s.Bytes(), &row))
		require.NotEqual(t, supervisor.EventGaveUp, row.Event, "%+v", row)
	}
	require.Equal(t, supervisor.EventHealthy, row.Event)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	for s.Scan() { // to its end
	}
	require.NoError(t, cmd.Wait())
}

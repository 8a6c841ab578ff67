//go:build servers

package servers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/project"
	table "github.com/vivarium-app/vivarium/supervisor/servers"
)

const (
	patience = 2 * time.Minute // for a server to come up, the heavy ones import for long
	grace    = 2 * time.Second // for a server to go once it is asked to
)

// built are the programs, made once for all cases.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"vivarium", "vivarium-keeper"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/vivarium-app/vivarium/cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return dir
}

func TestRealServers(t *testing.T) {
	programs := built(t)
	all := readBackends(t)
	require.GreaterOrEqual(t, len(all), 20)
	var told []*outcome
	t.Cleanup(func() { tell(t, told) })
	for _, b := range all {
		if testing.Short() && !b.small {
			continue
		}
		t.Run(b.row, func(t *testing.T) {
			o := &outcome{Row: b.row}
			told = append(told, o)
			try(t, newRig(t, programs, b), o)
			o.Green = true
		})
	}
}

// rig is one backend's folder, with a state folder of its own.
type rig struct {
	t        *testing.T
	backend  backend
	programs string
	dir, env string
	home     string
	port     int // 0: it listens nowhere
	command  []string
	variable map[string]string
}

func newRig(t *testing.T, programs string, b backend) *rig {
	t.Helper()
	home, err := os.MkdirTemp("", "viv") // a socket's path is short
	require.NoError(t, err)
	dir, err := filepath.EvalSymlinks(folder(t, b.files))
	require.NoError(t, err)
	r := &rig{t: t, backend: b, programs: programs, dir: dir, env: environment(t, b.row, b.packages), home: home}
	require.NoError(t, os.Symlink(r.env, filepath.Join(dir, ".venv")))
	t.Cleanup(func() {
		_, _ = r.prepared("stop", "--all").CombinedOutput()
		for _, p := range r.left() {
			_ = p.Kill() // it works in this test's own folder
		}
		os.RemoveAll(home)
	})
	return r
}

func (r *rig) environ() []string {
	return append(os.Environ(), "VIVARIUM_HOME="+filepath.Join(r.home, "h"), "HOME="+r.home, "PYTHONUNBUFFERED=1")
}

func (r *rig) prepared(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(r.programs, "vivarium"), args...)
	cmd.Dir, cmd.Env = r.dir, r.environ()
	return cmd
}

func (r *rig) do(args ...string) string {
	r.t.Helper()
	out, err := r.prepared(args...).CombinedOutput()
	require.NoError(r.t, err, "%v: %s", args, out)
	return string(out)
}

// try is everything that a row has to do.
func try(t *testing.T, r *rig, o *outcome) {
	r.found(o)
	f := r.run()
	began := time.Now()
	f.healthy()
	o.Up = seconds(time.Since(began))
	r.readyInLog()
	row, m := table.ByCommand(r.argv())
	require.NotEmpty(t, row.Identity(m), "a hand-started copy could not be told")
	require.False(t, table.IsReloader(r.argv()))
	o.Says = r.says(row)
	if r.backend.workers {
		o.Worker = r.killWorker(f, row)
	}
	o.Server = r.killServer(f)
	r.stop(f, row, o)
	if r.port != 0 {
		o.Hand = r.takenOver()
	}
}

// found is what `init` finds and writes.
func (r *rig) found(o *outcome) {
	t := r.t
	t.Helper()
	fsys, err := project.Open(r.dir)
	require.NoError(t, err)
	defer fsys.Close()
	p, ok := project.Read(fsys).Propose(installed(t, r.env))
	require.True(t, ok, "nothing was found in the folder")
	require.Equal(t, r.backend.row, p.Of.Name)
	require.Empty(t, p.Needs, "its packages are there")
	o.Title, o.Version = p.Of.Title, version(t, r.env, r.backend.packages)
	o.By, r.variable = p.Server.Title, p.Environment
	args := []string{"init", "--force"}
	r.port, r.command = p.Port, p.Command
	if slices.ContainsFunc(p.Command, func(w string) bool { return strings.Contains(w, table.Port) }) {
		r.port = freePort(t)
		args = append(args, "--port", strconv.Itoa(r.port))
	}
	said := r.do(args...)
	require.NotContains(t, said, "is not installed")
	file := filepath.Join(r.dir, "vivarium.toml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "\npython = \".venv\"\n")
	quick := strings.Replace(string(text), "# interval = ", "interval = \"500ms\" # ", 1)
	require.NotEqual(t, string(text), quick)
	require.NoError(t, os.WriteFile(file, []byte(quick), 0o644))
	o.Command = strings.Join(p.Command, " ")
}

func (r *rig) argv() []string {
	argv := make([]string, len(r.command))
	for i, w := range r.command {
		argv[i] = strings.NewReplacer(table.Python, filepath.Join(r.env, "bin", "python"), table.Port, strconv.Itoa(r.port)).Replace(w)
	}
	return argv
}

func (r *rig) log() string {
	text, _ := os.ReadFile(filepath.Join(r.dir, "logs", "server.log"))
	return string(text)
}

// readyInLog waits until a program without a port is up: there is nothing else to ask.
func (r *rig) readyInLog() {
	if r.backend.ready != "" {
		require.Eventually(r.t, func() bool { return strings.Contains(r.log(), r.backend.ready) }, patience, 100*time.Millisecond, "it never says that it is ready")
	}
}

// says: what it says of where it listens is understood.
func (r *rig) says(row table.Server) bool {
	for line := range bytes.Lines([]byte(r.log())) {
		if at := row.ListensAt(strings.TrimSpace(string(line))); strings.Contains(at, strconv.Itoa(r.port)) {
			return true
		}
	}
	return false
}

// killWorker ends one worker as the kernel does when memory is short.
func (r *rig) killWorker(f *follower, row table.Server) string {
	t := r.t
	t.Helper()
	leader := f.status().PID
	var worker *process.Process
	require.Eventually(t, func() bool {
		all := workers(leader, row)
		if len(all) > 0 {
			worker = all[0]
		}
		return worker != nil
	}, 30*time.Second, 100*time.Millisecond, "it has no worker")
	time.Sleep(3 * time.Second) // a child is taken for a worker when it has lived for two seconds and was seen at a probe
	require.NoError(t, worker.Kill())
	told := f.await(30*time.Second, "worker-died", "crashed", "ended")
	if row.EndsWithWorker {
		require.Contains(t, told.Verdict.Summary, "when one of its workers dies", told.text)
	} else {
		require.Equal(t, "worker-died", told.Verdict.Kind, told.text) // the signal is told where the server's log has it
	}
	if told.Event != "worker-died" {
		f.await(patience, "healthy")
		return "told; ends with it, and is started again"
	}
	require.Equal(t, leader, told.PID)
	time.Sleep(2 * time.Second) // some servers end a moment after their worker
	now := f.status()
	require.Eventually(t, func() bool { now = f.status(); return now.PID != 0 && now.State == "healthy" }, patience, 200*time.Millisecond)
	f.skip()
	if now.PID != leader {
		return "told; ends with it, and is started again"
	}
	return "told"
}

// skip passes over what was told so far.
func (f *follower) skip() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = len(f.rows)
}

// workers are the workers of a process, at any depth.
func workers(pid int, row table.Server) []*process.Process {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return nil
	}
	leader, _ := p.CmdlineSlice()
	children, _ := p.Children()
	var all []*process.Process
	for _, c := range children {
		if args, err := c.CmdlineSlice(); err == nil && row.IsWorker(args, leader) {
			all = append(all, c)
		}
		all = append(all, workers(int(c.Pid), row)...)
	}
	return all
}

func (r *rig) killServer(f *follower) string {
	t := r.t
	t.Helper()
	first := f.status().PID
	require.NotZero(t, first)
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL)) // it is this test's own
	crashed := f.await(30*time.Second, "crashed")
	require.Equal(t, "SIGKILL", crashed.Signal, crashed.text)
	next := f.await(patience, "healthy")
	require.NotEqual(t, first, next.PID)
	require.Contains(t, r.do("crashes"), "SIGKILL")
	return "told"
}

// stop asks it to go, and looks for what is left.
func (r *rig) stop(f *follower, row table.Server, o *outcome) {
	t := r.t
	t.Helper()
	r.readyInLog()
	settle(r.processorTime, patience)
	allowed := grace
	if o.Slow = row.Slow; row.Slow != "" {
		allowed = row.StopTakes
	}
	o.Limit = allowed
	slow := loaded(t, r.env)
	during := make(chan time.Duration, 1)
	go func() { during <- slowest(r.env, f.done) }()
	r.do("stop")
	select {
	case <-f.done:
	case <-time.After(patience):
		t.Fatal("run has not ended")
	}
	allowed = allowed * max(slow, percent(<-during), loaded(t, r.env)) / 100
	stopping, stopped := f.last("stopping"), f.last("stopped")
	took := stopped.At.Sub(stopping.At)
	require.LessOrEqual(t, took, allowed, "it ends too late\n%s", tail(r.log()))
	o.Stop = seconds(took)
	r.nothing()
}

// nothing of it is left: no process works in the folder, and the port is free.
func (r *rig) nothing() {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return len(r.left()) == 0 }, grace, 50*time.Millisecond, "something of it is left")
	if r.port != 0 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)))
		require.NoError(r.t, err)
		l.Close()
	}
}

// left are the processes that work in the folder.
func (r *rig) left() []*process.Process {
	all, _ := process.Processes()
	return slices.DeleteFunc(all, func(p *process.Process) bool {
		cwd, err := p.Cwd()
		rel, rerr := filepath.Rel(r.dir, cwd)
		return err != nil || rerr != nil || !filepath.IsLocal(rel) || int(p.Pid) == os.Getpid()
	})
}

// takenOver starts a copy as a person would, and then the backend.
func (r *rig) takenOver() string {
	t := r.t
	t.Helper()
	argv := r.argv()
	hand := exec.Command(argv[0], argv[1:]...)
	hand.Dir, hand.Env = r.dir, append(r.environ(), "PATH="+filepath.Join(r.env, "bin")+":"+os.Getenv("PATH"))
	for name, value := range r.variable {
		hand.Env = append(hand.Env, name+"="+value)
	}
	hand.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, hand.Start())
	ended := make(chan struct{})
	go func() { _ = hand.Wait(); close(ended) }()
	t.Cleanup(func() { _ = syscall.Kill(-hand.Process.Pid, syscall.SIGKILL); <-ended })
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, patience, 100*time.Millisecond, "the copy does not listen")
	f := r.run()
	f.await(30*time.Second, "took-over")
	require.NotEqual(t, hand.Process.Pid, f.healthy().PID)
	select {
	case <-ended:
	case <-time.After(grace):
		t.Fatal("the copy goes on")
	}
	r.do("stop")
	<-f.done
	r.nothing()
	return "taken over"
}

// row is what is read of a line of `vivarium run --json`.
type row struct {
	At      time.Time `json:"at"`
	Event   string    `json:"event"`
	PID     int       `json:"pid"`
	State   string    `json:"state"`
	Signal  string    `json:"signal"`
	Verdict struct {
		Kind, Summary, Remedy, Line string
	} `json:"verdict"`
	text string
}

// follower is a `vivarium run --json`.
type follower struct {
	rig  *rig
	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	rows []row
	next int

	errors bytes.Buffer
	ready  int64 // when it first said something on stderr, 0 before that
}

func (r *rig) run() *follower {
	r.t.Helper()
	f := &follower{rig: r, cmd: r.prepared("run", "--json"), done: make(chan struct{})}
	f.cmd.Stderr = told{f}
	out, err := f.cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, f.cmd.Start())
	go f.read(out)
	r.t.Cleanup(func() {
		_ = f.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-f.done:
		case <-time.After(30 * time.Second):
			_ = f.cmd.Process.Kill()
			<-f.done
		}
		if r.t.Failed() {
			for _, one := range f.rows {
				r.t.Logf("%s %d %s %s", one.Event, one.PID, one.Verdict.Summary, one.Verdict.Line)
			}
			r.t.Logf("stderr: %s\nlog: %s", f.said(), tail(r.log()))
		}
	})
	return f
}

func (f *follower) read(out io.Reader) {
	for d := json.NewDecoder(out); ; {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			break
		}
		one := row{text: string(raw)}
		_ = json.Unmarshal(raw, &one) // what does not fit is in text
		f.mu.Lock()
		f.rows = append(f.rows, one)
		f.mu.Unlock()
	}
	_ = f.cmd.Wait()
	close(f.done)
}

// await is the next row with one of the events.
func (f *follower) await(limit time.Duration, events ...string) row {
	f.rig.t.Helper()
	var found row
	require.Eventually(f.rig.t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for ; f.next < len(f.rows); f.next++ {
			if slices.Contains(events, f.rows[f.next].Event) {
				found = f.rows[f.next]
				f.next++
				return true
			}
		}
		return false
	}, limit, 20*time.Millisecond, "no %v", events)
	return found
}

func (f *follower) healthy() row { return f.await(patience, "healthy") }

func (f *follower) status() row {
	f.rig.t.Helper()
	var one row
	require.NoError(f.rig.t, json.Unmarshal([]byte(f.rig.do("status", "--json")), &one))
	return one
}

func (f *follower) last(event string) row {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.rows) - 1; i >= 0; i-- {
		if f.rows[i].Event == event {
			return f.rows[i]
		}
	}
	f.rig.t.Fatalf("no %q", event)
	return row{}
}

// loaded is how slow this computer is now, in percent of an idle one: even an empty Python takes its time on a busy one.
func loaded(t *testing.T, env string) time.Duration {
	t.Helper()
	took := time.Duration(0)
	for range 3 {
		one, err := emptyPython(env)
		require.NoError(t, err)
		took = max(took, one)
	}
	return percent(took)
}

func tail(text string) string { return text[max(0, len(text)-3000):] }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

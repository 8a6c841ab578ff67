//go:build e2e || bench

// Package stalls shows with real Python servers that Vivarium's recorder harms nobody and that what it records explains a standstill. It drives
// supervisor/recorder and supervisor/stall directly, without a keeper or a supervisor. Begin with stalls_test.go.
package stalls

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
)

// wheels are the servers and clients that stand still here.
var wheels = []string{"fastapi<1", "uvicorn<1", "uvloop<1", "httpx<1", "requests<3", "gunicorn", "flask<4", "gevent", "numpy<3", "faiss-cpu<2", "huggingface_hub<2", "py-spy<1",
	"aiohttp<4", "tornado<7", "sqlalchemy<3", "redis<8", "psycopg[binary]<4", "boto3<2", "grpcio<2", "joblib<2", "tokenizers<1"}

// agents bring a sitecustomize of their own, or change what waits for what. Where they cannot be had, their tests are skipped.
var agents = []string{"ddtrace<5", "eventlet<1", "opentelemetry-distro", "opentelemetry-instrumentation"}

// withAgents is the environment of the python3 on PATH with them.
var withAgents = sync.OnceValues(func() (string, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	return environmentOf(python, agents)
})

// environment is the virtual environment of an interpreter, made once and kept in the user's cache folder.
func environment(python string) (string, error) { return environmentOf(python, wheels) }

func environmentOf(python string, wheels []string) (string, error) {
	version, err := exec.Command(python, "-c", "import sys; print(sys.version, sys.base_prefix)").Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", python, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Append(nil, wheels, string(version)))
	dir := filepath.Join(cache, "vivarium-stalls", "venv-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, args := range [][]string{
		{python, "-m", "venv", dir},
		append([]string{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"}, wheels...),
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(args[:4], " "), err, out)
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// venv is the environment of VIVARIUM_TEST_VENV, else that of the python3 on PATH.
var venv = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("VIVARIUM_TEST_VENV"); dir != "" {
		return dir, nil
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	return environment(python)
})

func inVenv(t testing.TB, program string) string {
	t.Helper()
	dir, err := venv()
	if err != nil {
		t.Skipf("no virtual environment with servers: %v", err)
	}
	return filepath.Join(dir, "bin", program)
}

// pythons are the interpreters from 3.8 on that are installed, one of each version: those of VIVARIUM_TEST_PYTHONS, on PATH, and of pyenv.
var pythons = sync.OnceValue(func() map[string]string {
	home, _ := os.UserHomeDir()
	found, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/*/bin/python"))
	for minor := 8; minor < 20; minor++ {
		if path, err := exec.LookPath("python3." + strconv.Itoa(minor)); err == nil {
			found = append(found, path)
		}
	}
	if list := os.Getenv("VIVARIUM_TEST_PYTHONS"); list != "" {
		found = filepath.SplitList(list)
	}
	byVersion := map[string]string{}
	for _, path := range found {
		out, err := exec.Command(path, "-c", "import sys; print('%d.%02d.%d' % sys.version_info[:3])").Output()
		if version := strings.TrimSpace(string(out)); err == nil && version >= "3.08" && version < "4" {
			byVersion[version] = path
		}
	}
	return byVersion
})

// rig is a state folder with a recorder, and the processes that run with it.
type rig struct {
	t            testing.TB
	dir          string // of the backend
	folder, runs string
	run          int
}

func newRig(t testing.TB) *rig {
	t.Helper()
	top, err := os.MkdirTemp("", "vs") // short, and the test's own folder has the test's name in it
	require.NoError(t, err)
	top, err = filepath.EvalSymlinks(top)
	require.NoError(t, err)
	r := &rig{t: t, dir: filepath.Join(top, "b"), runs: filepath.Join(top, "runs")}
	t.Cleanup(func() {
		_ = filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error { _ = os.Chmod(path, 0o700); return nil })
		_ = os.RemoveAll(top)
	})
	require.NoError(t, os.Mkdir(r.dir, 0o755))
	r.folder, err = recorder.Place(filepath.Join(top, "state"))
	require.NoError(t, err)
	require.NoError(t, recorder.Prepare(r.runs))
	return r
}

// process is one run.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	out   *buffer
	asker recorder.Asker
	start time.Time
	ended chan struct{}
}

// buffer is what a process prints; it is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// launch starts a program with the recorder; env is added to the parent's.
func (r *rig) launch(env []string, args ...string) *process {
	r.t.Helper()
	r.run++
	run := "run" + strconv.Itoa(r.run)
	p := &process{t: r.t, out: &buffer{}, start: time.Now(), ended: make(chan struct{})}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = r.dir, p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Env = recorder.Environ(append(append(os.Environ(), "PYTHONFAULTHANDLER=1", "PYTHONUNBUFFERED=1", "VIVARIUM_RUN="+run), env...), r.folder, r.runs)
	p.cmd.WaitDelay = time.Second
	_, err := p.cmd.StdinPipe() // it stays open and empty
	require.NoError(r.t, err)
	require.NoError(r.t, p.cmd.Start())
	p.asker = recorder.Asker{Folder: recorder.RunFolder(r.runs, run), System: recorder.Real(), Signal: p.signal}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	r.t.Cleanup(func() {
		p.kill()
		if r.t.Failed() {
			r.t.Logf("%s said:\n%s", strings.Join(args, " "), p.out)
		}
	})
	return p
}

// signal sends to processes of the run's own group alone: they were started here.
func (p *process) signal(pid int, stamp string, s syscall.Signal) error {
	if group, err := syscall.Getpgid(pid); err != nil || group != p.cmd.Process.Pid {
		return fmt.Errorf("process %d is not of this test", pid)
	}
	return syscall.Kill(pid, s)
}

func (p *process) kill() {
	select {
	case <-p.ended: // the leader is gone, and its group may be another's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// recorded waits until the process has its file.
func (p *process) recorded() {
	p.t.Helper()
	path := filepath.Join(p.asker.Folder, strconv.Itoa(p.cmd.Process.Pid)+".stacks")
	p.eventually(func() bool { info, err := os.Stat(path); return err == nil && info.Size() > 0 }, "the recorder reached the process")
}

func (p *process) says(text string) {
	p.t.Helper()
	p.eventually(func() bool { return strings.Contains(p.out.String(), text) }, "it said "+text)
}

func (p *process) eventually(done func() bool, what string) {
	p.t.Helper()
	for limit := time.Now().Add(60 * time.Second); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
		if !p.alive() {
			require.True(p.t, done(), "it ended before %s:\n%s", what, p.out)
			return
		}
	}
	require.Fail(p.t, "not in a minute: "+what, p.out.String())
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// answers waits until a server gives 200.
func (p *process) answers(port int) {
	p.t.Helper()
	client := http.Client{Timeout: time.Second}
	p.eventually(func() bool {
		resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/health", port))
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	}, "it answered")
}

// poke sends a request whose answer nobody waits for.
func poke(t testing.TB, port int, path string) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	require.NoError(t, err)
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
}

func linuxOnly(t testing.TB) {
	if runtime.GOOS != "linux" {
		t.Skip("the processes are looked at as on Linux")
	}
}

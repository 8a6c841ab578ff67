//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serverWheels are the servers that people run, beside the user's own.
var serverWheels = []string{
	"fastapi<1", "fastapi-cli<1", "uvicorn<1", "gunicorn<30", "uvicorn-worker<1", "hypercorn<1", "flask<4", "loguru<1", "rich", "typer", "uv",
}

// servers is a virtual environment with them.
var servers = sync.OnceValues(func() (string, error) { return virtualEnvironment("servers", serverWheels, "") })

// served is a rig with main.py, and with the servers in its .venv.
func served(t *testing.T, main, config string) *rig {
	t.Helper()
	dir, err := servers()
	needs(t, err == nil, fmt.Sprintf("no virtual environment with the servers: %v", err))
	r := newRig(t, "deaths", config)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(main), 0o644))
	require.NoError(t, os.Symlink(dir, filepath.Join(r.dir, ".venv")))
	return r
}

// often probes often: the tests would wait for nothing else.
const often = "[health]\ninterval = \"200ms\"\n"

const prefixed = `from fastapi import APIRouter, FastAPI

router = APIRouter(prefix="/api")

@router.get("/health")
def health():
    return {"status": "ok"}

app = FastAPI()
app.include_router(router)
`

func TestAWrongHealthPathIsToldWithTheRightOne(t *testing.T) {
	t.Parallel()
	r := served(t, prefixed, often+"restart_hung = true\n")
	f := r.run()
	started := f.await("started")
	told := f.awaitFor(20*time.Second, "misconfigured")
	require.Equal(t, "unhealthy", told.State)
	require.Equal(t, "misconfigured", told.Health.Phase)
	require.Contains(t, told.text, "/health answers 404")
	require.Contains(t, told.text, "(found: /api/health)")
	out, _ := r.do("status", r.dir)
	require.Contains(t, out, "Misconfigured")
	require.Contains(t, out, "(found: /api/health)")
	time.Sleep(3 * time.Second)
	require.Equal(t, started.PID, r.status().PID, "it is not ended for it, restart_hung or not")
	require.Len(t, f.seen("misconfigured"), 1)

	r.configure("[health]\ninterval = \"200ms\"\npath = \"/api/health\"\n")
	out, code := r.do("restart", r.dir)
	require.Zero(t, code, out)
	f.await("healthy")
	before := r.count("/api/health")
	time.Sleep(2 * time.Second) // ten probes
	require.LessOrEqual(t, r.count("/api/health"), before+1, "they are kept out of the log")
	for range 3 {
		require.NotEmpty(t, r.get("/api/health"))
	}
	eventually(t, "the requests of others are in it", func() bool { return r.count("/api/health") >= before+3 })
	f.stop()
}

func TestWhoWantsTheProbesInTheLogHasThem(t *testing.T) {
	t.Parallel()
	r := served(t, prefixed, "[health]\ninterval = \"200ms\"\npath = \"/api/health\"\n[log]\nprobes = true\n")
	f := r.run()
	f.await("healthy")
	eventually(t, "probes are in the log", func() bool { return r.count("/api/health") >= 5 })
	f.stop()
}

func TestAServerOnAnotherPortIsToldWhere(t *testing.T) {
	t.Parallel()
	other := freePort(t)
	main := fmt.Sprintf("import uvicorn\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\nif __name__ == \"__main__\":\n    uvicorn.run(app, host=\"127.0.0.1\", port=%d)\n", other)
	r := served(t, main, "command = [\"{python}\", \"main.py\"]\n"+often)
	f := r.run()
	pid := f.await("started").PID
	told := f.awaitFor(30*time.Second, "misconfigured")
	require.Contains(t, told.text, fmt.Sprintf("it listens on %d, not on %d", other, r.port))
	require.Equal(t, pid, told.PID)
	f.stop()
}

func TestGunicornWithAUvicornWorkerStopsWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	main := strings.Replace(prefixed, `prefix="/api"`, "", 1)
	r := served(t, main, `command = ["{python}", "-m", "gunicorn", "main:app", "-k", "uvicorn_worker.UvicornWorker", "-b", "127.0.0.1:{port}", "--access-logfile", "-"]`+"\n"+often)
	f := r.run()
	f.await("healthy")
	time.Sleep(time.Second)
	require.NoError(t, f.cmd.Process.Signal(syscall.SIGINT))
	stopping, stopped := f.await("stopping"), f.await("stopped")
	f.ended(0)
	require.Less(t, stopped.At.Sub(stopping.At), 2*time.Second)
	r.empty()
}

// Hypercorn leaves with 0 when its only worker was killed. With two, it depends on how soon the other one ends.
func TestAServerThatLeavesInGoodOrderIsStartedAgain(t *testing.T) {
	t.Parallel()
	main := strings.Replace(prefixed, `prefix="/api"`, "", 1)
	r := served(t, main, `command = ["{python}", "-m", "hypercorn", "main:app", "--workers", "1", "--bind", "127.0.0.1:{port}"]`+"\n"+often)
	f := r.run()
	leader := f.await("healthy").PID
	for _, p := range r.servers() {
		if p.pid != leader && strings.Contains(p.command, "spawn_main") {
			require.NoError(t, syscall.Kill(p.pid, syscall.SIGKILL))
			break
		}
	}
	ended := f.awaitFor(time.Minute, "ended")
	require.Equal(t, "clean-exit", ended.Verdict.Kind)
	require.Contains(t, ended.Verdict.Remedy, `policy = "never"`)
	require.NotEqual(t, leader, f.await("healthy").PID)
	require.Empty(t, f.seen("crashed"))
	f.stop()
}

func TestWithoutAHealthRouteHealthyWaitsForThePort(t *testing.T) {
	t.Parallel()
	main := `import time
from flask import Flask

time.sleep(3)
app = Flask(__name__)

@app.get("/")
def hello():
    return "hello"
`
	r := served(t, main, `command = ["{python}", "-m", "flask", "--app", "main", "run", "--port", "{port}"]`+"\n[health]\npath = \"\"\ninterval = \"200ms\"\n")
	f := r.run()
	started := f.await("started")
	healthy := f.await("healthy")
	require.GreaterOrEqual(t, healthy.At.Sub(started.At), 2500*time.Millisecond, "Python still imported")
	require.Equal(t, "hello", r.get("/"))
	text := r.log()
	time.Sleep(2 * time.Second)
	require.Equal(t, strings.Count(text, "\n"), strings.Count(r.log(), "\n"), "nothing is asked of a server that has no path for it")
	f.stop()
}

func TestWorkersThatDieAtOnceAreSeenAndCounted(t *testing.T) {
	t.Parallel()
	main := `import os, threading, time

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]

if os.path.exists("die"):
    threading.Thread(target=lambda: (time.sleep(0.7), os._exit(5)), daemon=True).start()
`
	r := served(t, main, `command = ["{python}", "-m", "gunicorn", "main:app", "-b", "127.0.0.1:{port}"]`+"\n[health]\ninterval = \"2s\"\n")
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "die"), nil, 0o644))
	f := r.run()
	loop := f.awaitFor(time.Minute, "worker-loop")
	require.Contains(t, loop.text, "workers died within 10 min")
	out, _ := r.do("status", r.dir)
	require.Contains(t, out, "workers died within 10 min")
	require.NotContains(t, out, "a worker died: a worker")
	f.stop()
}

func TestHealthIsAskedOverTLSAndAUnixSocket(t *testing.T) {
	t.Parallel()
	main := strings.Replace(prefixed, `prefix="/api"`, "", 1)
	_, err := exec.LookPath("openssl")
	needs(t, err == nil, "openssl is not installed")
	certificate := func(r *rig) {
		cmd := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost")
		cmd.Dir = r.dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	const tls = `command = ["{python}", "-m", "uvicorn", "main:app", "--port", "{port}", "--ssl-keyfile", "key.pem", "--ssl-certfile", "cert.pem"]` + "\n"
	t.Run("a server that speaks https is told so", func(t *testing.T) {
		t.Parallel()
		r := served(t, main, tls+often)
		certificate(r)
		f := r.run()
		told := f.awaitFor(20*time.Second, "misconfigured")
		require.Contains(t, told.text, "it speaks https")
		r.configure(tls + fmt.Sprintf("[health]\ninterval = \"200ms\"\nurl = \"https://127.0.0.1:%d/health\"\n", r.port))
		_, code := r.do("restart", r.dir)
		require.Zero(t, code)
		healthy := f.await("healthy")
		require.Contains(t, healthy.text, "its certificate is not checked")
		require.Contains(t, healthy.text, "https://127.0.0.1")
		f.stop()
	})
	t.Run("a Unix socket", func(t *testing.T) {
		t.Parallel()
		r := served(t, main, "")
		socket := filepath.Join(r.dir, "app.sock")
		r.port = 0
		r.configure(fmt.Sprintf("command = [\"{python}\", \"-m\", \"uvicorn\", \"main:app\", \"--uds\", %q]\n[health]\ninterval = \"200ms\"\nurl = \"unix:app.sock:/health\"\n", socket))
		f := r.run()
		f.await("healthy")
		require.NoError(t, f.cmd.Process.Signal(syscall.SIGINT))
		f.ended(0)
		r.empty()
	})
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A hung worker is told by its own frame: the parent only waits for it. The line that is to be told is marked "# here".

const sleepingWSGI = `import time


def app(environ, start):
    if environ["PATH_INFO"] == "/chat":
        time.sleep(3600)  # here
    start("200 OK", [("Content-Length", "0")])
    return [b""]
`

// pooled answers by a process of a pool. %s is how the pool is made.
const pooled = `import http.server, sys, time
%s

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/chat":
            ask()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    prepare()
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
`

const poolOf = `import multiprocessing

pool = None


def work():
    time.sleep(3600)  # here


def prepare():
    global pool
    pool = multiprocessing.get_context("%s").Pool(1)
    pool.apply(len, ("",))


def ask():
    pool.apply(work)
`

const executor = `import concurrent.futures
import subprocess

pool = None


def work():
    subprocess.run(["sleep", "3600"])  # here


def prepare():
    global pool
    pool = concurrent.futures.ProcessPoolExecutor(1)
    pool.submit(len, "").result()


def ask():
    pool.submit(work).result()
`

// seenProcess is a process of `vivarium stacks --json`.
type seenProcess struct {
	PID     int
	Worker  bool
	Problem string
	Threads []struct {
		Frames []struct {
			File string
			Line int
			Own  bool
		}
	}
}

func (r *rig) stacks() (pid int, processes []seenProcess) {
	r.t.Helper()
	out, code := r.do("stacks", "--json", r.dir)
	require.Zero(r.t, code, out)
	var seen struct {
		PID       int
		Processes []seenProcess
	}
	require.NoError(r.t, json.Unmarshal([]byte(out), &seen))
	return seen.PID, seen.Processes
}

func TestAHungWorkerIsToldByItsOwnFrame(t *testing.T) {
	t.Parallel()
	script := "command = [\"{python}\", \"main.py\", \"{port}\"]\n"
	patient := "[health]\ninterval = \"500ms\"\ntimeout = \"500ms\"\nfailures = 3\nbusy_limit = \"2s\"\n"
	for name, c := range map[string]struct {
		main, command string
		chats         int
		kinds         []string
		parts         int // Pythons at least
	}{
		"uvicorn with two workers": {strings.Replace(sleeper, "time.sleep(3600)", "time.sleep(3600)  # here", 1),
			"command = [\"{python}\", \"-m\", \"uvicorn\", \"main:app\", \"--port\", \"{port}\", \"--workers\", \"2\"]\n", 12, []string{"loop-blocked"}, 3},
		"gunicorn with two workers": {sleepingWSGI,
			"command = [\"{python}\", \"-m\", \"gunicorn\", \"-w\", \"2\", \"-b\", \"127.0.0.1:{port}\", \"--timeout\", \"0\", \"main:app\"]\n", 2, []string{"threads-exhausted"}, 3},
		"a shell script before gunicorn": {sleepingWSGI, "command = [\"./run.sh\", \"{port}\"]\n", 2, []string{"threads-exhausted"}, 3},
		"multiprocessing by spawn":       {fmt.Sprintf(pooled, fmt.Sprintf(poolOf, "spawn")), script, 1, []string{"threads-exhausted"}, 2},
		"multiprocessing by fork":        {fmt.Sprintf(pooled, fmt.Sprintf(poolOf, "fork")), script, 1, []string{"threads-exhausted"}, 2},
		"concurrent.futures":             {fmt.Sprintf(pooled, executor), script, 1, []string{"subprocess"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := served(t, c.main, c.command+patient)
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "run.sh"), []byte("#!/bin/sh\n.venv/bin/python -m gunicorn -w 2 -b 127.0.0.1:$1 --timeout 0 main:app\n"), 0o755))
			old := time.Now().Add(-time.Minute)
			require.NoError(t, os.Chtimes(filepath.Join(r.dir, "main.py"), old, old))
			f := r.run()
			leader := f.await("healthy").PID
			looked(r)
			for range c.chats {
				r.behind("/chat")
			}
			hung := make(chan struct{})
			if c.chats > 2 { // whoever wakes first may accept all of them: the other worker is asked until it hangs, too
				go func() {
					for {
						select {
						case <-hung:
							return
						case <-t.Context().Done():
							return
						case <-time.After(200 * time.Millisecond):
							r.behind("/chat")
						}
					}
				}()
			}
			told := f.await("unhealthy")
			close(hung)
			for told.Stall.Kind == "" || told.Stall.File == "" {
				later := f.await("stalled")
				require.Less(t, later.At.Sub(told.At), 4*time.Second)
				told = later
			}
			require.Contains(t, c.kinds, told.Stall.Kind, "%+v", told.Stall)
			require.Equal(t, filepath.Join(r.dir, "main.py"), told.Stall.File)
			text := strings.Split(c.main, "\n")
			require.Contains(t, text[told.Stall.Line-1], "# here", told.Stall.Summary)

			pid, processes := r.stacks()
			require.NotEqual(t, leader, pid, "a worker is what stands still")
			require.GreaterOrEqual(t, len(processes), c.parts, "%+v", processes)
			asked := slices.IndexFunc(processes, func(p seenProcess) bool { return p.PID == pid })
			require.True(t, processes[asked].Worker)
			for _, p := range processes {
				require.Empty(t, p.Problem, "the recorder is in each")
			}
			f.stop()
		})
	}
}

func TestAnExceptionThatEndsAWorkerIsTold(t *testing.T) {
	t.Parallel()
	r := served(t, "def app(environ, start):\n    start('200 OK', [])\n    return [b'']\n\n\nimport os\nif os.path.exists('broken'):\n    raise RuntimeError('the index is of version 3')\n",
		"command = [\"{python}\", \"-m\", \"gunicorn\", \"-w\", \"2\", \"-b\", \"127.0.0.1:{port}\", \"main:app\"]\n"+often)
	f := r.run()
	f.await("healthy")
	looked(r)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "broken"), nil, 0o644))
	leader := r.status().PID
	for _, p := range r.servers() { // a worker dies, and the one in its place cannot start
		if p.parent == leader {
			require.NoError(t, syscall.Kill(p.pid, syscall.SIGKILL))
			break
		}
	}
	died := f.await("worker-died")
	for !strings.Contains(died.Verdict.Summary, "the index is of version 3") { // the first one was killed
		died = f.await("worker-died")
	}
	require.Equal(t, "worker-died", died.Verdict.Kind)
	f.stop()
}

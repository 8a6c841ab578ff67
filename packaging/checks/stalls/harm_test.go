//go:build e2e

package stalls

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// requests is how often a process is asked: few, or all of them with VIVARIUM_STORM=full.
func requests(few, all int) int {
	if os.Getenv("VIVARIUM_STORM") == "full" {
		return all
	}
	return few
}

// storm sends a process the signal of the recorder again and again, and keeps its file short. It returns how many answers were written.
func (p *process) storm(pid, n int, pause func() time.Duration) int {
	p.t.Helper()
	path, answers := filepath.Join(p.asker.Folder, strconv.Itoa(pid)+".stacks"), 0
	collect := func() {
		text, err := os.ReadFile(path)
		if err != nil {
			return
		}
		answers += strings.Count(string(text), "\n{\"stacks\":")
		if i := strings.IndexByte(string(text), '\n'); i >= 0 {
			_ = os.Truncate(path, int64(i)+1)
		}
	}
	for i := range n {
		if !p.alive() {
			break
		}
		require.NoError(p.t, p.signal(pid, "", syscall.SIGURG))
		time.Sleep(pause())
		if i%20 == 19 {
			collect()
		}
	}
	time.Sleep(100 * time.Millisecond)
	collect()
	return answers
}

func every(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func atRandom() time.Duration { return time.Duration(rand.Int64N(int64(8 * time.Millisecond))) }

const hot = `import sys, threading, time
def burn(n):
    total = 0
    while True:
        for i in range(100):
            total += sum(j for j in range(5))
        exec("x = 1")
        try:
            deep(n % 20)
        except ValueError:
            pass
def deep(n):
    if n == 0:
        raise ValueError
    deep(n - 1)
for n in range(6):
    threading.Thread(target=burn, args=(n,), daemon=True).start()
print("up", flush=True)
burn(7) if sys.argv[1] == "hot" else time.sleep(100000)
`

func TestNoHotProcessDiesOfBeingAsked(t *testing.T) {
	linuxOnly(t)
	require.NotEmpty(t, pythons())
	for version, python := range pythons() {
		for _, main := range []string{"idle", "hot"} {
			t.Run(version+" "+main, func(t *testing.T) {
				r := newRig(t)
				require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(hot), 0o644))
				p := r.launch(nil, python, "main.py", main)
				p.recorded()
				p.says("up")
				n := requests(200, 10_000)
				answers := p.storm(p.cmd.Process.Pid, n, every(5*time.Millisecond))
				require.True(t, p.alive(), "%s", p.out)
				require.Positive(t, answers)
				t.Logf("%s, main thread %s: %d signals, %d answers, alive", version, main, n, answers)
				require.Equal(t, "up\n", p.out.String(), "it prints nothing")
			})
		}
	}
}

// work is what each request does: the waits that a signal may interrupt.
const work = `import os, select, socket, sys, threading, time
lock = threading.Lock()
def work(n):
    try:
        time.sleep(0.002)
        r, w = os.pipe()
        if "gevent" not in sys.modules and "eventlet" not in sys.modules:  # they leave os.read as it is: the read would keep the writer from running
            threading.Timer(0.003, os.write, (w, b"x")).start()
            assert os.read(r, 1) == b"x"
        select.select([r], [], [], 0.002)
        a, b = socket.socketpair()
        a.settimeout(1)
        b.send(b"y")
        assert a.recv(1) == b"y"
        with lock:
            total = sum(range(200))
        for s in (a, b):
            s.close()
        os.close(r), os.close(w)
        return str(n)
    except OSError as e:
        return "broken: %r" % e
`

const asgi = `from work import work
import asyncio
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    n = scope["path"].rsplit("/", 1)[1]
    body = await asyncio.to_thread(work, n) if n != "health" else ""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})
`

const wsgi = `from work import work
def app(environ, start):
    n = environ["PATH_INFO"].rsplit("/", 1)[1]
    body = work(n) if n != "health" else ""
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body.encode()]
`

// TestNoServerIsHarmedByBeingAsked asks servers at random moments while clients compare every answer.
func TestSuspendedTasksAreShownOnEveryPython(t *testing.T) {
	linuxOnly(t)
	const text = `import asyncio


async def waits_for_nobody():
    await asyncio.get_running_loop().create_future()


async def main():
    task = asyncio.create_task(waits_for_nobody())
    print("up", flush=True)
    await task

asyncio.run(main())
`
	for version, python := range pythons() {
		t.Run(version, func(t *testing.T) {
			r := newRig(t)
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(text), 0o644))
			p := r.launch(nil, python, "main.py")
			p.recorded()
			p.says("up")
			got, err := p.asker.Ask(t.Context(), recorder.Target{PID: p.cmd.Process.Pid})
			require.NoError(t, err)
			lines := map[int]bool{}
			for _, task := range got.Stacks.Tasks {
				for _, f := range task {
					if filepath.Base(f.File) == "main.py" {
						lines[f.Line] = true
					}
				}
			}
			require.Equal(t, map[int]bool{5: true, 11: true}, lines)
		})
	}
}

func TestNoServerIsHarmedByBeingAsked(t *testing.T) {
	linuxOnly(t)
	flask := "from flask import Flask\nfrom work import work\napp = Flask('x')\n\n\n@app.route('/health')\ndef health():\n    return ''\n\n\n@app.route('/<n>')\ndef n(n):\n    return work(n)\n\n\napp.run(port=%PORT%, threaded=True)\n"
	for name, c := range map[string]struct {
		text   string
		args   []string
		worker bool
	}{
		"uvicorn":               {asgi, []string{"python", "-m", "uvicorn", "main:app", "--port", "%PORT%", "--loop", "asyncio", "--log-level", "error"}, false},
		"uvicorn, uvloop":       {asgi, []string{"python", "-m", "uvicorn", "main:app", "--port", "%PORT%", "--loop", "uvloop", "--log-level", "error"}, false},
		"gunicorn":              {wsgi, []string{"python", "-m", "gunicorn", "-b", "127.0.0.1:%PORT%", "main:app"}, true},
		"gunicorn, its arbiter": {wsgi, []string{"python", "-m", "gunicorn", "-b", "127.0.0.1:%PORT%", "--threads", "4", "main:app"}, false},
		"flask":                 {flask, []string{"python", "main.py"}, false},
		"gevent":                {"from gevent import monkey\nmonkey.patch_all()\nfrom gevent.pywsgi import WSGIServer\n" + wsgi + "WSGIServer(('127.0.0.1', %PORT%), app, log=None).serve_forever()\n", []string{"python", "main.py"}, false},
		"eventlet":              {"import eventlet\neventlet.monkey_patch()\nfrom eventlet import wsgi\n" + wsgi + "wsgi.server(eventlet.listen(('127.0.0.1', %PORT%)), app, log_output=False)\n", []string{"python", "main.py"}, false},
		"a handler of its own":  {"import signal\nsignal.signal(signal.SIGURG, lambda *a: None)\n" + flask, []string{"python", "main.py"}, false},
		"200 threads":           {"import threading\nfor i in range(200): threading.Thread(target=threading.Event().wait, daemon=True).start()\n" + flask, []string{"python", "main.py"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			port := freePort(t)
			fill := strings.NewReplacer("%PORT%", strconv.Itoa(port)).Replace
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "work.py"), []byte(work), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(fill(c.text)), 0o644))
			args := []string{inVenv(t, c.args[0])}
			if name == "eventlet" {
				args[0] = agent(t, c.args[0])
			}
			for _, a := range c.args[1:] {
				args = append(args, fill(a))
			}
			p := r.launch(nil, args...)
			p.recorded()
			p.answers(port)
			pid := p.cmd.Process.Pid
			if c.worker {
				pid = p.worker().PID
			}
			stop := make(chan struct{})
			var wg sync.WaitGroup
			var good, bad atomic.Int64
			for client := range 4 {
				wg.Go(func() {
					for n := client; ; n += 4 {
						select {
						case <-stop:
							return
						default:
						}
						if body, err := get(port, strconv.Itoa(n)); err == nil && body == strconv.Itoa(n) {
							good.Add(1)
						} else if bad.Add(1) < 5 {
							t.Errorf("request %d: %q %v", n, body, err)
						}
					}
				})
			}
			n := requests(150, 1000)
			answers := p.storm(pid, n, atRandom)
			close(stop)
			wg.Wait()
			require.True(t, p.alive(), "%s", p.out)
			require.Zero(t, bad.Load())
			require.Positive(t, good.Load())
			t.Logf("%s: %d signals, %d answers of the recorder, %d right answers of the server", name, n, answers, good.Load())
			if name == "a handler of its own" {
				require.Zero(t, answers, "the program's handler has the signal")
				return
			}
			require.Positive(t, answers)
			target := recorder.Target{PID: pid}
			if c.worker {
				target.Forked = p.cmd.Process.Pid
			}
			got, err := p.asker.Ask(t.Context(), target)
			require.NoError(t, err)
			require.False(t, got.Silent)
			require.True(t, got.Stacks.Threads[0].Main)
			if name == "200 threads" {
				require.Greater(t, len(got.Stacks.Threads), 200)
			}
		})
	}
}

func get(port int, path string) (string, error) {
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/%s", port, path))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestForksAreNotHarmedAndMakeFilesOfTheirOwnOnlyWhenAsked(t *testing.T) {
	linuxOnly(t)
	r := newRig(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(`import os, time
print("up", flush=True)
end = time.time() + float(os.environ["SECONDS_LONG"])
n = 0
while time.time() < end:
    pid = os.fork()
    if pid == 0:
        time.sleep(0.001)
        os._exit(7)
    done, status = os.waitpid(pid, 0)
    assert done == pid and os.WEXITSTATUS(status) == 7, status
    n += 1
print("forked", n, flush=True)
time.sleep(100000)
`), 0o644))
	n := requests(200, 1000)
	p := r.launch([]string{"SECONDS_LONG=" + strconv.Itoa(n/200+1)}, inVenv(t, "python"), "main.py")
	p.recorded()
	p.says("up")
	answers := p.storm(p.cmd.Process.Pid, n, atRandom)
	p.says("forked")
	t.Logf("%d signals, %d answers; %s", n, answers, strings.TrimSpace(p.out.String()))
	files, err := filepath.Glob(filepath.Join(p.asker.Folder, "*.stacks"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), 2, "a fork that nobody asked has no file")
}

func TestNothingIsWrittenIntoAServersOwnFiles(t *testing.T) {
	linuxOnly(t)
	r := newRig(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(`import ctypes, os, sys, time
os.closerange(3, 256)
mine = [os.open("mine%d" % n, os.O_RDWR | os.O_CREAT | os.O_APPEND) for n in range(10)]
assert mine[0] == 3, mine
for fd in mine:
    os.write(fd, b"mine")
print("up", flush=True)
if sys.argv[1] == "stuck":
    libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)
while True:
    time.sleep(0.001)
    os.closerange(100, 200)
    os.closerange(13, 100)
`), 0o644))
	for _, how := range []string{"running", "stuck"} {
		t.Run(how, func(t *testing.T) {
			for n := range 10 {
				_ = os.Remove(filepath.Join(r.dir, "mine"+strconv.Itoa(n)))
			}
			p := r.launch(nil, inVenv(t, "python"), "main.py", how)
			p.recorded()
			p.says("up")
			target := recorder.Target{PID: p.cmd.Process.Pid}
			if how == "running" {
				answers := p.storm(target.PID, requests(200, 1000), atRandom)
				require.Positive(t, answers)
				t.Logf("%d answers", answers)
			}
			got, err := p.asker.Ask(t.Context(), target)
			require.NoError(t, err)
			require.Equal(t, how == "stuck", got.Silent)
			if how == "stuck" {
				require.Contains(t, got.Why, "another file")
			}
			for n := range 10 {
				text, err := os.ReadFile(filepath.Join(r.dir, "mine"+strconv.Itoa(n)))
				require.NoError(t, err)
				require.Equal(t, "mine", string(text))
			}
			require.True(t, p.alive())
		})
	}
}

func TestWhatIsCutOfManyThreadsIsSaid(t *testing.T) {
	linuxOnly(t)
	r := newRig(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(`import threading, time
threading.stack_size(128 << 10)
for n in range(600):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
def deep(n):
    if n:
        return deep(n - 1)
    print("up", flush=True)
    time.sleep(100000)
deep(300)
`), 0o644))
	p := r.launch(nil, inVenv(t, "python"), "main.py")
	p.says("up")
	got, err := p.asker.Ask(t.Context(), recorder.Target{PID: p.cmd.Process.Pid})
	require.NoError(t, err)
	require.Len(t, got.Stacks.Threads, 512)
	require.Equal(t, 601-512, got.Stacks.Cut)
	require.True(t, got.Stacks.Threads[0].Main)
	require.Len(t, got.Stacks.Threads[0].Frames, 100)
	require.Equal(t, 302-100, got.Stacks.Threads[0].Cut)
}

func TestAnotherSignalsExceptionIsTheProgramsOwn(t *testing.T) {
	linuxOnly(t)
	r := newRig(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(`import signal, time
class Late(Exception):
    pass
def late(number, frame):
    raise Late
signal.signal(signal.SIGALRM, late)
print("up", flush=True)
raised = 0
for n in range(500):
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    try:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            pass
        print("lost", flush=True)
    except Late:
        raised += 1
print("raised", raised, flush=True)
time.sleep(100000)
`), 0o644))
	p := r.launch(nil, inVenv(t, "python"), "main.py")
	p.recorded()
	p.says("up")
	for range 5000 {
		if strings.Contains(p.out.String(), "raised") || !p.alive() {
			break
		}
		p.storm(p.cmd.Process.Pid, 20, every(300*time.Microsecond))
	}
	p.says("raised 500")
	require.NotContains(t, p.out.String(), "lost")
}

// TestNoStallIsToldOfAServerUnderLoad judges a server of four workers that answers all the time.
func TestNoStallIsToldOfAServerUnderLoad(t *testing.T) {
	linuxOnly(t)
	r := newRig(t)
	port := freePort(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "work.py"), []byte(work), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(asgi), 0o644))
	p := r.launch(nil, inVenv(t, "python"), "-m", "uvicorn", "main:app", "--port", strconv.Itoa(port), "--workers", "4", "--log-level", "error")
	p.recorded()
	p.answers(port)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = get(port, "5")
				}
			}
		})
	}
	defer func() { close(stop); wg.Wait() }()
	told, looks := map[stall.Kind]int{}, 0
	end := time.Now().Add(time.Duration(requests(12, 60)) * time.Second)
	for time.Now().Before(end) {
		files, err := filepath.Glob(filepath.Join(p.asker.Folder, "*.stacks"))
		require.NoError(t, err)
		for _, file := range files {
			pid, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(file), ".stacks"))
			if args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err != nil || !strings.Contains(string(args), "spawn_main") {
				continue
			}
			c := observe(p, recorder.Target{PID: pid}, stall.Asked, 3, 250*time.Millisecond)
			c.Dir = r.dir
			told[stall.Judge(c).Kind]++
			looks++
		}
	}
	t.Logf("%d looks: %v", looks, told)
	require.Positive(t, looks)
	for _, k := range []stall.Kind{stall.KindLoop, stall.KindThreads, stall.KindDeadlock, stall.KindPaused, stall.KindMainEnded, stall.KindWedged} {
		require.Zero(t, told[k], "%v", told)
	}
}

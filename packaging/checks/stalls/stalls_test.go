//go:build e2e

package stalls

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// standstill is a program that stands still, and what is to be said of it. The line of the person's that decides is marked "# here".
type standstill struct {
	name    string
	files   map[string]string
	command []string // %PORT%, %SLOW% (host:port of a server that never answers) are filled in; the first is a program of the environment
	env     []string
	pokes   []string // paths that are asked for once the server answers
	says    string   // or: wait for this output
	worker  bool     // look at a forked worker of it
	then    func(*process)
	phase   stall.Phase
	kind    stall.Kind
	words   string // in the summary
	apart   time.Duration
}

const fastapi = `import time
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health():
    return {}


`

func uvicorn(more ...string) []string {
	return append([]string{"python", "-m", "uvicorn", "main:app", "--port", "%PORT%", "--log-level", "warning"}, more...)
}

func script(source string) map[string]string { return map[string]string{"main.py": source} }

func standstills() []standstill {
	forever := `    time.sleep(1000)  # here
`
	return []standstill{
		{name: "sleep in async def", files: script(fastapi + "@app.get('/x')\nasync def chat():\n" + forever), command: uvicorn("--loop", "asyncio"), pokes: []string{"/x"},
			kind: stall.KindLoop, words: "blocked by time.sleep, main.py line"},
		{name: "sleep in async def, uvloop", files: script(fastapi + "@app.get('/x')\nasync def chat():\n" + forever), command: uvicorn("--loop", "uvloop"), pokes: []string{"/x"},
			kind: stall.KindLoop, words: "blocked by time.sleep, main.py line"},
		{name: "sync HTTP in async def", files: script("import requests\n" + fastapi + "@app.get('/x')\nasync def chat():\n    return requests.get('http://%SLOW%/v1').json()  # here\n"),
			command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindLoop, words: "blocked by requests.get to 127.0.0.1:"},
		{name: "forty threads in a slow call", files: script(fastapi + "@app.get('/x')\ndef chat():\n" + forever), command: uvicorn(), pokes: repeated("/x", 45),
			kind: stall.KindThreads, words: "all 40 of AnyIO's threads are in time.sleep"},
		{name: "two locks in opposite order", files: script("import threading\n" + fastapi + `first, second = threading.Lock(), threading.Lock()


@app.get("/x")
def forward():
    with first:
        time.sleep(0.5)
        with second:  # here
            return {}


@app.get("/y")
def backward():
    with second:
        time.sleep(0.5)
        with first:  # here
            return {}
`), command: uvicorn(), pokes: []string{"/x", "/y"}, apart: time.Second, kind: stall.KindDeadlock, words: "wait for each other's locks"},
		{name: "a lock that nobody gives back", files: script("import threading\n" + fastapi + `gate = threading.Lock()
gate.acquire()


@app.get("/x")
def chat():
    with gate:  # here
        return {}
`), command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindLock, words: "waits for gate"},
		{name: "an empty queue", files: script("import queue\njobs = queue.Queue()\nprint('up')\n\n\ndef work():\n    return jobs.get()  # here\n\n\nwork()\n"),
			command: []string{"python", "main.py"}, says: "up", kind: stall.KindLock, words: "waits for queue.get"},
		{name: "a read from a server that never answers", files: script(`import socket
s = socket.create_connection(("127.0.0.1", %SLOWPORT%))
print("up")
s.recv(1)  # here
`), command: []string{"python", "main.py"}, says: "up", kind: stall.KindNetwork, words: "waits for 127.0.0.1:"},
		{name: "a connect that is never accepted", files: script(`import socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
held = []
for n in range(2):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(listener.getsockname())
    held.append(s)
print("up")
s = socket.socket()
s.connect(listener.getsockname())  # here
`), command: []string{"python", "main.py"}, says: "up", kind: stall.KindNetwork, words: "s.connect"},
		{name: "a TLS handshake that stalls", files: script(`import socket
import ssl
s = socket.create_connection(("127.0.0.1", %SLOWPORT%))
print("up")
ssl.create_default_context().wrap_socket(s, server_hostname="localhost")  # here
`), command: []string{"python", "main.py"}, says: "up", kind: stall.KindNetwork, words: "waits for 127.0.0.1:"},
		{name: "another program", files: script("import subprocess\nprint('up')\nsubprocess.run(['sleep', '1000'])  # here\n"), command: []string{"python", "main.py"}, says: "up",
			kind: stall.KindSubprocess, words: "subprocess.run"},
		{name: "a FIFO that nobody writes", files: script("import os\nos.mkfifo('pipe')\nprint('up')\nopen('pipe').read()  # here\n"), command: []string{"python", "main.py"}, says: "up",
			kind: stall.KindDisk, words: "waits for a file (open)"},
		{name: "SIGSTOP", files: script("import time\nprint('up')\ntime.sleep(1000)\n"), command: []string{"python", "main.py"}, says: "up",
			then: func(p *process) { require.NoError(p.t, syscall.Kill(p.cmd.Process.Pid, syscall.SIGSTOP)) }, kind: stall.KindPaused, words: "SIGSTOP"},
		{name: "a C call that holds the GIL", files: script(`import ctypes
libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(mutex)
print("up")
libc.pthread_mutex_lock(mutex)  # here
`), command: []string{"python", "main.py"}, says: "up", kind: stall.KindNative, words: "pthread_mutex_lock"},
		{name: "a C call that holds the GIL below a server", files: script("import ctypes\n" + fastapi + "@app.get('/x')\nasync def chat():\n    libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)\n    libc.pthread_mutex_lock(mutex)\n    libc.pthread_mutex_lock(mutex)  # here\n"),
			command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindLoop, words: "pthread_mutex_lock"},
		{name: "a long search in faiss", files: script("import faiss\nimport numpy\n" + fastapi + `faiss.omp_set_num_threads(1)
vectors = numpy.random.default_rng(1).random((20000, 256), dtype=numpy.float32)
index = faiss.IndexFlatL2(256)
index.add(vectors)


@app.get("/x")
def search():
    index.search(vectors, 10)  # here
    return {}
`), command: uvicorn(), pokes: []string{"/x"}, phase: stall.Busy, kind: stall.KindNative, words: "busy in faiss.search, main.py line"},
		{name: "a long product in numpy", files: script("import numpy as np\n" + fastapi + `a = np.random.default_rng(1).random((3000, 3000))


@app.get("/x")
def product():
    return np.linalg.svd(a)  # here
`), command: uvicorn(), env: []string{"OPENBLAS_NUM_THREADS=1"}, pokes: []string{"/x"}, phase: stall.Busy, kind: stall.KindNative, words: "busy in numpy"},
		{name: "a computation in async def", files: script(fastapi + `@app.get("/x")
async def crunch():
    total = 0
    while True: total += 1  # here
`), command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindLoop, words: "a computation in crunch"},
		{name: "an import that never ends", files: map[string]string{"main.py": "import model\n", "model.py": "import time\nprint('up')\ntime.sleep(1000)  # here\n"},
			command: []string{"python", "main.py"}, says: "up", phase: stall.Starting, kind: stall.KindImporting, words: "importing model.py"},
		{name: "a download with requests", files: script(`import requests
print("up")


def fetch():
    with requests.get("http://%SLOW%/model.bin", stream=True) as answer, open("model.bin", "wb") as out:
        for part in answer.iter_content(1 << 20):  # here
            out.write(part)


fetch()
`), command: []string{"python", "main.py"}, says: "up", phase: stall.Starting, kind: stall.KindDownload, words: "downloading"},
		{name: "a download from the hub", files: script(`from huggingface_hub import hf_hub_download
print("up")
hf_hub_download("org/model", "model.bin")  # here
`), command: []string{"python", "main.py"}, env: []string{"HF_ENDPOINT=http://%SLOW%", "HF_HOME=hub", "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_PROGRESS_BARS=1"}, says: "up", apart: time.Second,
			phase: stall.Starting, kind: stall.KindDownload, words: "downloading a model (huggingface_hub)"},
		{name: "gunicorn with one sync worker stuck", files: script(`import time


def app(environ, start):
    if environ["PATH_INFO"] == "/x":
        time.sleep(1000)  # here
    start("200 OK", [])
    return [b""]
`), command: []string{"python", "-m", "gunicorn", "-b", "127.0.0.1:%PORT%", "--timeout", "0", "main:app"}, pokes: []string{"/x"}, worker: true,
			kind: stall.KindThreads, words: "the only worker is in time.sleep"},
		{name: "a future that nobody sets", files: script(`import asyncio


async def main():
    print("up")
    await asyncio.get_running_loop().create_future()  # here


asyncio.run(main())
`), command: []string{"python", "main.py"}, says: "up", kind: stall.KindIdle, words: "a coroutine waits at main.py line"},
		{name: "a main thread that ended", files: script(`import threading
import time


def work():
    while True:
        time.sleep(1000)  # here


threading.Thread(target=work).start()
raise RuntimeError("no model")
`), command: []string{"python", "main.py"}, says: "no model", kind: stall.KindMainEnded, words: "ended by RuntimeError: no model"},
		{name: "a debugger's prompt", files: script(fastapi + "@app.get('/x')\nasync def chat():\n    breakpoint()  # here\n    return {}  # here\n"), command: uvicorn(), pokes: []string{"/x"},
			kind: stall.KindPaused, words: "prompt"},
	}
}

// libraries are standstills inside of libraries that people use, below other servers than FastAPI too.
func libraries() []standstill {
	aiohttp := func(body string) map[string]string {
		return script("import time\nfrom aiohttp import web\n\n\nasync def health(request):\n    return web.Response()\n\n\nasync def chat(request):\n" + body +
			"\n\napp = web.Application()\napp.add_routes([web.get('/health', health), web.get('/x', chat)])\nweb.run_app(app, host='127.0.0.1', port=%PORT%, print=None)\n")
	}
	direct := []string{"python", "main.py"}
	endpoint := func(imports, body string) map[string]string {
		return script(imports + "\n" + fastapi + body)
	}
	return []standstill{
		{name: "aiohttp sleeps", files: aiohttp("    time.sleep(1000)  # here\n"), command: direct, pokes: []string{"/x"}, kind: stall.KindLoop, words: "blocked by time.sleep, main.py line"},
		{name: "tornado asks another server", files: script(`import requests
import tornado


class Health(tornado.web.RequestHandler):
    def get(self):
        self.write("")


class Chat(tornado.web.RequestHandler):
    async def get(self):
        self.write(requests.post("http://%SLOW%/v1", json={}).text)  # here


import asyncio
import tornado.web


async def main():
    tornado.web.Application([("/health", Health), ("/x", Chat)]).listen(%PORT%, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
`), command: direct, pokes: []string{"/x"}, kind: stall.KindLoop, words: "blocked by requests.post to 127.0.0.1:"},
		{name: "redis in async def", files: endpoint("import redis", "store = redis.Redis(port=%SLOWPORT%)\n\n\n@app.get('/x')\nasync def chat():\n    return store.get('a')  # here\n"),
			command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindLoop, words: "blocked by redis.get to 127.0.0.1:"},
		{name: "psycopg in a thread", files: endpoint("import psycopg", "@app.get('/x')\ndef chat():\n    with psycopg.connect('host=127.0.0.1 port=%SLOWPORT% dbname=x') as c:  # here\n        return {}\n"),
			command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindNetwork, words: "waits for 127.0.0.1:"},
		{name: "boto3 in a thread", files: endpoint("import boto3", `s3 = boto3.client("s3", endpoint_url="http://%SLOW%/v1", region_name="x", aws_access_key_id="x", aws_secret_access_key="x")


@app.get("/x")
def chat():
    return s3.list_buckets()  # here
`), command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindNetwork, words: "waits for 127.0.0.1:"},
		{name: "grpc in a thread", files: endpoint("import grpc", `channel = grpc.insecure_channel("127.0.0.1:%SLOWPORT%")
call = channel.unary_unary("/x/y")


@app.get("/x")
def chat():
    return call(b"", wait_for_ready=True)  # here
`), command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindNetwork, words: "(grpc"},
		{name: "no connection of the pool is free", files: endpoint("import sqlalchemy", `engine = sqlalchemy.create_engine("sqlite:///x.db", poolclass=sqlalchemy.QueuePool, pool_size=2, max_overflow=0, pool_timeout=1000)
kept = []


@app.get("/x")
def chat():
    kept.append(engine.connect())  # here
    return {}
`), command: uvicorn(), pokes: repeated("/x", 5), kind: stall.KindLock, words: "a free connection of sqlalchemy's pool"},
		{name: "a lock of asyncio that is never released", files: endpoint("import asyncio", `gate = asyncio.Lock()


@app.get("/x")
async def chat():
    await gate.acquire()  # here
    return {}
`), command: uvicorn("--loop", "asyncio"), pokes: []string{"/x", "/x"}, kind: stall.KindLock, words: "for a lock of asyncio"},
		{name: "a condition that nobody notifies", files: endpoint("import threading", `ready = threading.Condition()


@app.get("/x")
def chat():
    with ready:
        ready.wait()  # here
    return {}
`), command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindLock, words: "waits for"},
		{name: "the loop waits for itself", files: endpoint("import asyncio", `async def answer():
    return {}


@app.get("/x")
async def chat():
    return asyncio.run_coroutine_threadsafe(answer(), asyncio.get_running_loop()).result()  # here
`), command: uvicorn(), pokes: []string{"/x"}, kind: stall.KindLoop, words: "blocked by waiting for"},
		{name: "a full executor", files: endpoint("import asyncio\nimport concurrent.futures", `pool = concurrent.futures.ThreadPoolExecutor(4)


def slow():
    time.sleep(1000)  # here


@app.get("/x")
async def chat():
    return await asyncio.get_running_loop().run_in_executor(pool, slow)
`), command: uvicorn(), pokes: repeated("/x", 8), kind: stall.KindThreads, words: "all 4 of the executor's threads are in time.sleep"},
		{name: "a tokenizer that trains", files: endpoint("from tokenizers import Tokenizer, models, trainers, pre_tokenizers", `import random
words = ["".join(random.choices("abcdefghijklmnop", k=12)) for _ in range(200000)]
tokenizer = Tokenizer(models.BPE())


@app.get("/x")
def train():
    while True:
        tokenizer.train_from_iterator(words, trainers.BpeTrainer(vocab_size=30000, show_progress=False))  # here
`), command: uvicorn(), env: []string{"TOKENIZERS_PARALLELISM=false"}, pokes: []string{"/x"}, phase: stall.Busy, kind: stall.KindNative, words: "busy in"},
		{name: "joblib waits for its workers", files: script("import joblib, time\n\n\ndef work(n):\n    time.sleep(1000)\n\n\nprint('up')\njoblib.Parallel(n_jobs=2)(joblib.delayed(work)(n) for n in range(2))  # here\n"),
			command: direct, says: "up", apart: 2 * time.Second, phase: stall.Starting, kind: stall.KindLock, words: "joblib"},
		{name: "a server in a second thread", files: script(`import threading
import time
import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health():
    return {}


@app.get("/x")
async def chat():
    time.sleep(1000)  # here


threading.Thread(target=uvicorn.run, args=(app,), kwargs={"port": %PORT%, "log_level": "warning"}, daemon=True).start()
while True:
    time.sleep(0.5)
`), command: direct, pokes: []string{"/x"}, kind: stall.KindLoop, words: "blocked by time.sleep, main.py line"},
		{name: "a thread that keeps the GIL busy", files: endpoint("import threading", `def crunch():
    total = 0
    while True:
        for n in range(1000):
            total += n * n  # here


@app.get("/x")
def start():
    threading.Thread(target=crunch, daemon=True).start()
`), command: uvicorn(), pokes: []string{"/x"}, apart: 2 * time.Second, kind: stall.KindBusy, words: "busy in crunch"},
	}
}

func repeated(s string, n int) []string {
	return strings.Split(strings.TrimSuffix(strings.Repeat(s+" ", n), " "), " ")
}

// slow is a server of models that sends the begin of a file and then nothing.
func slow(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1" {
			<-done
			return
		}
		w.Header().Set("X-Repo-Commit", strings.Repeat("a", 40))
		w.Header().Set("ETag", `"`+strings.Repeat("b", 40)+`"`)
		w.Header().Set("Content-Length", strconv.Itoa(200<<20))
		if r.Method != http.MethodHead {
			_, _ = w.Write(make([]byte, 64<<10))
			w.(http.Flusher).Flush()
			<-done
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { close(done); _ = server.Close() })
	return l.Addr().String()
}

// silent takes connections and never says a word.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestAServerThatStandsStillIsExplained(t *testing.T) {
	linuxOnly(t)
	for _, c := range slices.Concat(standstills(), libraries(), waits()) {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			port, quiet := freePort(t), silent(t)
			_, quietPort, _ := net.SplitHostPort(quiet)
			fill := strings.NewReplacer("%PORT%", strconv.Itoa(port), "%SLOWPORT%", quietPort, "%SLOW%", slow(t)).Replace
			for name, text := range c.files {
				require.NoError(t, os.WriteFile(filepath.Join(r.dir, name), []byte(fill(text)), 0o644))
			}
			args := []string{inVenv(t, c.command[0])}
			for _, a := range c.command[1:] {
				args = append(args, fill(a))
			}
			var env []string
			for _, e := range c.env {
				env = append(env, fill(e))
			}
			p := r.launch(env, args...)
			p.recorded()
			if c.says != "" {
				p.says(c.says)
			} else {
				p.answers(port)
				for _, path := range c.pokes {
					poke(t, port, path)
				}
			}
			target := recorder.Target{PID: p.cmd.Process.Pid}
			if c.worker {
				target = p.worker()
			}
			arrives(p, target, r.dir)
			time.Sleep(max(c.apart, 400*time.Millisecond)) // until all of it stands still
			if c.then != nil {
				c.then(p)
			}
			if c.phase == "" {
				c.phase = stall.Unhealthy
			}
			found := observe(p, target, c.phase, 3, 500*time.Millisecond)
			found.Dir = r.dir
			fixture(t, strings.ReplaceAll(c.name, " ", "-"), r.dir, found)
			got := stall.Judge(found)
			t.Logf("%s: %s (%s)", got.Kind, got.Summary, got.Remedy)
			require.Equal(t, c.kind, got.Kind, "%+v", got)
			require.Contains(t, got.Summary, c.words)
			if c.kind != stall.KindPaused || len(c.pokes) > 0 {
				text, err := os.ReadFile(got.File)
				require.NoError(t, err, "%+v", got)
				require.Contains(t, strings.Split(string(text), "\n")[got.Line-1], "# here", fmt.Sprintf("%+v", got))
			}
			require.True(t, p.alive(), "asking does no harm")
		})
	}
}

// worker is a process that the run has forked.
func (p *process) worker() recorder.Target {
	p.t.Helper()
	leader := p.cmd.Process.Pid
	var found int
	p.eventually(func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", leader, leader))
		fields := strings.Fields(string(text))
		if err != nil || len(fields) == 0 {
			return false
		}
		found, err = strconv.Atoi(fields[0])
		return err == nil
	}, "it has a worker")
	return recorder.Target{PID: found, Forked: leader}
}

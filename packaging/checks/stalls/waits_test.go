//go:build e2e

package stalls

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// waits are programs that wait for what they themselves should give, for what others hold, and for what was forked or left behind.
func waits() []standstill {
	return []standstill{
		{name: "a regular expression that backtracks", files: script("import re\n" + fastapi + `BODY = re.compile(r'((?:.|\s)*)(//.*END.*$)')


@app.get('/x')
async def clean():
    return BODY.search('a b c' * 40)  # here
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindLoop, words: "blocked by BODY.search"},
		{name: "a pool that waits for itself", files: script("from concurrent.futures import ThreadPoolExecutor\n" + fastapi + `pool = ThreadPoolExecutor(max_workers=4)


def chunk():
    return 1


def summarise():
    return pool.submit(chunk).result()  # here


@app.get('/x')
async def x():
    for n in range(4): pool.submit(go)
    return {}


def go():
    time.sleep(0.3)
    return summarise()
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindThreads, words: "all 4 of the executor's threads wait for results"},
		{name: "one thread that waits for itself", files: script("import asyncio\nfrom concurrent.futures import ThreadPoolExecutor\n" + fastapi + `pool = ThreadPoolExecutor(1)


def embed():
    return 1


def summarise():
    return pool.submit(embed).result()  # here


@app.get('/x')
async def x():
    return await asyncio.wrap_future(pool.submit(summarise))
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindThreads, words: "the only thread of the executor waits"},
		{name: "sqlite waits for a writer", files: script("import sqlite3\n" + fastapi + `holder = sqlite3.connect('x.db', check_same_thread=False, isolation_level=None)
holder.execute('BEGIN IMMEDIATE')


@app.get('/x')
def save():
    db = sqlite3.connect('x.db', timeout=1000)
    db.execute('BEGIN IMMEDIATE')  # here
    return {}
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindLock, words: "the database (sqlite3)"},
		{name: "a lock file that was left", files: script(`import filelock, time
open('x.lock', 'w').close()
print('up', flush=True)
lock = filelock.SoftFileLock('x.lock')
lock.acquire()  # here
`), command: []string{"python", "main.py"}, says: "up",
			kind: stall.KindLock, words: "a lock file (filelock)"},
		{name: "a pipe that is full", files: script(`import subprocess
print('up', flush=True)
p = subprocess.Popen(['sh', '-c', 'yes | head -c 1000000'], stdout=subprocess.PIPE)
p.wait()  # here
`), command: []string{"python", "main.py"}, says: "up",
			kind: stall.KindSubprocess, words: "subprocess.wait"},
		{name: "no connection of httpx is free", files: script("import httpx\n" + fastapi + `client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=1))


@app.get('/x')
async def ask():
    r = await client.send(client.build_request('GET', 'http://%SLOW%/'), stream=True)  # here
    return r.status_code
`), command: uvicorn(), pokes: repeated("/x", 3),
			apart: time.Second, kind: stall.KindLock, words: "a free connection of httpx's pool"},
		{name: "a coroutine waits for another server", files: script("import httpx\n" + fastapi + `client = httpx.AsyncClient(timeout=None)


@app.get('/x')
async def ask():
    r = await client.get('http://%SLOW%/')  # here
    return r.status_code
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindNetwork, words: "httpx.get"},
		{name: "a manager that does not answer", files: script("import multiprocessing, os, signal\n" + fastapi + `manager = None


@app.get('/x')
def chat():
    global manager
    manager = multiprocessing.get_context('fork').Manager()
    shared = manager.dict()
    os.kill(manager._process.pid, signal.SIGSTOP)
    return shared.get('x')  # here
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindLock, words: "the process of a multiprocessing.Manager"},
		{name: "the loop waits for itself in two lines", files: script("import asyncio\n" + fastapi + `async def model():
    return 1


@app.get('/x')
async def ask():
    loop = asyncio.get_running_loop()
    fut = asyncio.run_coroutine_threadsafe(model(), loop)
    return fut.result()  # here
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindLoop, words: "fut.result"},
		{name: "a lock of a file", files: script(`import fcntl
a = open('x.lock', 'w')
fcntl.flock(a, fcntl.LOCK_EX)
b = open('x.lock', 'w')
print('up', flush=True)
fcntl.flock(b, fcntl.LOCK_EX)  # here
`), command: []string{"python", "main.py"}, says: "up",
			kind: stall.KindLock, words: "fcntl.flock"},
		{name: "two objects of one class", files: script("import threading\n" + fastapi + `class Account:
    def __init__(self):
        self.lock = threading.Lock()

    def pay(self, other):
        with self.lock:
            time.sleep(0.5)
            with other.lock:  # here
                pass


a, b = Account(), Account()


@app.get('/x')
def x():
    threading.Thread(target=b.pay, args=(a,), daemon=True).start()
    a.pay(b)
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindDeadlock, words: "seem to wait for each other's locks"},
		{name: "a tree of objects of one class", files: script("import threading\n" + fastapi + `class Node:
    def __init__(self, *children):
        self.lock = threading.Lock()
        self.children = children

    def total(self):
        with self.lock:  # here
            return 1 + sum(c.total() for c in self.children)


leaf = Node()
root = Node(leaf)


@app.get('/x')
def x():
    leaf.lock.acquire()
    return root.total()
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindLock, words: "waits for self.lock"},
		{name: "a method that calls another of its object", files: script("import threading\n" + fastapi + `class Store:
    def __init__(self):
        self.lock = threading.Lock()

    def size(self):
        with self.lock:  # here
            return 1

    def add(self):
        with self.lock:
            return self.size()


store = Store()


@app.get('/x')
def x():
    return store.add()
`), command: uvicorn(), pokes: []string{"/x"},
			apart: time.Second, kind: stall.KindDeadlock, words: "a lock that it holds itself"},
		{name: "a semaphore of asyncio", files: script("import asyncio\n" + fastapi + `gate = asyncio.Semaphore(1)


@app.get('/x')
async def ask():
    await gate.acquire()  # here
    return {}
`), command: uvicorn(), pokes: repeated("/x", 3),
			apart: time.Second, kind: stall.KindLock, words: "a place of a semaphore"},
		{name: "a destructor that uses its queue", files: script(`import queue


class Jobs(queue.Queue):
    def _get(self):
        item = super()._get()
        item = None
        return item


class Job:
    def __del__(self):
        jobs.put('gone')  # here


jobs = Jobs()
jobs.put(Job())
print('up', flush=True)
jobs.get()
`), command: []string{"python", "main.py"}, says: "up",
			kind: stall.KindDeadlock, words: "__del__ was called"},
		{name: "a handler of logging that does not return", files: script(`import logging
import os
import threading
import time


class Slow(logging.StreamHandler):
    def emit(self, record):
        time.sleep(1000)


log = logging.getLogger('x')
log.addHandler(Slow())
log.setLevel('INFO')
threading.Thread(target=log.info, args=('one',), daemon=True).start()
time.sleep(0.3)
print('up', flush=True)
log.info('two')  # here
`), command: []string{"python", "main.py"}, says: "up",
			kind: stall.KindLock, words: "a lock of logging"},
	}
}

// arrives waits until a thread or a coroutine is at a line that is marked, or the process no longer says where it is: on a loaded machine a request
// takes its time to come there. A process in which no line is marked, or that does not come there, is left to the judge.
func arrives(p *process, target recorder.Target, dir string) {
	marked := map[string][]int{}
	files, _ := filepath.Glob(filepath.Join(dir, "*.py"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for n, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "# here") {
				marked[file] = append(marked[file], n+1)
			}
		}
	}
	for limit := time.Now().Add(10 * time.Second); len(marked) > 0 && time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
		answer, err := p.asker.Ask(p.t.Context(), target)
		if err != nil || answer.Silent {
			return
		}
		at := func(f stall.Frame) bool { return slices.Contains(marked[f.File], f.Line) }
		if slices.ContainsFunc(threads(answer.Stacks), func(t stall.Thread) bool { return slices.ContainsFunc(t.Frames, at) }) ||
			slices.ContainsFunc(tasks(answer.Stacks), func(t []stall.Frame) bool { return slices.ContainsFunc(t, at) }) {
			return
		}
	}
}

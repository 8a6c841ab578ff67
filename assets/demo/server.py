#!/usr/bin/env python3
"""The demo backend of Vivarium: a small AI-backend look-alike that dies on request, for real.

It needs nothing but the standard library of Python 3.8 or newer. Open its page, press a button, and watch what Vivarium does
about it. Every route does what it says:

    GET  /                        the page
    GET  /health                  {"status": "ok", ...}
    POST /do/two-openmp           load two OpenMP runtimes, as torch and faiss do together
    POST /do/two-openmp-unsafe    the same without KMP_DUPLICATE_LIB_OK: aborts with "OMP: Error #15"
    POST /do/segfault             read from address 0: SIGSEGV
    POST /do/abort                abort(): SIGABRT
    POST /do/exception            an exception that nobody catches: traceback, exit 1
    POST /do/exit                 exit 3
    POST /do/hang                 nothing is answered any more
    POST /do/hang-with-log        the same, with a log line every second
    POST /do/busy?seconds=30      computes, and answers nothing meanwhile
    POST /do/slow?seconds=5       from now on /health takes so long
    POST /do/leak-semaphores      ten multiprocessing locks, then killed as by `killall -9 python`
    POST /do/memory?mb=512        holds so much memory (0 lets go of it)
    POST /do/ignore-stop          from now on SIGINT and SIGTERM are ignored
"""
import argparse
import ctypes
import glob
import json
import multiprocessing
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import resource_tracker
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

STARTED = time.monotonic()
MEMORY_LIMIT_MB = 2048
SECONDS_LIMIT = 600

# Every request passes through here, as it does through the one event loop of an async server: who holds it, blocks all.
event_loop = threading.Lock()
# What must happen in the main thread, where an exception ends the process.
main_thread = queue.Queue()

slow_seconds = 0.0
ballast = []
locks = []


def log(text, level="INFO"):
    print(f"{level + ':':<9} {text}", flush=True)


# --- OpenMP -------------------------------------------------------------------------------------------------------------


def find_openmp():
    """The paths of LLVM's OpenMP runtime on this computer, the likeliest first."""
    patterns = [
        "/usr/lib/llvm-*/lib/libomp.so.5",
        "/usr/lib/*/libomp.so.5",
        "/usr/lib64/libomp.so",
        "/opt/homebrew/opt/libomp/lib/libomp.dylib",
        "/usr/local/opt/libomp/lib/libomp.dylib",
    ]
    for site in sys.path:
        patterns += [f"{site}/torch/lib/libomp.dylib", f"{site}/faiss/.dylibs/libomp.dylib", f"{site}/sklearn/.dylibs/libomp.dylib"]
    return [path for pattern in patterns for path in sorted(glob.glob(pattern))]


def load_openmp(path):
    """Loads one runtime and makes it start: it looks for others only then."""
    library = ctypes.CDLL(path)
    library.omp_get_max_threads.restype = ctypes.c_int
    return library.omp_get_max_threads()


def load_copy(path):
    """Loads a copy under another name: to the loader it is another library, as faiss's own copy is."""
    folder = tempfile.mkdtemp(prefix="vivarium-demo-")
    try:
        copy = os.path.join(folder, "libomp-of-faiss" + Path(path).suffixes[0])
        shutil.copyfile(path, copy)
        return load_openmp(copy)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def two_openmp(safe):
    found = find_openmp()
    if not found:
        return 501, "No LLVM OpenMP runtime found. Debian: apt install libomp5-14. Mac: brew install libomp, or pip install torch."
    if not safe:
        # The runtime reads it with getenv, so it must leave the process's environment and not only Python's copy; this does both.
        os.environ.pop("KMP_DUPLICATE_LIB_OK", None)
    shield = os.environ.get("KMP_DUPLICATE_LIB_OK", "")
    log(f"loading two OpenMP runtimes: {found[0]} and a copy of it, KMP_DUPLICATE_LIB_OK={shield or 'not set'}")
    first = load_openmp(found[0])
    second = load_copy(found[0])
    log(f"both OpenMP runtimes work: {first} and {second} threads")
    if not safe or not shield:
        return 200, f"Survived without KMP_DUPLICATE_LIB_OK: this runtime ({found[0]}) does not mind a second copy."
    return 200, f"Survived: KMP_DUPLICATE_LIB_OK={shield} lets two OpenMP runtimes live in one process ({first} and {second} threads)."


# --- What the buttons do ------------------------------------------------------------------------------------------------
# Each takes the query's numbers and returns (status, text, afterwards): afterwards runs when the answer is on its way.


def later(task):
    """In a thread of its own: the answer is sent first."""
    return lambda: threading.Thread(target=task, daemon=True).start()


def do_two_openmp(_):
    return (*two_openmp(safe=True), None)


def do_two_openmp_unsafe(_):
    return (*two_openmp(safe=False), None)


def do_segfault(_):
    return 202, "Reading from address 0.", lambda: ctypes.string_at(0)


def do_abort(_):
    return 202, "Calling abort().", os.abort


def do_exception(_):
    def fail():
        weights = {"layer.0": [0.1, 0.2]}
        return weights["layer.1"]

    return 202, "Raising an exception that nobody catches.", lambda: main_thread.put(fail)


def do_exit(_):
    return 202, "Exiting with code 3.", lambda: main_thread.put(lambda: sys.exit(3))


def hang(with_log):
    event_loop.acquire()
    log("hangs from now on", "WARNING")
    while with_log:
        log("still alive, still not answering")
        time.sleep(1)


def do_hang(_):
    return 202, "Not answering any more.", later(lambda: hang(False))


def do_hang_with_log(_):
    return 202, "Not answering any more, but logging each second.", later(lambda: hang(True))


def do_busy(numbers):
    seconds = min(numbers.get("seconds", 30), SECONDS_LIMIT)

    def compute():
        with event_loop:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                sum(i * i for i in range(10_000))
        log(f"computed for {seconds:g} s")

    return 202, f"Computing for {seconds:g} s.", later(compute)


def do_slow(numbers):
    global slow_seconds
    slow_seconds = min(numbers.get("seconds", 5), SECONDS_LIMIT)
    return 200, f"/health takes {slow_seconds:g} s from now on.", None


def do_leak_semaphores(_):
    spawn = multiprocessing.get_context("spawn")  # "fork" unlinks the names at once
    locks.extend(spawn.Lock() for _ in range(10))

    def killed():
        # `killall -9 python` hits the resource tracker, too; alive, it would clean up.
        os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    return 202, f"Holding {len(locks)} named semaphores, then killed with SIGKILL: they stay until the next boot.", killed


def do_memory(numbers):
    mb = int(numbers.get("mb", 512))
    if mb <= 0:
        ballast.clear()
        return 200, "Let go of the memory.", None
    mb = min(mb, MEMORY_LIMIT_MB - len(ballast))
    # Ones, not zeros: untouched pages would cost nothing.
    ballast.extend(b"\x01" * (1 << 20) for _ in range(mb))
    return 200, f"Holding {len(ballast)} MB (at most {MEMORY_LIMIT_MB}).", None


def do_ignore_stop(_):
    done = threading.Event()

    def ignore():
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        log("SIGINT and SIGTERM are ignored from now on", "WARNING")
        done.set()

    main_thread.put(ignore)
    done.wait()
    return 200, "SIGINT and SIGTERM are ignored from now on.", None


ROUTES = {
    "two-openmp": do_two_openmp,
    "two-openmp-unsafe": do_two_openmp_unsafe,
    "segfault": do_segfault,
    "abort": do_abort,
    "exception": do_exception,
    "exit": do_exit,
    "hang": do_hang,
    "hang-with-log": do_hang_with_log,
    "busy": do_busy,
    "slow": do_slow,
    "leak-semaphores": do_leak_semaphores,
    "memory": do_memory,
    "ignore-stop": do_ignore_stop,
}


# --- HTTP ---------------------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    server_version = "VivariumDemo"
    timeout = 30

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/health":
            time.sleep(slow_seconds)
        with event_loop:
            if path == "/health":
                self.answer(200, health())
            elif path == "/":
                self.answer(200, (Path(__file__).parent / "page.html").read_bytes(), "text/html; charset=utf-8")
            else:
                self.answer(404, {"detail": "Not Found"})

    def do_POST(self):
        url = urlsplit(self.path)
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 65536))
        if not self.from_here():
            return self.answer(403, {"detail": "Only this computer's own page may do that."})
        route = ROUTES.get(url.path[len("/do/"):]) if url.path.startswith("/do/") else None
        if route is None:
            return self.answer(404, {"detail": "Not Found"})
        try:
            numbers = {key: max(0.0, float(values[-1])) for key, values in parse_qs(url.query).items()}
        except ValueError:
            return self.answer(400, {"detail": "That is not a number."})
        with event_loop:
            status, text, afterwards = route(numbers)
            self.answer(status, {"detail": text})
        if afterwards:
            afterwards()

    def from_here(self):
        """A web page elsewhere must not be able to press these buttons."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        return host.rsplit(":", 1)[0] in ("127.0.0.1", "localhost") and origin in (None, f"http://{host}")

    def answer(self, status, body, kind="application/json"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        log(f'{self.address_string()}:{self.client_address[1]} - "{self.requestline}" {int(code)}')

    def log_message(self, format, *args):
        log(format % args, "WARNING")


def health():
    return {
        "status": "ok",
        "pid": os.getpid(),
        "uptime_seconds": round(time.monotonic() - STARTED, 1),
        "python": ".".join(map(str, sys.version_info[:3])),
        "openmp": (find_openmp() or [""])[0],
        "under_vivarium": "VIVARIUM_RUN" in os.environ,
        "KMP_DUPLICATE_LIB_OK": os.environ.get("KMP_DUPLICATE_LIB_OK", ""),
        "memory_mb": len(ballast),
    }


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):  # the visitor left; not worth a traceback
            super().handle_error(request, client_address)


def terminate(signum, frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description="The demo backend of Vivarium")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8377)
    parser.add_argument("--load", type=float, default=0, metavar="SECONDS", help="take so long to start, as models do")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, terminate)
    log(f"Started server process [{os.getpid()}]")
    try:
        if options.load:
            log(f"Loading models: {options.load:g} s")
            time.sleep(options.load)
        try:
            server = Server((options.host, options.port), Handler)
        except OSError as e:
            address = (options.host, options.port)
            log(f"[Errno {e.errno}] error while attempting to bind on address {address}: {e.strerror.lower()}", "ERROR")
            sys.exit(1)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        log("Application startup complete.")
        log(f"Vivarium demo running on http://{options.host}:{server.server_address[1]} (Press CTRL+C to quit)")
        while True:
            main_thread.get()()
    except KeyboardInterrupt:
        log("Shutting down")
        log(f"Finished server process [{os.getpid()}]")
        os._exit(0)  # a thread that still logs can make the interpreter abort while it tidies up


if __name__ == "__main__":
    main()

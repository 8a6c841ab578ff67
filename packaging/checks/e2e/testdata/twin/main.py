"""A server of the standard library alone. Its environment says how it misbehaves; a file `lives` beside it gets one line a life.

usage: main.py PORT
"""
import fcntl, os, signal, subprocess, sys, threading, time

if __name__ == "__main__":  # not in multiprocessing's children, which import this file, too
    with open("lives", "a") as f:
        f.write("%d %d\n" % (os.getpid(), time.monotonic_ns()))
    alone = open("alone", "w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        with open("lives", "a") as f:
            f.write("second %d\n" % os.getpid())

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


def number(name, default=0.0):
    return float(os.environ.get(name) or default)


hands = threading.Lock()  # one job at a time: whoever holds it keeps /health waiting


def crash(how):
    if how == "exception":
        raise RuntimeError("the index is broken")
    if how == "exit":
        os._exit(3)
    # To this very thread, which holds the interpreter's lock: faulthandler walks the other threads' stacks, and would crash itself.
    signal.pthread_kill(threading.get_ident(), getattr(signal, how))


class Server(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        text = "ok"
        if url.path == "/work":
            with hands:
                end = time.monotonic() + float(query["seconds"])
                while time.monotonic() < end:
                    sum(range(10000))
        elif url.path == "/hang":
            if "chatter" in query:
                threading.Thread(target=chatter, daemon=True).start()
            with hands:
                time.sleep(float(query.get("seconds", 1e6)))
        elif url.path == "/crash":
            crash(query["how"])
        elif url.path == "/pid":
            text = str(os.getpid())
        elif url.path == "/env":
            text = os.environ.get(query["name"], "")
        else:
            with hands:
                pass
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())


def chatter():
    while True:
        print("still here", flush=True)
        time.sleep(1)


def deaf(number, _):
    with open("heard", "a") as f:
        f.write(signal.Signals(number).name + "\n")


count, quiet = 0, threading.Event()


def lines(rate, pad):
    global count
    start = time.monotonic()
    while not quiet.is_set():
        due = int((time.monotonic() - start) * rate)
        while count < due:
            sys.stdout.write("line %010d %s\n" % (count, "x" * pad))
            count += 1
        sys.stdout.flush()
        time.sleep(0.005)


def family(kind):
    """A child that outlives an impolite end of this process."""
    nap = [sys.executable, "-c", "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(1000)"]
    if kind == "group":
        subprocess.Popen(nap)
    elif kind == "setsid":
        subprocess.Popen(nap, start_new_session=True)
    elif kind == "setsid-multiprocessing":
        context.Process(target=apart, args=(locks,), daemon=True).start()


def apart(_):
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(1000)


if __name__ == "__main__":
    for name in os.environ.get("TWIN_IGNORE", "").split():
        signal.signal(getattr(signal, name), deaf)
    if number("TWIN_LOCKS"):
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        locks = [context.Lock() for _ in range(int(number("TWIN_LOCKS")))]
        with open("semaphores", "w") as f:
            f.write("".join("/dev/shm/sem." + lock._semlock.name.lstrip("/") + "\n" for lock in locks))
    for kind in os.environ.get("TWIN_FAMILY", "").split():
        family(kind)
    if number("TWIN_LINES"):
        writer = threading.Thread(target=lines, args=(number("TWIN_LINES"), int(number("TWIN_PAD", 20))), daemon=True)
        writer.start()
    time.sleep(number("TWIN_LOAD"))
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a prober was killed in mid-sentence: no line of ours
    if number("TWIN_DIE_AFTER"):
        threading.Timer(number("TWIN_DIE_AFTER"), os._exit, [1]).start()
    try:
        server.serve_forever(poll_interval=0.05)
    except KeyboardInterrupt:
        pass
    if number("TWIN_LINES"):
        quiet.set()
        writer.join()
        print("last", count, flush=True)
    os._exit(0)

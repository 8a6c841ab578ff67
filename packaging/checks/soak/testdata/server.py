"""A server that keeps its own books, so that whoever tests it needs to believe nobody.

It takes a lock that no second server can have, counts its lines in a file of its own before it writes them, has children in its group and
outside of it, and a named semaphore.
"""
import fcntl, mmap, multiprocessing, os, signal, struct, sys, time

kind, run = sys.argv[1], os.environ["VIVARIUM_RUN"]


def note(name, text):
    fd = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, (text + "\n").encode())
    os.close(fd)


one = os.open("one.lock", os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    note("two", f"{run} found another server")
    sys.exit(7)


def child(alone, deaf):
    if os.fork():
        return
    os.close(one)
    os.close(1)
    os.close(2)
    if alone:
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1000)


child(False, kind == "deaf")
child(True, kind == "deaf")
semaphore = multiprocessing.get_context("spawn").Lock()
note("semaphores", semaphore._semlock.name)
if kind == "slow":
    signal.signal(signal.SIGINT, signal.SIG_IGN)

books = os.open("run." + run, os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(books, 24)
book = mmap.mmap(books, 24)
begun, n = time.time_ns(), 0
while True:
    n += 1
    struct.pack_into("<QQQ", book, 0, n, begun, time.time_ns())
    os.write(1, b"%s %d\n" % (run.encode(), n))
    time.sleep(0.002 if kind == "loud" else 0.01)

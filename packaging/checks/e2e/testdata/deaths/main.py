"""Dies in the way that its argument names, as soon as it has said that it is up. Nothing but the standard library.

usage: main.py HOW [ARGUMENT…]
"""
import os
import signal
import sys
import threading
import time


def hurt():
    import ctypes

    ctypes.string_at(0)


def segfault():
    hurt()


def segfault_in_a_thread():
    threading.Thread(target=hurt).start()
    time.sleep(60)


def abort():
    os.abort()


def stack_overflow():
    # Each level goes through C, so that it is C's stack that ends. Python's own limits differ from version to version.
    import ctypes

    sys.setrecursionlimit(1 << 30)
    again = ctypes.CFUNCTYPE(None)(lambda: again())
    again()


def exception():
    def load():
        raise ValueError("no model")

    load()


def import_error():
    import broken  # noqa: F401


def chained():
    try:
        {}["index"]
    except KeyError as e:
        raise RuntimeError("the index is broken") from e


def exception_in_a_thread():
    """What a thread raises ends the thread and not the server: another end follows, and that is the cause."""

    def fail():
        raise ValueError("only a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    os._exit(7)


def recursion():
    def down():
        down()

    down()


def leave(code):
    sys.exit(int(code))


def wait():
    time.sleep(1000)


def missing_module():
    import nothing_of_this_name  # noqa: F401


def files():
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    kept = []
    while True:
        kept.append(open(os.devnull))


def memory():
    raise MemoryError


def port(number):
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", int(number)))


def pool():
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        workers.submit(os._exit, 9).result()


def two_runtimes(*paths):
    import ctypes

    for path in paths:
        ctypes.CDLL(path).omp_get_max_threads()


def semaphores():
    """The tracker's warning comes last, from a helper that outlives the crash: a red herring."""
    import multiprocessing
    import warnings

    warnings.filterwarnings("default")
    context = multiprocessing.get_context("spawn")
    locks = [context.Lock() for _ in range(3)]
    signal.pthread_kill(threading.get_ident(), signal.SIGSEGV)
    return locks


if __name__ == "__main__":
    print("up", flush=True)
    globals()[sys.argv[1]](*sys.argv[2:])

# Vivarium's recorder. Vivarium puts this folder in front of PYTHONPATH of the servers that it keeps, so that it can say what a server does
# that no longer answers: on SIGURG it writes the stacks of all threads into a file below $VIVARIUM_RECORDER, and it writes down uncaught
# exceptions. It prints nothing, opens no connection, and starts no thread. `enabled = false` under [recorder] in vivarium.toml switches it off.
#
# It parses from Python 2.7 on and does something from 3.8 on. It costs every start of Python, so it imports what is loaded anyway, and compiles
# the greater part of itself when that is first needed.
import os
import sys

_LATE = r'''
@late@
'''


def _start():
    runs, run = os.environ.get("VIVARIUM_RECORDER", ""), os.environ.get("VIVARIUM_RUN", "")
    if runs[:1] != "/" or not (0 < len(run) <= 64 and run.isalnum() and run.isascii()):
        return
    import _signal
    import _thread
    import faulthandler  # built in, and PYTHONFAULTHANDLER has loaded it already

    folder, pid, urgent = runs + "/" + run, os.getpid(), _signal.SIGURG
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        now = os.lstat(folder)
        if now.st_mode & 0o170000 != 0o040000 or now.st_uid != os.geteuid() or len(os.listdir(folder)) >= 512:
            return  # not ours, or a program that starts Python again and again
    state = {"os": os, "sys": sys, "thread": _thread, "faulthandler": faulthandler, "folder": folder, "pid": pid, "main": _thread.get_ident()}

    def late(name):
        if name not in state:
            exec(compile(_LATE, "<vivarium recorder>", "exec"), state)
        return state[name]

    def on_signal(number, frame):
        try:
            answer = late("on_signal")
        except MemoryError:
            return
        answer(frame)

    def on_event(event, args):
        if event == "sys.excepthook" or event == "_thread.start_new_thread" or event == "_thread.start_joinable_thread":
            try:
                late("on_event")(event, args)
            except Exception:
                pass

    if _signal.getsignal(urgent) in (_signal.SIG_DFL, _signal.SIG_IGN):
        _signal.signal(urgent, on_signal)  # raises where it is not the main interpreter's main thread
        _signal.siginterrupt(urgent, False)
        fd = os.open("%s/%d.stacks" % (folder, pid), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        # The signal of the raw dump ends a process that does not catch it, except on a Mac: Vivarium looks before it sends it.
        raw = getattr(_signal, "SIGINFO", 0) or _signal.SIGRTMAX - 3
        if _signal.getsignal(raw) != _signal.SIG_DFL:
            raw = 0
        else:
            faulthandler.register(raw, fd, True, False)
        state.update(fd=fd, file=os.fstat(fd), raw=raw, count=0, busy=False)
        os.write(fd, b'{"recorder":1,"pid":%d,"fd":%d,"dump":%d,"python":"%d.%d.%d"}\n' % ((pid, fd, raw) + sys.version_info[:3]))
    sys.addaudithook(on_event)


def _run_next():
    here = os.path.dirname(__file__)
    while here in sys.path:
        sys.path.remove(here)
    sys.path_importer_cache.pop(here, None)
    this = sys.modules.pop("sitecustomize", None)  # kept until the end: Python 2 clears a module that nobody holds
    if sys.version_info >= (3, 8) and sys.implementation.name == "cpython":
        try:
            _start()
        except Exception:
            pass
    # The next one takes this one's place in sys.modules, and its exceptions are its own. Where there is none, this ends with
    # the ImportError that site expects in that case, as if this file were not there.
    import sitecustomize

    return this, sitecustomize


if __name__ == "sitecustomize":
    _run_next()

# The part of the recorder that is compiled when it is first needed: compiling it at every start of Python would cost a millisecond. Go puts
# it as a raw string into sitecustomize.py, which hands it os, sys, thread (the module _thread), faulthandler and its own state.
MOST_THREADS, MOST_FRAMES, MOST_TASKS = 512, 100, 100
TABLE = {i: "\\u%04x" % i for i in range(32)}
TABLE.update({34: '\\"', 92: "\\\\", 127: "\\u007f"})


def quote(text, most=1000):
    if type(text) is not str:
        text = "?"
    if len(text) > most:
        text = text[:most] + "..."
    return '"' + text.translate(TABLE) + '"'


def file_of(frame):
    name = frame.f_code.co_filename
    if name == "<dynamic-code>":  # cloudpickle carries a function of __main__ to a worker of joblib's or Dask's without it
        name = frame.f_globals.get("__file__", name)
    return name


def frames_of(frame, files):
    parts, n = [], 0
    while frame is not None and n < MOST_FRAMES:
        code = frame.f_code
        file = files.setdefault(file_of(frame), len(files))
        parts.append("[%d,%d,%s]" % (file, frame.f_lineno or 0, quote(getattr(code, "co_qualname", code.co_name), 200)))
        frame, n = frame.f_back, n + 1
    cut = 0
    while frame is not None and cut < 100000:
        frame, cut = frame.f_back, cut + 1
    return '"cut":%d,"frames":[%s]' % (cut, ",".join(parts))


def threads_of(interrupted, files):
    frames, names = sys._current_frames(), {}
    threading = sys.modules.get("threading")  # imported by the program, or not at all
    for ident, one in list(getattr(threading, "_active", {}).items()):
        values = getattr(one, "__dict__", {})
        names[ident] = (values.get("_name"), values.get("_native_id"))
    main = thread.get_ident()  # a handler in Python runs in the main thread
    order = [main] + [ident for ident in frames if ident != main]
    parts = []
    for ident in order[:MOST_THREADS]:
        name, native = names.get(ident, ("", None))
        frame = interrupted if ident == main else frames.get(ident)
        parts.append('{"id":%d,"tid":%d,"name":%s,%s}' % (ident, native if type(native) is int else 0, quote(name, 100), frames_of(frame, files)))
    return '"threads":[%s],"cut":%d' % (",".join(parts), max(0, len(order) - MOST_THREADS))


def all_tasks():
    # asyncio keeps weak references to its tasks, from 3.14 on only to those of other kinds than its own: C gives them all there, by their loop.
    asyncio, events = sys.modules.get("asyncio.tasks"), sys.modules.get("asyncio.events")
    listed = getattr(asyncio, "_c_all_tasks", None)
    loop = events._get_running_loop() if listed and events else None
    if loop is not None:
        return list(listed(loop))
    kept = getattr(asyncio, "_scheduled_tasks", None) or getattr(asyncio, "_all_tasks", None)
    return [ref() for ref in list(getattr(kept, "data", ()))]


def tasks_of(files):
    # What asyncio's tasks wait for.
    parts, tasks = [], all_tasks()
    for task in tasks[:MOST_TASKS]:
        coro = task.get_coro() if task is not None and not task.done() else None
        frames, n = [], 0
        while coro is not None and n < 30:
            frame = getattr(coro, "cr_frame", None)
            if frame is None:
                break
            code = frame.f_code
            file = files.setdefault(file_of(frame), len(files))
            frames.append("[%d,%d,%s]" % (file, frame.f_lineno or 0, quote(getattr(code, "co_qualname", code.co_name), 200)))
            coro, n = getattr(coro, "cr_await", None), n + 1
        if frames:
            parts.append('{"frames":[%s]}' % ",".join(reversed(frames)))
    return '"tasks":[%s],"cut_tasks":%d' % (",".join(parts), max(0, len(tasks) - MOST_TASKS))


def describe(e, seen, most):
    seen.add(id(e))
    kind, keep, first = type(e), 40 if len(seen) == 1 else 15, 10 if len(seen) == 1 else 5
    try:
        message = str(e)
    except Exception:
        message = "?"
    parts, tb, n = [], e.__traceback__, 0
    while tb is not None and n < 10000:
        code = tb.tb_frame.f_code
        parts.append("[%s,%d,%s]" % (quote(code.co_filename, 300), tb.tb_lineno or 0, quote(code.co_name, 200)))
        del parts[first:-keep]
        tb, n = tb.tb_next, n + 1
    text = '{"type":%s,"module":%s,"message":%s,"frames":[%s]' % (
        quote(kind.__qualname__), quote(kind.__module__), quote(message, 4000), ",".join(parts))
    notes = getattr(e, "__notes__", None)
    if type(notes) is list and notes:
        text += ',"notes":[%s]' % ",".join([quote(note, 500) for note in notes[:10]])
    if isinstance(e, SyntaxError) and type(e.lineno) is int:
        text += ',"file":%s,"line":%d' % (quote(e.filename), e.lineno)
    context = None if e.__suppress_context__ else e.__context__
    for key, other in (("cause", e.__cause__), ("context", context)):
        if isinstance(other, BaseException) and id(other) not in seen and len(seen) < most:
            text += ',"%s":%s' % (key, describe(other, seen, most))
            break
    members, group = getattr(e, "exceptions", None), []
    for member in members if type(members) is tuple else ():
        if isinstance(member, BaseException) and id(member) not in seen and len(seen) < most:
            group.append(describe(member, seen, most))
    if group:
        text += ',"group":[%s]' % ",".join(group)
    return text + "}"


def write(fd, text):
    data = memoryview(text.encode("utf-8", "replace"))
    while data:
        data = data[os.write(fd, data):]


def open_file(kind):
    path = "%s/%d.%s" % (folder, os.getpid(), kind)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def still_ours():
    # Code that makes a daemon of its process closes descriptors, and their numbers are given to other files.
    try:
        now = os.fstat(fd)
    except OSError:
        return False
    return now.st_nlink > 0 and (now.st_dev, now.st_ino) == (file.st_dev, file.st_ino)


def open_stacks():
    global pid, fd, file
    new = open_file("stacks")
    if pid != os.getpid() and still_ours():
        os.dup2(new, fd, False)  # a fork: the number stays, and the parent's file is its parent's
        os.close(new)
    else:
        fd = new
        if raw:
            faulthandler.register(raw, fd, True, False)
    pid, file = os.getpid(), os.fstat(fd)
    os.ftruncate(fd, 0)
    write(fd, '{"recorder":1,"pid":%d,"fd":%d,"dump":%d,"python":"%d.%d.%d"}\n' % ((pid, fd, raw) + sys.version_info[:3]))


def answer(frame):
    global count
    if pid != os.getpid() or not still_ours():
        open_stacks()
    if os.fstat(fd).st_size >= 8 << 20:
        return
    count += 1
    files = {}
    threads, tasks = threads_of(frame, files), tasks_of(files)
    names = ",".join([quote(name) for name in files])
    write(fd, '{"stacks":%d,"pid":%d,%s,%s,"files":[%s]}\n' % (count, pid, threads, tasks, names))


def on_signal(frame):
    global busy
    if busy:
        return
    busy = True
    try:
        answer(frame)
    except Exception as e:
        # The handler of another signal may have run within this one: its exception, a time limit perhaps, is the program's.
        tb = e.__traceback__
        while tb is not None and tb.tb_next is not None:
            tb = tb.tb_next
        if tb is not None and tb.tb_frame.f_globals is not globals():
            raise
    finally:
        busy = False


def record(e, main, name):
    text = describe(e, set(), 16)
    if len(text) > 200 << 10:
        text = describe(e, set(), 1)
    target = open_file("exceptions")
    try:
        if os.fstat(target).st_size > 256 << 10:
            os.ftruncate(target, 0)  # the last one is the one that counts
        write(target, '{"pid":%d,"main":%s,"thread":%s,"exception":%s}\n' % (os.getpid(), "true" if main else "false", quote(name, 100), text))
    finally:
        os.close(target)


def wrap_threads():
    threading = sys.modules.get("threading")
    inner = getattr(threading, "excepthook", None)
    if inner is None or inner.__module__ == __name__:
        return

    def excepthook(args):
        try:
            if args.exc_value is not None and args.exc_type is not SystemExit:
                record(args.exc_value, False, getattr(args.thread, "_name", ""))
        except Exception:
            pass
        return inner(args)

    threading.excepthook = excepthook


def on_event(event, args):
    if event == "sys.excepthook":
        record(args[2], os.getpid() != pid or main == thread.get_ident(), "")
    else:
        wrap_threads()

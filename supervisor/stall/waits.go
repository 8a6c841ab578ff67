package stall

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// waits is the stall of a thread whose cause is known. What many share may be waited for without a line of the person's.
func (s *scene) waits(v *view) (Stall, bool) {
	common, remedy := s.commonWait(v)
	if v.why.kind == KindNetwork && common != broker || v.why.kind == KindSubprocess || v.why.kind == KindDisk {
		common, remedy = "", ""
	}
	f, ok := s.nearest(v)
	if !ok && common == "" {
		return Stall{}, false
	}
	st, where := Stall{}, ""
	if ok {
		st, where = at(f), ", "+s.where(f)
	}
	st.Kind = v.why.kind
	switch v.why.kind {
	case KindNetwork:
		st.Summary = "it waits for " + cmp.Or(common, v.why.host, "another host") + inBrackets(v.why.by) + where
		if common != "" {
			st.Summary = "it waits for " + common + inBrackets(v.why.host) + where
		}
		st.Remedy = cmp.Or(remedy, "Give the call a timeout, and see whether the other side answers.")
		if strings.HasSuffix(v.why.by, "accept") {
			st.Summary = "it waits for a connection" + inBrackets(v.why.by) + where
		}
	case KindLock:
		st.Summary, st.Remedy = "it waits for "+cmp.Or(common, v.why.by, "a lock")+where, cmp.Or(remedy, s.lockRemedy(v))
		if holder := s.holder(v); common == "" && holder != "" {
			st.Summary += ", which " + holder + " holds"
			st.Remedy = "See why the thread that holds the lock does not go on, and hold a lock only for short work."
		}
	case KindSubprocess:
		st.Summary = "it waits for another program" + inBrackets(v.why.by) + where
		st.Remedy = "Give the call a timeout (`subprocess.run(…, timeout=60)`), and see what the program waits for: input, perhaps."
		if strings.HasSuffix(v.why.by, "wait") && (s.above(f, "stdout=subprocess.PIPE") || s.above(f, "stdout=PIPE")) {
			st.Remedy = "The program writes into a pipe that nobody reads while it is waited for, and stops when the pipe is full. Use `communicate()`, or `subprocess.run(…, capture_output=True)`."
		}
	case KindDisk:
		st.Summary = "it waits for a file" + inBrackets(v.why.by) + where
		st.Remedy = "See what kind of file it is: a FIFO waits for its other end, a network share or a file in the cloud for its server."
	default:
		return Stall{}, false
	}
	return st, true
}

func inBrackets(by string) string {
	if by == "" {
		return ""
	}
	return " (" + by + ")"
}

// lockRemedy is what helps with what a thread waits for, by the call that waits.
func (s *scene) lockRemedy(v *view) string {
	switch by := v.why.by; {
	case strings.HasPrefix(by, "fcntl."):
		return "Another process, or this one by another open file, holds the lock of that file: `lsof` with its name tells who. LOCK_NB makes the call fail instead of waiting."
	case by == "queue.join":
		return "Whoever takes the items out of the queue is gone, or does not call `task_done()` for each of them."
	case strings.HasPrefix(by, databaseOf):
		return databaseRemedy
	}
	return "Whoever should give the lock or put the item does not. Use `with` so that it is always given back, and a timeout."
}

const (
	databaseOf     = "the database ("
	databaseRemedy = "Another connection holds a lock of the database: commit or roll back soon, and give the wait a timeout."
	importOfOther  = "another thread's import"
	loggingLock    = "a lock of logging"
	retrying       = "a retry"
	broker         = "its message broker"
)

// commons are things that many share and that a thread waits for: what it is, and what helps when there is none left.
var commons = []struct {
	pattern      pattern
	what, remedy string
}{
	{pattern{modules: modules(`sqlalchemy/pool/|psycopg_pool/|psycopg2/pool\.py|asyncpg/pool\.py|mysql/connector/pooling\.py|dbutils/|django_db_pool|redis/connection\.py|redis/asyncio/connection\.py|pymongo/pool\.py|pymongo/synchronous/pool\.py`)},
		"a free connection of %s's pool", "Every connection of the pool is in use. Give each back (`with engine.connect() as c:`, close the session), or make the pool larger."},
	{pattern{modules: modules(`httpcore/|aiohttp/connector\.py|urllib3/connectionpool\.py`), functions: functions(`wait_for_connection|_wait_for_available_connection|_get_conn`)},
		"a free connection of %s's pool", "Every connection of the client is in use. Close each response (`async with client.stream(…)`, read it to its end), use one client for all, or allow more (limits)."},
	{pattern{modules: database.modules}, databaseOf + "%s)", databaseRemedy},
	{pattern{modules: modules(`torch/utils/data/dataloader\.py`)}, "a worker process of %s's DataLoader",
		"A worker of the DataLoader does not deliver. Try num_workers=0, where the error shows itself, or set its timeout; see `vivarium stacks` for what the worker does."},
	{pattern{modules: modules(`joblib/parallel\.py`)}, "the worker processes of %s", "See `vivarium stacks` for what the workers do. n_jobs=1 runs the work in this process, where an error shows itself."},
	{pattern{modules: modules(`filelock/|portalocker/|fasteners/`)}, "a lock file (%s)",
		"Another process holds the lock, or one that was killed has left the file. See who uses it (`lsof`); if nobody does, delete the file that ends in .lock."},
	{pattern{modules: modules(`tqdm/`)}, "%s's lock or its monitor thread", "A server needs no progress bar: pass `disable=True`, or set `tqdm.monitor_interval = 0` before the first one."},
	{pattern{modules: modules(`vllm/`)}, "another process of %s", "See `vivarium stacks` and the log for what the engine and its workers do: one of them may have died, or be out of memory."},
	{pattern{modules: modules(`torch/distributed/`)}, "the other processes of torch.distributed",
		"One of the processes did not come to the same call. See what each does, and give init_process_group a timeout."},
	{pattern{modules: modules(`multiprocessing/managers\.py`)}, "the process of a multiprocessing.Manager", "The manager's process is busy, or was copied by a fork while it answered another. See `vivarium stacks` for what it does."},
	{pattern{modules: modules(`multiprocessing/pool\.py`)}, "the workers of a multiprocessing.Pool",
		"See `vivarium stacks` for what the workers do. A worker that is killed takes its job with it, and the pool waits for ever; a `ProcessPoolExecutor` tells of it."},
	{pattern{modules: modules(`kombu/transport/`)}, broker, "The broker does not answer on a connection that it has not closed. Restart the worker; set socket_timeout and health_check_interval in broker_transport_options."},
}

// commonWait names what a thread waits for where it is not one lock of the program's own.
func (s *scene) commonWait(v *view) (what, remedy string) {
	switch v.why.by {
	case loggingLock:
		return loggingLock, "A process that is forked while another thread logs never gets that lock: start it with `spawn`, or before the first thread. Otherwise a handler is slow to write."
	case importOfOther:
		return importOfOther, "Import the module once, before threads start: a thread waits until another one has imported it."
	}
	inner := v.work
	if v.mine >= 0 {
		inner = v.work[:v.mine]
	} else if workerIdles(v) {
		return "", ""
	}
	return common(inner, v.mine >= 0)
}

// common is what frames wait for. Without a line of the person's only that counts which no server waits for when all is well.
func common(inner []Frame, own bool) (what, remedy string) {
	for _, c := range commons {
		for _, f := range inner {
			if c.pattern.matches(f) && (own || slices.Contains([]string{"kombu", "vllm", "torch", "filelock"}, pkg(f.File))) {
				name := pkg(f.File)
				if name == "httpcore" { // a person knows the client above it
					name = cmp.Or(pkg(inner[len(inner)-1].File), name)
				}
				return strings.ReplaceAll(c.what, "%s", name), c.remedy
			}
		}
	}
	return "", ""
}

// workerIdles: a worker process of a package waits for its next job.
func workerIdles(v *view) bool {
	return slices.ContainsFunc(v.frames, func(f Frame) bool {
		return slices.Contains([]string{"worker_busy_loop", "_worker_loop", "_pin_memory_loop"}, last(f.Function))
	})
}

// innermost asks the innermost frame alone, below those of the person's.
func (s *scene) innermost(f Frame, c *cause) {
	m, function := module(f.File), last(f.Function)
	switch {
	case m == "logging/__init__.py" && (function == "acquire" || function == "handle" || function == "_acquireLock"):
		c.kind, c.by = KindLock, loggingLock
	case m == "importlib._bootstrap" && (function == "acquire" || function == "__enter__" || function == "_lock_unlock_module" || function == "has_deadlock"):
		c.kind, c.by = KindLock, importOfOther
	case m == "tenacity/nap.py" || m == "backoff/_sync.py" && strings.Contains(function, "retry") || m == "retrying.py" || m == "retry/api.py":
		c.kind, c.by, c.sleeps = KindUnknown, retrying+inBrackets(pkg(f.File)), true
	}
}

// drivers are packages in C whose queries have no frame, by what waits for them.
var drivers = regexp.MustCompile(`^\s*(?:import|from)\s+(sqlite3|duckdb|psycopg2|MySQLdb|pyodbc|oracledb|cx_Oracle|pymssql)\b`)

var queries = functions(`(?:.*\.)?(?:execute|executemany|executescript|commit|rollback|fetchall|fetchone|fetchmany)|(?:sqlite3|duckdb|psycopg2|MySQLdb|pyodbc|oracledb|cx_Oracle|pymssql)\.connect`)

// query: the person's line asks a database by a driver in C. One that computes is not meant.
func (s *scene) query(f Frame, names []string, c *cause) bool {
	if s.cpu >= 0.3 || !slices.ContainsFunc(names, queries.MatchString) {
		return false
	}
	for _, line := range s.Source(f.File) {
		m := drivers.FindStringSubmatch(line)
		switch {
		case m == nil:
			continue
		case m[1] == "sqlite3", m[1] == "duckdb":
			c.kind, c.by = KindLock, databaseOf+m[1]+")"
		default:
			c.kind, c.by = KindNetwork, "a query of "+m[1]
		}
		c.inC = false
		return true
	}
	return false
}

// above: a word stands in the person's function, at the line of a frame or before it.
func (s *scene) above(f Frame, word string) bool {
	lines := s.Source(f.File)
	for n := min(f.Line, len(lines)); n > 0 && n > f.Line-30; n-- {
		text := clean(lines[n-1])
		if strings.Contains(text, word) {
			return true
		}
		if strings.HasPrefix(text, "def ") || strings.HasPrefix(text, "async def ") {
			break
		}
	}
	return false
}

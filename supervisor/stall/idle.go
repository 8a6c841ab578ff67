package stall

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// idle: the loop waits for events, no worker works, and yet nobody answers.
func idle(s *scene) (Stall, bool) {
	if s.noStack || s.server == nil || s.cpu > 0.3 {
		return Stall{}, false
	}
	if len(s.server.work) > 0 && s.server.kind != plain || s.server.kind == plain && s.server.why.kind != KindUnknown {
		return Stall{}, false
	}
	st := Stall{Kind: KindIdle, Summary: "nothing runs: the event loop waits for events"}
	if s.server.kind == plain {
		if !s.accepts(s.server) {
			return Stall{}, false
		}
		st.Summary = "nothing runs: the server waits for connections"
		if module(s.server.frames[0].File) == "kombu/utils/eventio.py" {
			st.Summary = "nothing runs: the worker waits for jobs"
		}
	}
	if s.logs && s.Phase == Unhealthy { // somebody writes
		st.Summary = "the event loop runs and the log grows, and the health check gets no answer"
		if s.server.kind == plain {
			st.Summary = "the server runs and its log grows, and the health check gets no answer"
		}
	}
	st.Remedy = "The server looks idle. Look at [health] path and port: something else may answer there, or the requests may never reach it."
	if waiting, task, own := s.waitingTasks(); waiting > 0 {
		return s.tasksWait(st, waiting, task, own), true
	}
	if v, f := s.request(); v != nil {
		st = at(f)
		st.Kind, st.Summary = KindIdle, "nothing runs, and a request is in "+s.doing(v, f)
		st.Remedy = "The server itself is free. If other requests wait for this one, give its call a time limit; else look at [health] path and port: something else may answer there."
		return st, true
	}
	if f, ok := s.nearest(s.server); ok {
		where := at(f)
		st.File, st.Line, st.Function = where.File, where.Line, where.Function
	}
	return st, true
}

// request is a thread that serves one and stands still in the person's code.
func (s *scene) request() (*view, Frame) {
	for _, v := range s.views {
		if f, ok := v.ownFrame(); ok && v.kind == pool && v.still && s.Phase == Unhealthy {
			return v, f
		}
	}
	return nil, Frame{}
}

// tasksWait is the stall of coroutines that wait: for what, the frames below the person's line tell.
func (s *scene) tasksWait(st Stall, n int, task []Frame, own int) Stall {
	where := at(task[own])
	st.File, st.Line, st.Function = where.File, where.Line, where.Function
	who := fmt.Sprintf("%s at %s for ", tasks(n), s.where(task[own]))
	m, function := module(task[0].File), last(task[0].Function)
	inner := task[:own]
	waits := slices.ContainsFunc([]string{"asyncio/locks.py", "asyncio/queues.py", "asyncio/tasks.py", "anyio/"}, func(p string) bool { return strings.HasPrefix(m, p) })
	requests := slices.ContainsFunc(task, servesRequest)
	if what, remedy := common(inner, true); requests && waits && strings.HasPrefix(what, "a free connection") {
		st.Kind, st.Summary, st.Remedy = KindLock, who+what, remedy
		return st
	}
	if requests && m == "asyncio/locks.py" && function == "acquire" {
		st.Kind, st.Summary = KindLock, who+"a lock of asyncio that nobody gives back"
		st.Remedy = "Take the lock with `async with`, so that it is given back whatever happens, and do not await something slow while you hold it."
		if strings.HasPrefix(bare(task[0].Function), "Semaphore") || strings.HasPrefix(bare(task[0].Function), "BoundedSemaphore") {
			st.Summary = who + "a place of a semaphore of asyncio, all of which are taken"
			st.Remedy = "See what those do that have a place: what they await needs a time limit (`async with asyncio.timeout(30):`). Take places with `async with`, so that they are given back."
		}
		return st
	}
	v := &view{work: task, mine: own}
	if i := slices.IndexFunc(inner, remote.matches); requests && i >= 0 {
		st.Kind, st.Summary = KindNetwork, who+cmp.Or(s.host(v), "another host")+inBrackets(s.by(v))
		st.Remedy = "Give the call a time limit (`timeout=`, or `async with asyncio.timeout(30):`), and see whether the other side answers."
		return st
	}
	st.Summary = "nothing runs: " + who + "something that does not come"
	st.Remedy = "What the coroutine awaits is never set or put. Give the await a time limit (`async with asyncio.timeout(30):`) and see who should have set it."
	return st
}

// remote are the frames below which a coroutine waits for another host.
var remote = pattern{KindNetwork, modules(`httpx/|httpcore/_backends/|httpcore/_async/http(11|2)\.py|aiohttp/(client_proto|client_reqrep|client|streams|connector)\.py|asyncpg/(connection|connect_utils|prepared_stmt)\.py|psycopg/(waiting|connection_async|cursor_async|_connection_base)|redis/asyncio/|motor/|pymongo/asynchronous/|websockets/asyncio/client|aiomysql/|grpc/aio/|aiobotocore/`), nil}

// waitingTasks are the suspended coroutines that explain a loop without work, with the first of them and its line of the person's: those that
// serve requests before all others. One that sleeps, or that waits for its next job, is how a task in the background lives.
func (s *scene) waitingTasks() (n int, first []Frame, own int) {
	for _, requests := range []bool{true, false} {
		for _, t := range s.last.Tasks {
			i := s.own(t)
			if i < 0 || len(t) == 0 || requests != slices.ContainsFunc(t, servesRequest) {
				continue
			}
			m, function := module(t[0].File), last(t[0].Function)
			if !requests && (m == "asyncio/tasks.py" && function == "sleep" || m == "asyncio/queues.py" && function == "get" || m == "uvicorn/server.py" || m == "anyio/_backends/_asyncio.py" && function == "sleep") {
				continue
			}
			if n++; n == 1 {
				first, own = t, i
			}
		}
		if n > 0 {
			break
		}
	}
	return n, first, own
}

// servesRequest: a coroutine that a server runs for a request.
func servesRequest(f Frame) bool {
	m := module(f.File)
	return slices.ContainsFunc([]string{"fastapi/", "starlette/", "uvicorn/protocols/", "uvicorn/middleware/", "aiohttp/web", "tornado/web.py", "quart/", "hypercorn/", "sanic/", "litestar/", "websockets/", "socketio/", "robyn/"},
		func(p string) bool { return strings.HasPrefix(m, p) })
}

func tasks(n int) string {
	if n == 1 {
		return "a coroutine waits"
	}
	return fmt.Sprintf("%d coroutines wait, the first", n)
}

// accepts: a server without a loop of its own waits for connections.
func (s *scene) accepts(v *view) bool {
	return slices.ContainsFunc(v.frames, func(f Frame) bool {
		m := module(f.File)
		return m == "selectors.py" || m == "socketserver.py" || strings.HasPrefix(m, "gunicorn/workers/") || m == "wsgiref/simple_server.py" || m == "kombu/utils/eventio.py"
	}) && v.mine < 0
}

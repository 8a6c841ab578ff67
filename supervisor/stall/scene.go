package stall

import (
	"slices"
	"strings"
	"time"
)

// bounds of what is looked at: the evidence comes from a file that a server can write to
const (
	mostSamples = 10
	mostThreads = 600
)

// view is one thread over all samples.
type view struct {
	Thread
	// frames are those that all samples have in common, the innermost first: where the thread is all the time.
	frames []Frame
	still  bool // all samples are the same to the innermost line
	cpu    time.Duration
	seen   int // samples that have it
	work   []Frame
	kind   station
	mine   int // the innermost own frame of work, -1
	why    cause
}

// scene is a case with what the rules ask of it more than once.
type scene struct {
	Case
	views   []*view
	main    *view // nil if it is not known
	server  *view // the thread that serves: the main one, or the one for which a parked main thread waits
	last    Sample
	cpu     float64 // the mean of the samples after the first
	silent  bool
	noStack bool
	logs    bool // the log grew between the samples
}

func newScene(c Case) *scene {
	s := &scene{Case: c}
	if len(c.Samples) > mostSamples {
		s.Samples = c.Samples[len(c.Samples)-mostSamples:]
	}
	if s.Source == nil {
		s.Source = func(string) []string { return nil }
	}
	if len(s.Samples) == 0 {
		s.noStack = true
		return s
	}
	s.last = s.Samples[len(s.Samples)-1]
	for i, one := range s.Samples {
		s.silent = s.silent || one.Silent
		s.logs = s.logs || i > 0 && one.Log > 0
		if i > 0 || len(s.Samples) == 1 {
			s.cpu += one.CPU / float64(max(1, len(s.Samples)-1))
		}
	}
	s.collect()
	s.noStack = len(s.views) == 0
	for _, v := range s.views {
		s.station(v)
	}
	s.server = s.serving()
	return s
}

// serving is the thread that serves. Gradio and many a program of people's own run the server in a second thread, and let the main one sleep.
func (s *scene) serving() *view {
	if s.main == nil || !s.parked(s.main) {
		return s.main
	}
	var best *view
	for _, v := range s.views {
		switch {
		case v == s.main || v.kind == pool || v.kind == plain && !(s.accepts(v) && serves(v)):
		case best == nil, v.mine >= 0 && best.mine < 0: // one that is in the person's code says more
			best = v
		}
	}
	if best == nil {
		return s.main
	}
	return best
}

// parked: a main thread without a loop, below which no server is, sleeps or waits for another thread.
func (s *scene) parked(v *view) bool {
	return v.kind == plain && !serves(v) && (v.why.sleeps || v.why.kind == KindLock || s.sleepsInside(v))
}

// serves: the person's code was called by a server.
func serves(v *view) bool {
	return slices.ContainsFunc(v.frames, func(f Frame) bool {
		m := module(f.File)
		return slices.ContainsFunc(servers, func(one string) bool { return m == one || strings.HasSuffix(one, "/") && strings.HasPrefix(m, one) })
	})
}

// servers are modules that call the person's code for a request, without an event loop.
var servers = []string{"socketserver.py", "wsgiref/", "werkzeug/", "gunicorn/", "waitress/", "cheroot/", "cherrypy/", "xmlrpc/", "http/server.py", "bjoern.py", "meinheld/", "tornado/", "celery/",
	"uwsgidecorators.py", "runpod/", "rq/", "dramatiq/", "huey/"}

// workerProcess: the main thread runs the person's code for another process.
func workerProcess(v *view) bool {
	return v.kind == pool || slices.ContainsFunc(v.frames, func(f Frame) bool { return module(f.File) == "multiprocessing/process.py" && last(f.Function) == "run" })
}

// sleepsInside: a package's own code sleeps in the main thread, as Gradio's block_thread does.
func (s *scene) sleepsInside(v *view) bool {
	return len(v.frames) > 0 && v.mine != 0 && slices.Contains([]string{"block_thread", "wait_for_termination", "pause", "run_forever", "join"}, last(v.frames[0].Function))
}

// collect follows each thread through the samples that have stacks.
func (s *scene) collect() {
	with := slices.DeleteFunc(slices.Clone(s.Samples), func(one Sample) bool { return len(one.Threads) == 0 })
	byID := map[uint64]*view{}
	for _, one := range with {
		for i, t := range one.Threads {
			if i == mostThreads {
				break
			}
			v := byID[t.ID]
			if v == nil {
				if len(s.views) == mostThreads {
					continue
				}
				v = &view{Thread: t, frames: t.Frames, still: true}
				byID[t.ID] = v
				s.views = append(s.views, v)
			} else {
				common, same := shared(v.frames, t.Frames)
				v.frames, v.still = common, v.still && same
			}
			v.seen++
			v.cpu += max(0, t.CPU)
			v.Thread.Frames = t.Frames
			if t.Name != "" {
				v.Name = t.Name
			}
			if t.Main && s.main == nil {
				s.main = v
			}
		}
	}
	// A thread that came or went meanwhile does not stand still.
	s.views = slices.DeleteFunc(s.views, func(v *view) bool { return v.seen < len(with) })
	if s.main != nil && s.main.seen < len(with) {
		s.main = nil
	}
}

// shared are the frames that two stacks have in common, from the outermost on. The innermost of them may be at another line: that is where
// they part.
func shared(a, b []Frame) (common []Frame, same bool) {
	n := 0
	for n < len(a) && n < len(b) {
		x, y := a[len(a)-1-n], b[len(b)-1-n]
		if x.File != y.File || x.Function != y.Function {
			break
		}
		n++
		if x.Line != y.Line {
			common = slices.Clone(b[len(b)-n:])
			return common, false
		}
	}
	return b[len(b)-n:], n == len(a) && n == len(b)
}

// station is what kind of place a thread works in.
type station int

const (
	plain station = iota // a thread of the program's own, or a main thread without a loop
	loop                 // it runs an event loop
	pool                 // it works for a pool or serves requests
)

// loops are modules in which an event loop runs; what is inside them is the loop's work.
var loops = []string{"asyncio/base_events.py", "asyncio/events.py", "asyncio/runners.py", "asyncio/unix_events.py", "uvloop/__init__.py",
	"trio/_core/_run.py", "tornado/platform/asyncio.py", "gevent/hub.py", "gevent/_hub_primitives.py", "gevent/baseserver.py", "gevent/pywsgi.py",
	"eventlet/hubs/", "eventlet/wsgi.py", "eventlet/greenthread.py", "uvicorn/_compat.py"}

// pools are modules in which a worker thread waits for work and does it.
var pools = []struct{ module, function, name string }{
	{"anyio/_backends/_asyncio.py", "run", "AnyIO's"},
	{"concurrent/futures/thread.py", "_worker", "the executor's"},
	{"concurrent/futures/thread.py", "run", "the executor's"},
	{"waitress/task.py", "handler_thread", "waitress's"},
	{"cheroot/workers/threadpool.py", "run", "cheroot's"},
	{"multiprocessing/pool.py", "worker", "the pool's"},
	{"concurrent/futures/process.py", "_process_worker", "the pool's"},
	{"loky/process_executor.py", "_process_worker", "the pool's"},
	{"joblib/externals/loky/process_executor.py", "_process_worker", "the pool's"},
	{"socketserver.py", "process_request_thread", "the server's"},
	{"streamlit/runtime/scriptrunner/script_runner.py", "_run_script_thread", "Streamlit's"},
}

// station finds the frames in which a thread does its work, inside of the loop or pool that it belongs to.
func (s *scene) station(v *view) {
	if i := slices.IndexFunc(v.frames, func(f Frame) bool {
		return module(f.File) == "multiprocessing/process.py" && last(f.Function) == "_bootstrap"
	}); i >= 0 {
		v.frames = v.frames[:i+1] // what is outside is how its parent came to fork it
	}
	v.work = v.frames
	for i, f := range v.frames {
		m, function := module(f.File), last(f.Function)
		if slices.ContainsFunc(loops, func(l string) bool { return m == l || strings.HasSuffix(l, "/") && strings.HasPrefix(m, l) }) ||
			m == "uvicorn/server.py" && (function == "run" || function == "_serve" && i == 0) {
			v.kind, v.work = loop, v.frames[:i]
			break
		}
		if slices.ContainsFunc(pools, func(p struct{ module, function, name string }) bool { return p.module == m && p.function == function }) {
			v.kind, v.work = pool, v.frames[:i]
			break
		}
	}
	if v.kind != plain && s.waitsForWork(v) {
		v.work = nil
	}
	v.mine = s.own(v.work)
	v.why = s.cause(v)
}

// waitsForWork: a loop in its selector, a worker at its queue.
func (s *scene) waitsForWork(v *view) bool {
	for _, f := range v.work {
		switch m := module(f.File); {
		case m == "selectors.py", m == "queue.py", m == "threading.py", strings.HasPrefix(m, "gevent/"), strings.HasPrefix(m, "eventlet/hubs/"), strings.HasPrefix(m, "asyncio/"):
		default:
			return false
		}
	}
	return true
}

// poolName is whose worker a thread is.
func poolName(v *view) string {
	for _, f := range v.frames {
		m, function := module(f.File), last(f.Function)
		for _, p := range pools {
			if p.module == m && p.function == function {
				return p.name
			}
		}
	}
	return ""
}

// ownFrame is the person's own frame of a thread's work.
func (v *view) ownFrame() (Frame, bool) {
	if v.mine < 0 {
		return Frame{}, false
	}
	return v.work[v.mine], true
}

// nearest is the own frame of the work, or else of the whole stack.
func (s *scene) nearest(v *view) (Frame, bool) {
	if f, ok := v.ownFrame(); ok {
		return f, true
	}
	if i := s.own(v.frames); i >= 0 {
		return v.frames[i], true
	}
	return Frame{}, false
}

package stall

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// downloading: the thread that matters reads a file from the network.
func downloading(s *scene) (Stall, bool) {
	if s.Phase == Unhealthy && s.server != nil && s.server.kind == loop && len(s.server.work) > 0 && !s.atImport(s.server) {
		return Stall{}, false // the event loop is blocked by it
	}
	for _, v := range s.views {
		if v.why.kind != KindDownload || v.kind == plain && v != s.main && v != s.server {
			continue
		}
		what, f := "downloading", Frame{}
		own, ok := s.nearest(v)
		if ok {
			f = own
		}
		if by := downloader(v); by != "" {
			what += " (" + by + ")"
			if slices.Contains([]string{"huggingface_hub", "torch", "whisper", "open_clip", "modelscope", "ultralytics", "easyocr", "spacy", "nltk"}, by) {
				what = "downloading a model (" + by + ")"
			}
		}
		if v.why.host != "" {
			what += " from " + v.why.host
		}
		st := at(f)
		st.Kind, st.Summary = KindDownload, what
		if ok {
			st.Summary += ", " + s.where(f)
		}
		st.Remedy = "Wait, or download it once before the start, so that the server finds it on the disk. [health] start_timeout says how long a start may take."
		return st, true
	}
	return Stall{}, false
}

// downloader is the package that downloads, as a person knows it.
func downloader(v *view) string {
	for i := len(v.work) - 1; i >= 0; i-- {
		if p := (pattern{KindDownload, patterns[1].modules, nil}); p.matches(v.work[i]) {
			return pkg(v.work[i].File)
		}
	}
	if v.mine > 0 {
		return pkg(v.work[v.mine-1].File)
	}
	return ""
}

// atImport: the innermost import is still going on.
func (s *scene) atImport(v *view) bool { return importAt(v.frames) >= 0 }

func importAt(frames []Frame) int {
	return slices.IndexFunc(frames, func(f Frame) bool { return module(f.File) == "importlib._bootstrap" })
}

// importing: the main thread is inside an import statement. What the person's own module does at its top level is told by its cause, if it has
// one.
func importing(s *scene) (Stall, bool) {
	v := s.main
	if v == nil || importAt(v.frames) < 0 || len(v.frames) == 0 {
		return Stall{}, false
	}
	f, ok := s.nearest(v)
	if !ok {
		return Stall{}, false
	}
	mine := s.own(v.frames)
	if mine < importAt(v.frames) { // the person's code runs while its module is imported
		switch v.why.kind {
		case KindUnknown:
		default:
			return Stall{}, false
		}
		st := at(f)
		st.Kind, st.Summary = KindImporting, "importing "+s.name(f.File)+": it is in "+s.doing(v, f)
		st.Remedy = "Work at the top level of a module delays the start. Move it into the application's startup (lifespan), where it can be seen and bounded."
		return st, true
	}
	st := at(f)
	name := imported(s.text(f))
	if name == "" {
		name = s.package_(v, mine)
	}
	st.Kind, st.Summary = KindImporting, "importing "+cmp.Or(name, "modules")+", "+s.where(f)
	st.Remedy = "The first import after an installation compiles and reads many files, and is slow once. If it stays, look at the disk, or import it later, where it is needed."
	if v.why.kind == KindNetwork {
		st.Summary += ", which waits for the network"
		st.Remedy = "The package asks the network while it is imported. See whether it has a setting for offline use."
	}
	return st, true
}

func imported(text string) string {
	words := strings.Fields(text)
	if len(words) > 1 && (words[0] == "import" || words[0] == "from") {
		return strings.Trim(words[1], ",;")
	}
	return ""
}

func (s *scene) package_(v *view, mine int) string {
	for i := mine - 1; i >= 0; i-- {
		if p := pkg(v.frames[i].File); p != "" && !strings.HasPrefix(p, "importlib") {
			return p
		}
	}
	return ""
}

// loopBlocked: code inside the event loop does not come back to it. All samples have the same call of the loop's in common.
func loopBlocked(s *scene) (Stall, bool) {
	v := s.server
	if v == nil || v.kind != loop || len(v.work) == 0 || s.Phase == Starting && v.why.kind != KindUnknown {
		return Stall{}, false
	}
	f, ok := v.ownFrame()
	if !ok || s.Phase == Asked && !v.still { // a server that answers may be in the same handler at each look
		return Stall{}, false
	}
	st := at(f)
	st.Kind = KindLoop
	by, to := v.why.by, ""
	if v.why.host != "" {
		to = " to " + v.why.host
	}
	switch {
	case v.why.kind == KindLock && by != "":
		st.Summary = "the event loop is blocked by waiting for " + by + to + ", " + s.where(f)
	case by != "" && (v.mine > 0 || v.why.inC || v.why.kind != KindUnknown || v.why.sleeps):
		st.Summary = "the event loop is blocked by " + by + to + ", " + s.where(f)
	default:
		st.Summary = "the event loop is blocked by a computation in " + bare(f.Function) + ", " + s.where(f)
	}
	st.Remedy = s.loopRemedy(v)
	return st, true
}

// loopRemedy is a way out that the server at hand really has: only FastAPI and Starlette run a plain def in a thread.
func (s *scene) loopRemedy(v *view) string {
	from := func(prefixes ...string) bool {
		return slices.ContainsFunc(v.frames, func(f Frame) bool {
			m := module(f.File)
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(m, p) })
		})
	}
	if from("eventlet/") {
		return "Call `eventlet.monkey_patch()` before every other import, so that the call gives way to others, or give the work to threads (`eventlet.tpool.execute(…)`)."
	}
	if from("gevent/") {
		return "Call `gevent.monkey.patch_all()` before every other import, so that the call gives way to others, or give the work to gevent's threads (`gevent.get_hub().threadpool.apply(…)`)."
	}
	thread, plain := "`await asyncio.to_thread(…)`", ""
	if from("fastapi/", "starlette/") {
		thread = "`await anyio.to_thread.run_sync(…)`"
		if function := s.coroutine(v); function != "" {
			plain = "ake `" + function + "` a plain `def`, which FastAPI runs in a thread"
		}
	}
	or := func(first, otherwise string) string {
		if plain == "" {
			return first + ", or " + otherwise + "."
		}
		return first + ", or m" + plain + "."
	}
	switch f, _ := v.ownFrame(); {
	case strings.Contains(s.text(f), "run_coroutine_threadsafe"):
		return "The coroutine needs the very loop that waits for it. `await` it instead: run_coroutine_threadsafe is for other threads."
	case v.why.sleeps:
		return or("Use `await asyncio.sleep(…)`", thread+" around the call")
	case v.why.kind == KindNetwork || v.why.kind == KindDownload:
		return or("Use an async client ("+asyncClient(v)+") with a timeout", thread+" around the call")
	case v.why.kind == KindSubprocess:
		return "Use `await asyncio.create_subprocess_exec(…)`, or `await anyio.run_process(…)`."
	case v.why.kind == KindLock:
		return "Use asyncio's own Lock, Queue or Event, or " + thread + " around the wait."
	}
	if plain == "" {
		return "Put " + thread + " around the call, or give it to a process (`ProcessPoolExecutor`)."
	}
	return "M" + plain + ", or " + thread + " around the call."
}

// asyncClients are the async counterparts of clients that block, by their packages.
var asyncClients = map[string]string{
	"redis": "redis.asyncio", "psycopg": "psycopg.AsyncConnection", "pymongo": "pymongo.AsyncMongoClient", "openai": "openai.AsyncOpenAI", "anthropic": "anthropic.AsyncAnthropic",
	"elasticsearch": "elasticsearch.AsyncElasticsearch", "qdrant_client": "qdrant_client.AsyncQdrantClient", "sqlalchemy": "sqlalchemy's create_async_engine", "grpc": "grpc.aio",
	"boto3": "aioboto3", "botocore": "aioboto3", "psycopg2": "psycopg.AsyncConnection", "pymysql": "aiomysql", "smtplib": "aiosmtplib", "paramiko": "asyncssh",
}

// asyncClient is what a person would use instead of the client at hand.
func asyncClient(v *view) string {
	for i := v.mine - 1; i >= 0; i-- {
		if client := asyncClients[pkg(v.work[i].File)]; client != "" {
			return client
		}
	}
	return "httpx.AsyncClient"
}

// coroutine is the person's async function that made the call, perhaps through plain ones: the first one outwards. "" if the source tells of
// none; where it is not known, the outermost one is taken for it.
func (s *scene) coroutine(v *view) string {
	name := ""
	for i := v.mine; i >= 0 && i < len(v.work) && !s.foreign(v.work[i].File); i++ {
		f := v.work[i]
		lines := s.Source(f.File)
		if len(lines) == 0 {
			name = last(f.Function)
			continue
		}
		for n := min(f.Line, len(lines)); n > 0; n-- {
			text := strings.TrimSpace(lines[n-1])
			if strings.HasPrefix(text, "async def "+last(f.Function)+"(") {
				return last(f.Function)
			}
			if strings.HasPrefix(text, "def "+last(f.Function)+"(") {
				break
			}
		}
	}
	return name
}

// exhausted: every worker of a pool is in the same call, and the next request finds none.
func exhausted(s *scene) (Stall, bool) {
	groups := map[string][]*view{}
	for _, v := range s.views {
		if v.kind == pool {
			groups[poolName(v)] = append(groups[poolName(v)], v)
		}
	}
	for _, name := range []string{"AnyIO's", "the executor's", "waitress's", "cheroot's", "the pool's"} {
		group := groups[name]
		least := 4
		if name == "AnyIO's" {
			least = 40 // it makes threads as they are needed, up to 40
		}
		if len(group) < least || slices.ContainsFunc(group, func(v *view) bool { return len(v.work) == 0 || !v.still }) {
			continue
		}
		places := map[Frame]int{}
		var most Frame
		var of *view
		for _, v := range group {
			f, ok := v.ownFrame()
			if !ok {
				f = Frame{File: v.work[0].File, Function: v.work[0].Function}
			}
			if places[f]++; places[f] > places[most] {
				most, of = f, v
			}
		}
		if of == nil || len(places) > 3 || places[most]*2 < len(group) {
			continue
		}
		st := at(most)
		if _, ok := of.ownFrame(); !ok {
			st = Stall{}
		}
		st.Kind = KindThreads
		st.Summary = fmt.Sprintf("all %d of %s threads are in %s", len(group), name, s.doing(of, most))
		st.Remedy = "Give the call a time limit, make it async, or raise the number of threads (anyio.to_thread.current_default_thread_limiter().total_tokens)."
		if name != "AnyIO's" {
			st.Remedy = "Give the call a time limit, or give the pool more threads (max_workers, --threads)."
		}
		return st, true
	}
	return Stall{}, false
}

// mainWaits: a main thread without an event loop, or one that only starts, waits for something that has a name.
func mainWaits(s *scene) (Stall, bool) {
	v := s.server
	if v == nil || len(v.work) == 0 || v.kind == loop && s.Phase != Starting && v.mine >= 0 {
		return Stall{}, false
	}
	if s.cpu > 0.7 && !v.still {
		return Stall{}, false
	}
	if slices.Contains([]Kind{KindNetwork, KindLock, KindSubprocess, KindDisk}, v.why.kind) {
		return s.waits(v)
	}
	f, ok := v.ownFrame()
	if !ok || !v.why.sleeps || s.Phase != Starting && !serves(v) && !workerProcess(v) {
		return Stall{}, false
	}
	st := at(f)
	st.Kind, st.Summary = KindThreads, "the only worker is in "+s.doing(v, f)
	st.Remedy = "A server with one sync worker answers one request at a time. Start more workers or threads (gunicorn --threads 8), or shorten the call."
	if workerProcess(v) {
		st.Summary = "a worker process is in " + s.doing(v, f)
		st.Remedy = "Give the call a time limit (`get(timeout=…)`, `result(timeout=…)`), or the pool more processes: whoever waits for this one waits as long."
	}
	if s.Phase == Starting {
		st.Kind, st.Summary = KindUnknown, "it is in "+s.doing(v, f)
		st.Remedy = "The program waits before it serves. Move the wait into a thread, or raise [health] start_timeout."
	}
	return st, true
}

// requestWaits: the loop is free, and what waits are threads that serve requests. A thread of the program's own that waits for work is no
// reason: that is how such threads live.
func requestWaits(s *scene) (Stall, bool) {
	count := map[Kind]int{}
	first := map[Kind]*view{}
	for _, v := range s.views {
		if v.kind != pool || !v.still || v.mine < 0 {
			continue
		}
		if count[v.why.kind]++; first[v.why.kind] == nil {
			first[v.why.kind] = v
		}
	}
	best := KindUnknown
	for _, k := range []Kind{KindLock, KindNetwork, KindSubprocess, KindDisk} {
		if count[k] > count[best] || best == KindUnknown && count[k] > 0 {
			best = k
		}
	}
	if best == KindUnknown || s.cpu > 0.7 {
		return Stall{}, false
	}
	return s.waits(first[best])
}

// waits is the stall of a thread whose cause is known.
func (s *scene) waits(v *view) (Stall, bool) {
	f, ok := s.nearest(v)
	if !ok {
		return Stall{}, false
	}
	st := at(f)
	st.Kind = v.why.kind
	switch v.why.kind {
	case KindNetwork:
		st.Summary = "it waits for " + cmp.Or(v.why.host, "another host") + inBrackets(v.why.by) + ", " + s.where(f)
		st.Remedy = "Give the call a timeout, and see whether the other side answers."
		if strings.HasSuffix(v.why.by, "accept") {
			st.Summary = "it waits for a connection" + inBrackets(v.why.by) + ", " + s.where(f)
		}
	case KindLock:
		st.Summary = "it waits for " + cmp.Or(v.why.by, "a lock") + ", " + s.where(f)
		st.Remedy = "Whoever should give the lock or put the item does not. Use `with` so that it is always given back, and a timeout."
		if of, remedy := s.commonWait(v); of != "" {
			st.Summary, st.Remedy = "it waits for "+of+", "+s.where(f), remedy
			return st, true
		}
		if holder := s.holder(v); holder != "" {
			st.Summary += ", which " + holder + " holds"
			st.Remedy = "See why the thread that holds the lock does not go on, and hold a lock only for short work."
		}
	case KindSubprocess:
		st.Summary = "it waits for another program" + inBrackets(v.why.by) + ", " + s.where(f)
		st.Remedy = "Give the call a timeout (`subprocess.run(…, timeout=60)`), and see what the program waits for: input, perhaps."
	case KindDisk:
		st.Summary = "it waits for a file" + inBrackets(v.why.by) + ", " + s.where(f)
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

package stall

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
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
		if p := (pattern{KindDownload, downloads.modules, nil}); p.matches(v.work[i]) {
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
	if v.why.kind == KindLock && v.still {
		return s.importWaits(st, v), true
	}
	if v.why.kind == KindNetwork {
		st.Summary += ", which waits for the network"
		st.Remedy = "The package asks the network while it is imported. See whether it has a setting for offline use."
	}
	return st, true
}

// importWaits: a package waits for something while it is imported. If another thread waits for an import meanwhile, each waits for the other.
func (s *scene) importWaits(st Stall, v *view) Stall {
	waits := slices.ContainsFunc(s.views, func(other *view) bool { return other != v && other.still && other.why.by == importOfOther })
	switch {
	case v.why.by == importOfOther:
		st.Summary += ", which another thread imports"
		st.Remedy = "See with `vivarium stacks` what that thread waits for. Import the module once, before threads start."
	case waits:
		st.Kind = KindDeadlock
		st.Summary += ", waits for a thread that itself waits for the import"
		st.Remedy = "The package starts a thread while it is imported, and that thread needs the package. Import the package before whatever changes imports (tracers, lazy loaders), or take another version of it."
	default:
		st.Summary += ", which waits for a lock or a thread"
		st.Remedy = "The package waits for something while it is imported; `vivarium stacks` shows for what. Import it where it is needed, not at the start."
	}
	return st
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
	case v.why.kind == KindLock && strings.Contains(v.why.by, "result") && s.above(f, "run_coroutine_threadsafe"):
		return "The coroutine needs the very loop that waits for it. `await` it instead: run_coroutine_threadsafe is for other threads."
	case strings.HasPrefix(v.why.by, retrying):
		return "What is tried again fails, as the log may say. Retry in the coroutine itself (the same decorator on an `async def`, which waits without blocking), and not for ever."
	case s.expression(v):
		return "An expression that backtracks keeps the GIL, so that a thread does not help. Make it simpler ((a|b)* and (x+)+ are costly), bound the text, or give it to a process (`ProcessPoolExecutor`)."
	case strings.HasPrefix(v.why.by, "gc.") || strings.HasPrefix(v.why.by, "json."):
		return "The call keeps the GIL, so that a thread does not help. Do less of it at once, or give it to a process (`ProcessPoolExecutor`)."
	case v.why.sleeps:
		return or("Use `await asyncio.sleep(…)`", thread+" around the call")
	case v.why.by == loggingLock || v.why.by == importOfOther:
		_, remedy := s.commonWait(v)
		return remedy
	case strings.HasPrefix(v.why.by, databaseOf):
		return or(databaseRemedy[:len(databaseRemedy)-1]+"; "+thread+" around the call keeps the loop free", "an async driver")
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

// expression: the thread matches a regular expression.
func (s *scene) expression(v *view) bool {
	f, ok := v.ownFrame()
	if !ok || v.why.kind != KindUnknown {
		return false
	}
	if v.mine > 0 {
		m := module(v.work[0].File)
		return strings.HasPrefix(m, "re/") || m == "re.py" || strings.HasPrefix(m, "sre_")
	}
	for _, m := range matching.FindAllStringSubmatch(s.text(f), 5) {
		if slices.ContainsFunc(s.Source(f.File), func(line string) bool {
			name, value, ok := strings.Cut(clean(line), "=")
			return ok && strings.TrimSpace(name) == m[1] && strings.HasPrefix(strings.TrimSpace(value), "re.compile(")
		}) {
			return true
		}
	}
	return false
}

var matching = regexp.MustCompile(`([A-Za-z_]\w*)\.(?:search|match|fullmatch|findall|finditer|sub|subn|split)\(`)

// asyncClients are the async counterparts of clients that block, by their packages.
var asyncClients = map[string]string{
	"redis": "redis.asyncio", "psycopg": "psycopg.AsyncConnection", "pymongo": "pymongo.AsyncMongoClient", "openai": "openai.AsyncOpenAI", "anthropic": "anthropic.AsyncAnthropic",
	"elasticsearch": "elasticsearch.AsyncElasticsearch", "qdrant_client": "qdrant_client.AsyncQdrantClient", "sqlalchemy": "sqlalchemy's create_async_engine", "grpc": "grpc.aio",
	"boto3": "aioboto3", "botocore": "aioboto3", "psycopg2": "psycopg.AsyncConnection", "pymysql": "aiomysql", "smtplib": "aiosmtplib", "paramiko": "asyncssh",
}

// asyncClient is what a person would use instead of the client at hand.
func asyncClient(v *view) string {
	if client := asyncClients[strings.TrimPrefix(v.why.by, "a query of ")]; client != "" {
		return client
	}
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
		if name == "the executor's" && len(group) > 0 && len(group) < least && s.poolOf(group[0]) == len(group) && waitsForFuture(group[0]) {
			least = len(group)
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
		if name == "the executor's" && waitsForFuture(of) {
			return s.itself(st, len(group)), true
		}
		st.Summary = fmt.Sprintf("all %d of %s threads are in %s", len(group), name, s.doing(of, most))
		st.Remedy = "Give the call a time limit, make it async, or raise the number of threads (anyio.to_thread.current_default_thread_limiter().total_tokens)."
		if strings.HasPrefix(of.why.by, databaseOf) {
			st.Summary = fmt.Sprintf("all %d of %s threads wait for %s", len(group), name, s.doing(of, most))
			st.Remedy = databaseRemedy
			return st, true
		}
		if name != "AnyIO's" {
			st.Remedy = "Give the call a time limit, or give the pool more threads (max_workers, --threads)."
		}
		return st, true
	}
	return Stall{}, false
}

// waitsForFuture: a thread of an executor waits for the result of one.
func waitsForFuture(v *view) bool {
	return v.mine > 0 && slices.ContainsFunc(v.work[:v.mine], func(f Frame) bool {
		return module(f.File) == "concurrent/futures/_base.py" && slices.Contains([]string{"result", "exception", "wait", "as_completed"}, last(f.Function))
	})
}

// poolOf is the number of threads of the one executor that the file of a thread's own line makes, 0 if that is not known.
func (s *scene) poolOf(v *view) int {
	f, ok := v.ownFrame()
	found := 0
	for _, line := range s.Source(f.File) {
		if m := poolSize.FindStringSubmatch(clean(line)); m != nil && ok {
			if found != 0 {
				return 0
			}
			found, _ = strconv.Atoi(m[1])
		}
	}
	return found
}

var poolSize = regexp.MustCompile(`ThreadPoolExecutor\((?:max_workers\s*=\s*)?(\d{1,3})\b`)

// itself: all threads of an executor wait for futures. If it is the same one that has to compute them, nobody is left to do it.
func (s *scene) itself(st Stall, n int) Stall {
	who := fmt.Sprintf("all %d of the executor's threads wait for results of futures", n)
	if n == 1 {
		who = "the only thread of the executor waits for the result of a future"
	}
	st.Summary = who + ", " + s.where(Frame{File: st.File, Line: st.Line})
	st.Remedy = "Work that an executor does must not wait for other work of the same executor: no thread is left to do it. Wait for it outside, or use a second executor for the inner work."
	return st
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
	if s.Phase == Starting && strings.HasPrefix(v.why.by, retrying) {
		st.Kind, st.Summary = KindUnknown, "it tries something again and again"+strings.TrimPrefix(v.why.by, retrying)+", "+s.where(f)
		st.Remedy = "What it tries fails each time, as the log may say: a server that is not there yet, perhaps. Bound the retries, so that the start fails with the reason."
		return st, true
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
	served := func(v *view) bool { return v.kind == pool && v.still && v.mine >= 0 }
	// Who waits for a future waits for what another thread does.
	inner := slices.ContainsFunc(s.views, func(v *view) bool { return served(v) && !waitsForFuture(v) })
	for _, v := range s.views {
		if !served(v) || inner && waitsForFuture(v) {
			continue
		}
		if count[v.why.kind]++; first[v.why.kind] == nil || first[v.why.kind].why.by == importOfOther {
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

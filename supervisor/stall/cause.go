package stall

import (
	"regexp"
	"slices"
	"strings"
)

// cause is what a thread is doing, as far as its frames and the person's line say.
type cause struct {
	kind Kind   // KindUnknown if they do not
	by   string // the call: "time.sleep", "requests.get"; "" if it is not known
	host string
	// sleeps: it waits for the clock alone.
	sleeps bool
	// inC: the innermost frame calls something that has no frame of Python.
	inC bool
}

// pattern recognises a cause by a frame's module and function. An empty functions matches any.
type pattern struct {
	kind      Kind
	modules   *regexp.Regexp
	functions *regexp.Regexp
}

func modules(list string) *regexp.Regexp   { return regexp.MustCompile(`^(?:` + list + `)`) }
func functions(list string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + list + `)$`) }

// patterns, in the order in which they are asked of all frames of a thread's work that the person's code called.
var patterns = []pattern{
	{KindPaused, modules(`pdb\.py|bdb\.py|IPython/terminal/debugger|IPython/core/debugger|ipdb/|pudb/|debugpy/|code\.py`), nil},
	{KindPaused, modules(`ipykernel/kernelbase\.py`), functions(`_input_request|raw_input|getpass`)},
	{KindLock, modules(`filelock/|portalocker/|fasteners/`), nil}, // a download may wait for one
	downloads,
	{KindDownload, nil, functions(`urlretrieve|download_url_to_file`)},
	{KindSubprocess, modules(`subprocess\.py`), functions(`communicate|_communicate|wait|_wait|_try_wait|run|call|check_call|check_output|getoutput`)},
	{KindSubprocess, modules(`pexpect/|multiprocessing/popen_|sh\.py|plumbum/`), nil},
	{KindNetwork, modules(`socket\.py|ssl\.py|http/client\.py|urllib/request\.py|urllib3/|requests/|httpx/|httpcore/|psycopg|pymysql/|MySQLdb/|mysql/|redis/|pymongo/|smtplib\.py|ftplib\.py|imaplib\.py|poplib\.py|telnetlib\.py|paramiko/|grpc/|openai/|anthropic/|botocore/|boto3/|elasticsearch|elastic_transport/|kafka/|pika/|ldap3/|websocket/|websockets/sync/|aiohttp/|asyncpg/|cassandra/|qdrant_client/|pymilvus/|weaviate/`), nil},
	{KindNetwork, database.modules, database.functions},
	{KindLock, modules(`threading\.py`), functions(`acquire|wait|wait_for|join|_wait_for_tstate_lock|_acquire_restore|__enter__`)},
	{KindLock, modules(`queue\.py|concurrent/futures/_base\.py|concurrent/futures/thread\.py|concurrent/futures/process\.py|multiprocessing/(synchronize|queues|pool|connection|process|managers)\.py|joblib/|loky/|torch/utils/data/dataloader\.py`), nil},
	{KindLock, modules(`tqdm/std\.py`), functions(`acquire`)},
	{KindLock, modules(`vllm/distributed/device_communicators/shm_broadcast\.py|vllm/v1/executor/|vllm/v1/engine/core_client\.py|torch/distributed/(distributed_c10d|rendezvous)\.py`), nil},
	{KindDisk, modules(`pathlib\.py|pathlib/|shutil\.py|tempfile\.py|genericpath\.py|posixpath\.py|glob\.py|fileinput\.py|zipfile|tarfile\.py`), nil},
}

// downloads are the packages that fetch models and data.
var downloads = pattern{KindDownload, modules(`huggingface_hub/(file_download|_snapshot_download|utils/_http|utils/_xet|hf_file_system)|pip/_internal/|torch/hub\.py|nltk/downloader|spacy/cli/download|gdown/|kagglehub/|modelscope/hub/|open_clip/pretrained|ultralytics/utils/downloads|torchvision/datasets/utils|datasets/download/|easyocr/utils|whisper/__init__`), functions(`.*download.*|.*http_get.*|.*fetch.*|snapshot_.*|xet_get|load_state_dict_from_url|.*http_backoff|run|main|_get_metadata.*|_request_wrapper`)}

// database are the frames below which a driver in C waits for its database.
var database = pattern{KindNetwork, modules(`django/db/backends/|sqlalchemy/engine/|sqlalchemy/pool/base\.py|peewee\.py|pony/orm/|records\.py`),
	functions(`_execute|_executemany|execute|do_execute|do_executemany|do_commit|_do_commit|do_rollback|_commit|commit|_commit_impl|get_new_connection|connect|execute_sql`)}

// words recognise a cause by the person's own line, where what it calls has no frame.
var words = []struct {
	kind  Kind
	sleep bool
	call  *regexp.Regexp
}{
	{KindPaused, false, functions(`breakpoint|input|pdb\.set_trace|code\.interact`)},
	{KindUnknown, true, functions(`time\.sleep|gevent\.sleep|signal\.(pause|sigwait|sigwaitinfo)|pause`)},
	{KindSubprocess, false, functions(`os\.(system|wait|waitpid|wait3|wait4|spawn\w+|popen)|subprocess\.\w+|.*\.communicate`)},
	{KindNetwork, false, functions(`socket\.(create_connection|getaddrinfo|gethostby\w+|getfqdn)|.*\.(connect|connect_ex|recv|recv_into|recvfrom|recvmsg|sendall|accept|do_handshake|getresponse)|urllib\.request\.urlopen|.*urlopen`)},
	{KindLock, false, functions(`.*\.acquire|fcntl\.(flock|lockf)|.*\.(join|wait|result|get|get_nowait|put|recv_bytes)|_thread\.\w+`)},
	{KindDisk, false, functions(`open|io\.open|os\.(open|read|write|pread|stat|listdir|scandir|fsync|rename|replace|walk|makedirs)|.*\.(read|readline|readlines|read_text|read_bytes|write_text|write_bytes|write|flush|open)|shutil\.\w+`)},
}

// cause says what a thread does.
func (s *scene) cause(v *view) cause {
	inner, c := v.work, cause{kind: KindUnknown}
	if v.mine >= 0 {
		inner = v.work[:v.mine]
	} else if i := slices.IndexFunc(inner, func(f Frame) bool { return module(f.File) == "multiprocessing/process.py" }); i >= 0 {
		inner = inner[:i]
	}
	for _, p := range patterns {
		if slices.ContainsFunc(inner, p.matches) {
			c.kind = p.kind
			break
		}
	}
	if len(inner) > 0 {
		s.innermost(inner[0], &c)
	}
	if c.kind == KindNetwork && s.body(inner) {
		c.kind = KindDownload
	}
	if c.kind == KindNetwork && v.mine >= 0 && strings.Contains(strings.ToLower(last(v.work[v.mine].Function)), "download") {
		c.kind = KindDownload
	}
	if c.by == "" {
		c.by = s.by(v)
	}
	if i := slices.IndexFunc(inner, database.matches); c.kind == KindNetwork && i >= 0 {
		c.by = "a query of " + pkg(inner[i].File)
		if len(s.Peers) == 0 || strings.Contains(module(inner[i].File), "sqlite") {
			c.kind = KindLock // a database in a file
		}
	}
	if v.mine == 0 {
		c.inC = true
		s.ownLine(v.work[0], &c)
	} else if v.mine > 0 || len(inner) > 0 {
		c.inC = s.binary(inner)
	}
	if c.kind == KindNetwork || c.kind == KindDownload {
		c.host = s.host(v)
	}
	return c
}

func (p pattern) matches(f Frame) bool {
	m := module(f.File)
	if p.modules != nil && (m == "" || !p.modules.MatchString(m)) {
		return false
	}
	return p.functions == nil || p.functions.MatchString(last(f.Function))
}

// body: a client reads an answer piece by piece, as one does with a file.
func (s *scene) body(inner []Frame) bool {
	return slices.ContainsFunc(inner, func(f Frame) bool {
		m, function := module(f.File), last(f.Function)
		return m == "requests/models.py" && (function == "generate" || function == "iter_content") ||
			m == "httpx/_models.py" && strings.HasPrefix(function, "iter_") || m == "shutil.py" && function == "copyfileobj" ||
			m == "urllib3/response.py" && function == "stream" && !slices.ContainsFunc(inner, func(g Frame) bool { return module(g.File) == "requests/sessions.py" })
	})
}

// ownLine asks the person's line, which calls something without a frame of Python.
func (s *scene) ownLine(f Frame, c *cause) {
	text := s.text(f)
	if m := withLock.FindStringSubmatch(text); m != nil {
		c.kind, c.by, c.inC = KindLock, m[1], false
		return
	}
	names := s.calls(f)
	if s.query(f, names, c) {
		return
	}
	for _, w := range words {
		for _, name := range names {
			if w.call.MatchString(name) {
				c.kind, c.by, c.sleeps, c.inC = w.kind, strings.TrimPrefix(name, "_thread."), w.sleep, false
				return
			}
		}
	}
	if s.Source(f.File) != nil && !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(builtins, name) }) {
		c.inC = false // it calls nothing but Python's own functions
	}
}

// builtins are functions of Python's own that compute.
var builtins = []string{"sum", "any", "all", "map", "filter", "reversed", "hash", "ord", "chr", "abs", "round", "pow", "divmod", "repr", "format", "iter", "next", "getattr", "setattr",
	"hasattr", "id", "type", "bytes", "bytearray", "frozenset", "exec", "eval", "compile"}

// binary: the innermost frame is that of a package with much C in it.
func (s *scene) binary(inner []Frame) bool {
	if len(inner) == 0 {
		return false
	}
	return slices.Contains([]string{"faiss", "numpy", "torch", "scipy", "sklearn", "onnxruntime", "tokenizers", "transformers", "llama_cpp", "ctranslate2", "cv2",
		"pandas", "pyarrow", "mlx", "jax", "jaxlib", "tensorflow", "xgboost", "lightgbm", "PIL", "faster_whisper", "sentencepiece", "hnswlib", "annoy", "ctypes"}, pkg(inner[0].File))
}

// by names the call that the person's code made.
func (s *scene) by(v *view) string {
	if v.mine < 0 {
		if len(v.work) == 0 {
			return ""
		}
		f := v.work[len(v.work)-1]
		return joined(pkg(f.File), last(f.Function))
	}
	names := s.calls(v.work[v.mine])
	if v.mine == 0 {
		if len(names) > 0 {
			return names[0]
		}
		return ""
	}
	callee := v.work[v.mine-1]
	for i := v.mine - 1; i >= max(0, v.mine-4); i-- { // through decorators: model.generate first comes to torch's decorate_context
		for _, name := range names {
			if last(name) == last(v.work[i].Function) && s.foreign(v.work[i].File) {
				return called(name, pkg(v.work[i].File))
			}
		}
	}
	for _, name := range names {
		if last(name) == last(callee.Function) || last(callee.Function) == "__init__" || strings.HasSuffix(last(callee.Function), "_"+last(name)) {
			return joined(pkg(callee.File), last(name))
		}
	}
	function := last(callee.Function)
	if strings.HasPrefix(function, "_") || strings.HasPrefix(function, "<") {
		function = ""
	}
	if len(names) == 1 && function == "" {
		function = last(names[0])
	}
	return joined(pkg(callee.File), function)
}

// called names a call by its package, or as it is written where that is one of Python's for threads: "ready.wait" says more than threading.wait.
func called(name, pkg string) string {
	if pkg != "threading" && pkg != "concurrent" {
		return joined(pkg, last(name))
	}
	if pkg == "concurrent" && !strings.Contains(name, ".") {
		return "Future." + name
	}
	return name
}

func joined(pkg, function string) string {
	switch {
	case strings.HasPrefix(function, "<") || function == "":
		return pkg
	case pkg == "" || pkg == function:
		return function
	}
	return pkg + "." + function
}

// host is the other side: as the person's line spells it, or the only one that the process is connected to.
func (s *scene) host(v *view) string {
	if f, ok := v.ownFrame(); ok {
		if m := literalIn.FindStringSubmatch(s.text(f)); m != nil {
			return m[1]
		}
	}
	if len(s.Peers) == 1 {
		return s.Peers[0]
	}
	return ""
}

package crash

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/crash/traceback"
)

// The rules that know a cause by what Python and the servers print.

var (
	inUse     = regexp.MustCompile(`(?i)\[errno (?:48|98)\].*address already in use|Address already in use \(os error (?:48|98)\)|listen tcp \S+: bind: address already in use`)
	portBusy  = regexp.MustCompile(`^(?:Error: |OSError: )?(?:That port is already in use|All ports from \d+ to \d+ are in use|Cannot find empty port in range: \d+-\d+|Port \d+ is (?:not available|already in use|in use)\b)`)
	boundPort = regexp.MustCompile(`\('[^']*', (\d+)[,)]|[Pp]ort (\d+) is |range: (\d+)-|listen tcp \S*:(\d+): |\b\d{1,3}(?:\.\d{1,3}){3}:(\d+)\b`)
)

// portTaken: the server itself says that it cannot listen, in the last lines or as the exception that ended it.
func portTaken(s *scene) (Verdict, bool) {
	if !s.failed() {
		return Verdict{}, false
	}
	const near = 15
	for i := len(s.lines) - 1; i >= max(0, len(s.lines)-near); i-- {
		l := s.lines[i]
		if !strings.Contains(l, "in use") && !strings.Contains(l, "range: ") && !strings.Contains(l, "not available") {
			continue
		}
		said := inUse.MatchString(l) && (s.logged[i] || strings.HasPrefix(l, "ERROR") || strings.HasPrefix(l, "[Errno ") || strings.Contains(l, "listen tcp ") || strings.Contains(l, "(os error ")) ||
			strings.Contains(l, "Connection in use: (") || strings.HasPrefix(l, "Port ") && strings.Contains(l, " is in use by another program") ||
			portBusy.MatchString(l)
		if said && !s.wentOn(i) && !quotedBefore(l[:max(0, strings.Index(l, "in use"))]) {
			return s.portVerdict(l), true
		}
	}
	if i, text := s.thrown(); i >= 0 && inUse.MatchString(text) {
		v := s.portVerdict(text)
		v.Line = s.lines[i]
		return v, true
	}
	return Verdict{}, false
}

func (s *scene) portVerdict(line string) Verdict {
	v := Verdict{Summary: "a port that the server needs is taken by another process", Line: line,
		Remedy: "End the process that has it, or let the server listen on another port."}
	port := ""
	if m := boundPort.FindStringSubmatch(line); m != nil {
		port = strings.Join(m[1:], "")
		v.Summary = "port " + port + " is taken by another process"
		v.Remedy = "`vivarium status` names the process if it is this backend's port. End that, or set another port in vivarium.toml."
		if s.Foreign {
			v.Remedy = "`lsof -nP -iTCP:" + port + " -sTCP:LISTEN` names the process. End that, or let the server listen on another port."
		}
	}
	airPlay := s.os() == "darwin" && (port == "5000" || port == "7000") && s.PortOwner == "" || strings.HasPrefix(s.PortOwner, "ControlCe")
	switch {
	case airPlay:
		v.Remedy = "AirPlay Receiver mostly has it: switch that off in System Settings, General, AirDrop & Handoff; or " + s.anotherPort() + "."
	case s.PortOwner != "" && port == strconv.Itoa(s.Port):
		v.Summary = "port " + port + " is taken by " + s.PortOwner
		v.Remedy = "End it yourself, or " + s.anotherPort() + "."
	}
	return v
}

var notLoaded = regexp.MustCompile(`Error loading ASGI app\. (.+)|(Failed to find attribute '.+' in '.+')|(Import string ".*" must be in format .+)`)

func appNotFound(s *scene) (Verdict, bool) {
	for _, text := range []string{"Error loading ASGI app. ", "Failed to find attribute ", `Import string "`} {
		i := s.last(text)
		if i < 0 || s.wentOn(i) || !s.failed() { // uvicorn exits with 1, newer ones with 3, gunicorn with 4
			continue
		}
		m := notLoaded.FindStringSubmatch(s.lines[i])
		if m == nil {
			continue
		}
		return Verdict{
			Summary: "the application was not found: " + strings.TrimRight(m[1]+m[2]+m[3], "."),
			Remedy:  "Check that " + s.theCommand() + " names your module and the variable in it, as in main:app, and that the module's file is in " + s.theFolder() + ".",
			Line:    s.lines[i],
		}, true
	}
	return Verdict{}, false
}

var (
	noModule    = regexp.MustCompile(`^(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'(; '([\w.]+)' is not a package)?$`)
	noRunModule = regexp.MustCompile(`^\S.*: No module named ([\w.]+)$`) // `python -m x` prints no traceback
)

func missingModule(s *scene) (Verdict, bool) {
	if i, text := s.thrown(); i >= 0 {
		if m := noModule.FindStringSubmatch(headline(text)); m != nil {
			return s.lacking(m[1], m[3], s.lines[i]), true
		}
	}
	if i := filled(s.lines, len(s.lines)); i >= 0 && s.exited(1) && !s.servedBefore(i) {
		if m := noRunModule.FindStringSubmatch(s.lines[i]); m != nil && !traceback.IsException(s.lines[i]) {
			return s.lacking(m[1], "", s.lines[i]), true
		}
	}
	return Verdict{}, false
}

// lacking is the verdict on a module that is not there. A remedy is given where one is known to work: a file of the person's own
// that hides a package, a submodule, or a part of Python itself cannot be installed.
func (s *scene) lacking(module, shadow, line string) Verdict {
	v := Verdict{Summary: "Python module " + module + " is missing", Line: line}
	top, _, dotted := strings.Cut(module, ".")
	switch {
	case shadow != "":
		v.Remedy = "A file named " + shadow + ".py stands in the place of the package " + shadow + ": rename it if it is yours."
	case module == "pkg_resources":
		v.Remedy = "It came with setuptools before version 81: " + s.pip("'setuptools<81'") + ", until the package that asks for it is upgraded."
	case dotted:
		v.Remedy = top + " is there, but not this part of it: the installed version does not fit the code, or the name is wrong."
	case builtIn[module] != "":
		v.Remedy = builtIn[module]
	case s.All != "" && slices.Contains(s.Declares, strings.ToLower(strings.ReplaceAll(cmp.Or(packages[module], module), "_", "-"))):
		v.Remedy = "The project declares it: install all that it declares, with `" + s.All + "`."
	case packages[module] != "":
		v.Remedy = "Install it: " + s.install() + " " + packages[module]
	default:
		v.Remedy = "Install it: " + s.install() + " " + module + " (unless it is a file of your own: then check " + s.theFolder() + ")."
	}
	return v
}

func (s *scene) install() string {
	switch {
	case s.Install != "":
		return s.Install
	case s.Python != "":
		return environment.Quote(s.Python) + " -m pip install"
	}
	return "python -m pip install"
}

// pip is a command for the environment, in quotes.
func (s *scene) pip(arguments string) string { return "`" + s.install() + " " + arguments + "`" }

// builtIn are modules that no package brings back in the way its name promises.
var builtIn = map[string]string{
	"distutils": "Python 3.12 and later have no distutils: upgrade the package that asks for it, or install setuptools, which still brings it.",
	"imp":       "Python 3.12 and later have no imp: upgrade the package that asks for it.",
	"asyncore":  "Python 3.12 and later have no asyncore: upgrade the package that asks for it.",
	"cgi":       "Python 3.13 and later have no cgi: upgrade the package that asks for it, or install legacy-cgi.",
	"pipes":     "Python 3.13 and later have no pipes: upgrade the package that asks for it.",
	"_ctypes":   "This Python was built without ctypes (libffi was missing then): use another Python.",
	"_sqlite3":  "This Python was built without SQLite: use another Python.",
	"_ssl":      "This Python was built without OpenSSL: use another Python.",
	"_bz2":      "This Python was built without bzip2: use another Python.",
	"_lzma":     "This Python was built without xz: use another Python.",
	"_tkinter":  "This Python was built without Tk: use another Python.",
}

// packages are modules that people install, with the package each comes in. Any other name may as well be a file of the
// person's own.
var packages = map[string]string{
	"Crypto": "pycryptodome", "_cffi_backend": "cffi", "PIL": "pillow", "attr": "attrs", "bs4": "beautifulsoup4", "cv2": "opencv-python-headless",
	"dateutil": "python-dateutil", "docx": "python-docx", "dotenv": "python-dotenv", "faiss": "faiss-cpu", "fitz": "pymupdf",
	"git": "gitpython", "jose": "python-jose", "jwt": "pyjwt", "magic": "python-magic", "multipart": "python-multipart",
	"pptx": "python-pptx", "serial": "pyserial", "skimage": "scikit-image",
	"sklearn": "scikit-learn", "yaml": "pyyaml", "zmq": "pyzmq",
	"fastapi": "fastapi", "flask": "flask", "gunicorn": "gunicorn", "httpx": "httpx", "hypercorn": "hypercorn", "numpy": "numpy",
	"openai": "openai", "pandas": "pandas", "pydantic": "pydantic", "requests": "requests", "scipy": "scipy", "starlette": "starlette",
	"torch": "torch", "transformers": "transformers", "uvicorn": "uvicorn",
}

func startupFailed(s *scene) (Verdict, bool) {
	said, e := s.startup()
	if said < 0 {
		return Verdict{}, false
	}
	if s.end != nil && s.end.Exception != nil { // one in its group, or behind it
		e = s.end.Exception
	}
	v := Verdict{Summary: "the application failed while it started", Line: s.lines[said],
		Remedy: "The log's last lines show why."}
	if e != nil {
		v.Line = s.lines[e.Line]
		v.Summary += ": " + headline(e.Text)
		v.Remedy = s.because(e.Line, e.Text, v.Remedy)
		if fields := invalidFields(e.Text); len(fields) > 0 {
			v.Summary += ": " + strings.Join(fields, ", ")
		}
	}
	return v, true
}

func uncaughtException(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 {
		return Verdict{}, false
	}
	v := Verdict{Summary: "Python stopped with " + headline(text), Line: s.lines[i]}
	if s.ending().logged {
		v.Summary = "Python left after it had logged " + headline(text)
	}
	if fields := invalidFields(text); len(fields) > 0 {
		v.Summary += ": " + strings.Join(fields, ", ")
	}
	if said := s.modelUnread(i, text); said != "" {
		v.Summary += " (" + said + ")"
	}
	v.Remedy = s.because(i, text, "The traceback is in the log's last lines.")
	return v, true
}

// because is what to do about the exception at line i: what its text asks for, and where the person's own code was.
func (s *scene) because(i int, text, otherwise string) string {
	remedy := cmp.Or(askedFor(text), s.oldNumPy(i, text))
	if s.modelUnread(i, text) != "" {
		remedy = "Look whether the model's file is whole: its size against that of the original. If it is, the program is too old for that model: upgrade it."
	}
	if m := missingKey().FindStringSubmatch(text); m != nil { // os.environ's, by its frame
		if e := s.exceptionAt(i); e != nil && len(e.Frames) > 0 && (strings.HasSuffix(e.Frames[len(e.Frames)-1].File, "/os.py") || e.Frames[len(e.Frames)-1].File == "<frozen os>") {
			remedy = "Set " + m[1] + " in the server's environment or its .env file."
		}
	}
	if p := s.place(i); p != "" {
		remedy = strings.TrimSpace(remedy + " Your code was at " + p + ".")
	}
	return cmp.Or(remedy, otherwise)
}

// headline is an exception's text in one line. Where the message begins below the name, that line belongs to it.
func headline(text string) string {
	first, rest, _ := strings.Cut(text, "\n")
	first = strings.TrimSpace(first)
	if !strings.HasSuffix(first, ":") {
		return first
	}
	for l := range strings.SplitSeq(rest, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			return first + " " + l
		}
	}
	return first
}

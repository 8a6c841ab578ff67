package crash

import (
	"regexp"
	"strconv"
	"strings"
)

// The rules that know a cause by what Python and the servers print.

var (
	inUse     = regexp.MustCompile(`(?i)\[errno (?:48|98)\].*address already in use`)
	boundPort = regexp.MustCompile(`\('[^']*', (\d+)[,)]|[Pp]ort (\d+) is in use`)
)

// portTaken: the server itself says that it cannot listen, in the last lines or as the exception that ended it.
func portTaken(s *scene) (Verdict, bool) {
	if !s.failed() {
		return Verdict{}, false
	}
	deciding := s.fatal()
	if _, e := s.startup(); e >= 0 {
		deciding = e
	}
	const near = 15
	for i := len(s.lines) - 1; i >= max(0, len(s.lines)-near); i-- {
		l := s.lines[i]
		said := strings.HasPrefix(l, "ERROR") && inUse.MatchString(l) ||
			strings.Contains(l, "Connection in use: (") || strings.HasPrefix(l, "Port ") && strings.Contains(l, " is in use by another program")
		if said && !s.wentOn(i) {
			return s.portVerdict(l), true
		}
	}
	if deciding >= 0 && inUse.MatchString(s.lines[deciding]) {
		return s.portVerdict(s.lines[deciding]), true
	}
	return Verdict{}, false
}

func (s *scene) portVerdict(line string) Verdict {
	v := Verdict{Summary: "a port that the server needs is taken by another process", Line: line,
		Remedy: "End the process that has it, or let the server listen on another port."}
	port := ""
	if m := boundPort.FindStringSubmatch(line); m != nil {
		port = m[1] + m[2]
		v.Summary = "port " + port + " is taken by another process"
		v.Remedy = "`vivarium status` names the process if it is this backend's port. End that, or set another port in vivarium.toml."
	}
	airPlay := s.os() == "darwin" && (port == "5000" || port == "7000") && s.PortOwner == "" || strings.HasPrefix(s.PortOwner, "ControlCe")
	switch {
	case airPlay:
		v.Remedy = "AirPlay Receiver mostly has it: switch that off in System Settings, General, AirDrop & Handoff; or set another port in vivarium.toml."
	case s.PortOwner != "" && port == strconv.Itoa(s.Port):
		v.Summary = "port " + port + " is taken by " + s.PortOwner
		v.Remedy = "End it yourself, or set another port in vivarium.toml."
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
			Remedy:  "Check that the command in vivarium.toml names your module and the variable in it, as in main:app, and that the module's file is in the backend's folder.",
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
	i := s.fatal()
	if _, e := s.startup(); e >= 0 {
		i = e
	}
	if i >= 0 {
		if m := noModule.FindStringSubmatch(s.lines[i]); m != nil {
			return s.lacking(m[1], m[3], s.lines[i]), true
		}
	}
	if i := filled(s.lines, len(s.lines)); i >= 0 && s.exited(1) {
		if m := noRunModule.FindStringSubmatch(s.lines[i]); m != nil && !isExceptionLine(s.lines[i]) {
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
	case dotted:
		v.Remedy = top + " is there, but not this part of it: the installed version does not fit the code, or the name is wrong."
	case builtIn[module] != "":
		v.Remedy = builtIn[module]
	case packages[module] != "":
		v.Remedy = "Install it: " + s.install() + " " + packages[module]
	default:
		v.Remedy = "Install it: " + s.install() + " " + module + " (unless it is a file of your own: then check the backend's folder)."
	}
	return v
}

func (s *scene) install() string {
	switch {
	case s.Install != "":
		return s.Install
	case s.Python != "":
		return Quote(s.Python) + " -m pip install"
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
	"Crypto": "pycryptodome", "PIL": "pillow", "attr": "attrs", "bs4": "beautifulsoup4", "cv2": "opencv-python-headless",
	"dateutil": "python-dateutil", "docx": "python-docx", "dotenv": "python-dotenv", "faiss": "faiss-cpu", "fitz": "pymupdf",
	"git": "gitpython", "jose": "python-jose", "jwt": "pyjwt", "magic": "python-magic", "multipart": "python-multipart",
	"pkg_resources": "setuptools", "pptx": "python-pptx", "serial": "pyserial", "skimage": "scikit-image",
	"sklearn": "scikit-learn", "yaml": "pyyaml", "zmq": "pyzmq",
	"fastapi": "fastapi", "flask": "flask", "gunicorn": "gunicorn", "httpx": "httpx", "hypercorn": "hypercorn", "numpy": "numpy",
	"openai": "openai", "pandas": "pandas", "pydantic": "pydantic", "requests": "requests", "scipy": "scipy", "starlette": "starlette",
	"torch": "torch", "transformers": "transformers", "uvicorn": "uvicorn",
}

func startupFailed(s *scene) (Verdict, bool) {
	said, exception := s.startup()
	if said < 0 {
		return Verdict{}, false
	}
	v := Verdict{Summary: "the application failed while it started", Line: s.lines[said],
		Remedy: "The log's last lines show why."}
	if exception >= 0 {
		v.Line = s.lines[exception]
		v.Summary += ": " + v.Line
		if p := s.place(exception); p != "" {
			v.Remedy = "Your code was at " + p + "."
		}
	}
	return v, true
}

func uncaughtException(s *scene) (Verdict, bool) {
	i := s.fatal()
	if i < 0 {
		return Verdict{}, false
	}
	v := Verdict{Summary: "Python stopped with " + s.lines[i], Line: s.lines[i], Remedy: "The traceback is in the log's last lines."}
	if p := s.place(i); p != "" {
		v.Remedy = "Your code was at " + p + "."
	}
	return v, true
}

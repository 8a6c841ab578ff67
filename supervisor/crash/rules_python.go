package crash

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The rules that know what the system refuses to a server: its Python, a disk, a port, a folder, the network. And who pressed Ctrl-C.

// initWords are what a Python says that finds no standard library, or a broken one.
var initWords = []string{
	"init_fs_encoding: failed to get the Python codec", "No module named 'encodings'", "Could not find platform independent libraries <prefix>",
	"Failed to import encodings module", "init_import_site: Failed to import the site module", "unable to load the file system codec", "can't initialize time",
	"init_sys_streams: can't initialize sys standard streams", "error evaluating path", "Error processing line 1 of",
}

// brokenPython: Python itself cannot start. It leaves with 1, and older ones abort.
func brokenPython(s *scene) (Verdict, bool) {
	for _, words := range initWords[:len(initWords)-1] {
		i := s.said(words)
		if i < 0 || s.wentOn(i) || !s.assumed && !s.failed() && !s.ended("SIGABRT") || len(s.lines)-i > 60 || s.last("[Errno 1] Operation not permitted") > i {
			continue
		}
		if !strings.Contains(s.text, "Python runtime state: ") && !strings.Contains(s.lines[i], "Fatal Python error") && !strings.Contains(s.text, "Python path configuration:") && !strings.Contains(s.text, "Fatal Python error: ") {
			continue
		}
		v := Verdict{Line: s.lines[i], Summary: "Python itself cannot start: it does not find its standard library"}
		v.Remedy = "Make the environment anew with a Python that is there, and take PYTHONHOME and PYTHONPATH out of the server's environment if they are set."
		if strings.Contains(words, "site module") || strings.Contains(words, "streams") || strings.Contains(words, "time") {
			v.Summary = "Python itself cannot start: its installation, or what it is to read at its start, is broken"
		}
		return v, true
	}
	return Verdict{}, false
}

var (
	badCPU      = pattern(`(?i)bad CPU type in executable|Exec format error`)
	badInterp   = pattern(`(?i)bad interpreter: (\S+?):|cannot execute: required file not found|^(?:/usr/bin/)?env: .?python[\d.]*.?: No such file or directory`)
	noCommand   = pattern(`(?:command not found: (\S+)|: line \d+: (\S+): command not found|^(?:\S+: )?(\S+): (?:command )?not found|No such command: (\S+)|Unknown command: (\S+))$`)
	notExecuted = pattern(`^(?:zsh: permission denied: (\S+)|\S*sh: (?:line \d+: )?(\S+): Permission denied)$`)
	noSpawn     = pattern("^error: Failed to spawn: `([^`]+)`$")
	launchCodes = []int{1, 2, 126, 127}
)

// notLaunched: a shell could not start the program at all.
func notLaunched(s *scene) (Verdict, bool) {
	i := filled(s.lines, len(s.lines))
	if i < 0 || s.Worker || s.Signal != "" || !s.failed() || !slices.Contains(launchCodes, s.Code) || s.servedBefore(i) || quotedSaying(s.lines[i]) {
		return Verdict{}, false
	}
	l := s.lines[i]
	v := Verdict{Line: l}
	switch m := noCommand().FindStringSubmatch(l); {
	case badCPU().MatchString(l):
		v.Kind, v.Summary = KindArchitecture, "the program that was to be started is made for another architecture than this computer"
		v.Remedy = "Make the environment anew with one Python for this computer's architecture, and install the packages again."
	case badInterp().MatchString(l):
		v.Summary = "Python cannot be started: the Python that this environment was made with is gone"
		v.Remedy = "Make the environment anew, with python3 -m venv, and install its packages."
	case m != nil:
		name := strings.TrimRight(strings.Join(m[1:], ""), ":")
		v.Kind, v.Summary = KindCannotStart, "there is no program "+name+" to start"
		v.Remedy = "Activate the environment that has it, or install it: " + s.pip(distribution(name)) + "."
	case notExecuted().MatchString(l):
		name := strings.Join(notExecuted().FindStringSubmatch(l)[1:], "")
		v.Kind, v.Summary = KindCannotStart, name+" may not be executed"
		v.Remedy = "Allow it: `chmod +x " + name + "`, or name the program that reads it, as in `sh " + name + "`."
	case i > 0 && noSpawn().MatchString(s.lines[i-1]):
		v.Line = s.lines[i-1]
		name := noSpawn().FindStringSubmatch(v.Line)[1]
		v.Kind, v.Summary = KindCannotStart, "there is no program "+name+" to start"
		v.Remedy = "It is not in the project's environment: `uv add " + distribution(name) + "`, or `uv sync` if the project asks for it already."
	default:
		return Verdict{}, false
	}
	return v, true
}

// interrupted: somebody pressed Ctrl-C, or sent SIGINT, and Python left with a KeyboardInterrupt.
func interrupted(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 || headline(text) != "KeyboardInterrupt" || s.Worker {
		return Verdict{}, false
	}
	return Verdict{Line: s.lines[i], Summary: "Python was interrupted (SIGINT, as by Ctrl-C)", Remedy: "Nothing is known to be wrong with your server: a person or a script interrupted it."}, true
}

var (
	diskWords = pattern(`\[Errno 28\]|No space left on device|database or disk is full|\[Errno (?:122|69)\]|Dis[ck] quota exceeded|not enough (?:free )?disk space|ENOSPC|There is not enough space on the disk`)
	diskFile  = pattern(`No space left on device: '([^']+)'|exceeded: '([^']+)'`)
)

func diskFull(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 || !diskWords().MatchString(text) {
		return Verdict{}, false
	}
	v := Verdict{Line: s.lines[i], Summary: "the disk is full", Remedy: "Make room on the disk: models that are not needed any more are in ~/.cache/huggingface, and pip's cache goes with `pip cache purge`."}
	if strings.Contains(text, "quota") {
		v.Summary = "the disk space that this account may use is used up"
	}
	if m := diskFile().FindStringSubmatch(text); m != nil {
		v.Summary += ", while " + m[1] + m[2] + " was written"
	}
	if p := s.place(i); p != "" {
		v.Remedy += " Your code was at " + p + "."
	}
	return v, true
}

var (
	bindDenied = regexp.MustCompile(`(?i)\[errno 13\][^\n]*(?:bind|listen)[^\n]*permission denied|(?:bind|listen|connection to)[^\n]*(?:\[errno 13\] permission denied|: permission denied)|permission to (?:bind|access|listen)[^\n]*port|listen EACCES`)
	deniedPort = regexp.MustCompile(`\('[^']*', (\d+)[,)]|:(\d+): bind|[Pp]ort (\d+)|EACCES:? permission denied [\d.:]*:(\d+)`)
)

// portDenied: the port is free, but this user may not have it. Below 1024 ports are for root alone.
var notOurAddress = pattern(`(?i)\[errno (?:49|99)\] error while attempting to bind on address \('([^']+)'`)

func portDenied(s *scene) (Verdict, bool) {
	if !s.failed() {
		return Verdict{}, false
	}
	const near = 15
	for i := len(s.lines) - 1; i >= max(0, len(s.lines)-near); i-- {
		if l := s.lines[i]; (strings.Contains(l, "ermission") || strings.Contains(l, "EACCES")) && bindDenied.MatchString(l) && !s.wentOn(i) && !quotedSaying(l) {
			return s.denied(l, l), true
		} else if m := notOurAddress().FindStringSubmatch(l); m != nil && !s.wentOn(i) && !quotedSaying(l) {
			return Verdict{Line: l, Summary: "the server cannot listen on " + m[1] + ": this computer has no such address", Remedy: "Let it listen on 127.0.0.1, or on 0.0.0.0 for other computers to reach it."}, true
		}
	}
	i, text := s.thrown()
	if i < 0 || !strings.HasPrefix(text, "PermissionError: [Errno 13]") {
		return Verdict{}, false
	}
	e := s.exceptionAt(i)
	if e == nil || len(e.Frames) == 0 {
		return Verdict{}, false
	}
	inner := e.Frames[len(e.Frames)-1]
	below := strings.Join(s.lines[min(inner.At+1, e.Line):e.Line], "\n")
	if !strings.Contains(below, ".bind(") && !strings.Contains(below, "create_server(") && inner.Function != "server_bind" && inner.Function != "bind" && inner.Function != "bind_socket" {
		return Verdict{}, false
	}
	return s.denied(s.lines[i], text+"\n"+below), true
}

func (s *scene) denied(line, text string) Verdict {
	v := Verdict{Line: line, Summary: "the server is not allowed to listen on its port (permission denied)"}
	v.Remedy = "Ports below 1024 are for root alone: " + s.anotherPort() + ", 8000 for instance."
	if m := deniedPort.FindStringSubmatch(text); m != nil {
		port := strings.Join(m[1:], "")
		v.Summary = "the server is not allowed to listen on port " + port + " (permission denied)"
		if len(port) > 3 && number(port, 10) >= 1024 {
			v.Remedy = "The system keeps this port for itself: " + strings.ToUpper(s.anotherPort()[:1]) + s.anotherPort()[1:] + "."
		}
	}
	return v
}

var (
	noRoute    = pattern(`\[Errno 65\]|No route to host`)
	private    = pattern(`\b(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|169\.254(?:\.\d{1,3}){2}|fe80::[0-9a-f:]*|[\w-]+\.local)\b`)
	notAllowed = pattern(`(?:PermissionError|OSError): \[Errno 1\] Operation not permitted(?:: '?([^'\n]*))?|^(?:.*: )?can't open file '([^']+)': \[Errno 1\] Operation not permitted|^(?:ba|z)?sh: (\S[^:\n]*): Operation not permitted`)
)

// walls are the folders that macOS guards, with what System Settings calls them.
var walls = []struct{ part, name, pane string }{
	{"/Documents/", "Documents", "Files & Folders"}, {"/Desktop/", "Desktop", "Files & Folders"}, {"/Downloads/", "Downloads", "Files & Folders"},
	{"/Library/Mobile Documents/", "iCloud Drive", "Files & Folders"}, {"/Library/CloudStorage/", "a cloud drive", "Files & Folders"}, {"/Volumes/", "another volume", "Files & Folders"},
	{"/Library/", "the Library folder", "Full Disk Access"},
}

// Guarded says whether macOS guards the folder dir, what it is called, and the pane of System Settings, Privacy & Security, in which a person
// lets a program into it. home is that person's.
func Guarded(home, dir string) (name, pane string, ok bool) {
	for _, w := range walls {
		if w.part == "/Library/" { // most of it is open to every program
			continue
		}
		below := filepath.Clean(home) + w.part
		if w.part == "/Volumes/" {
			below = w.part
		}
		if strings.HasPrefix(filepath.Clean(dir)+"/", below) {
			return w.name, w.pane, true
		}
	}
	return "", "", false
}

// permission: macOS refuses what a person has to allow: the local network, or a folder. It asks on behalf of the app that is responsible for
// the process, and sometimes it does not ask.
func permission(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 {
		if i = filled(s.lines, len(s.lines)); i < 0 || !s.failed() || s.servedBefore(i) {
			return Verdict{}, false
		}
		text = s.lines[i]
	}
	if s.os() != "darwin" && !strings.Contains(text, "/Users/") && !strings.Contains(text, "[Errno 65]") {
		return Verdict{}, false
	}
	app := "the app that started the server (your terminal, or your editor)"
	if !s.Foreign {
		app = responsible(s.App)
	}
	if noRoute().MatchString(text) {
		where := private().FindString(text)
		if e := s.exceptionAt(i); where == "" && e != nil && e.Start < e.Line {
			where = private().FindString(strings.Join(s.lines[e.Start:e.Line], "\n"))
		}
		if where == "" {
			return Verdict{}, false
		}
		v := noNetwork(s.lines[i], where, app)
		v.Kind = ""
		return v, true
	}
	m := notAllowed().FindStringSubmatch(text)
	if m == nil {
		return Verdict{}, false
	}
	v, ok := guardedFile(s.lines[i], m, s.Dir, app)
	v.Kind = ""
	return v, ok
}

// tooManyFiles: the system gave no more files and connections, as the exception says that ended it; or the server could take no connection any
// more, which asyncio only logs.
func tooManyFiles(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 && s.failed() {
		i, text = s.noMoreConnections()
	}
	if i < 0 || !strings.Contains(text, "[Errno 24]") && !strings.Contains(text, "Too many open files") && !strings.Contains(text, "(os error 24)") {
		return Verdict{}, false
	}
	v := Verdict{Line: s.lines[i], Summary: "too many open files", Remedy: "Something opens files or connections and does not close them; the limit was raised as far as the system allows."}
	if s.Foreign {
		v.Remedy = "Something opens files or connections and does not close them; `ulimit -n 65536` before the start raises the limit, and only puts the end off."
	}
	if p := s.place(i); p != "" {
		v.Remedy = "Your code was at " + p + ". " + v.Remedy
	}
	return v, true
}

// noMoreConnections is what asyncio logged last: that it could not accept a connection.
func (s *scene) noMoreConnections() (line int, text string) {
	i := s.said("socket.accept() out of system resource")
	if i < 0 || s.wentOn(i) {
		return -1, ""
	}
	for n := range s.found {
		if e := &s.found[n]; e.Line > i && strings.Contains(e.Text, "Too many open files") && s.atEnd(e.Line) {
			return e.Line, e.Text
		}
	}
	return -1, ""
}

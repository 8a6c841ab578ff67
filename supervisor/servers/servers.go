// Package servers knows the Python servers that people run: how each is recognised, started, asked for its health, stopped, and what it says.
// table.go is data alone and the place for a new row; the code beside it reads command lines.
// It must not know of files, processes, or Vivarium's configuration: callers hand in words and text.
// Begin with ByCommand, then table.go.
package servers

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Placeholders of a command, as in vivarium.toml.
const (
	Python = "{python}"
	Port   = "{port}"
)

// Placeholders of Server.Start alone.
const (
	appHole  = "{app}"
	hostHole = "{host}"
)

// Server is one row of the table: a program that serves, a library whose scripts serve, or a worker that listens nowhere.
type Server struct {
	Name    string // "uvicorn": the row's key
	Title   string // for a person: "Uvicorn"
	Package string // what pip installs to have it; "" if it comes with Python or is the user's own

	Programs []string // its console scripts
	Modules  []string // what stands after `python -m`; the first is the one that commands are written with
	Serves   []string // the subcommands that start a server; nil if the program has none
	Imports  []string // modules whose import in a script says that the script is one of these
	Makes    []string // what an application object is made with: "fastapi.FastAPI"
	Calls    []string // what a script calls in order to serve: "uvicorn.run", ".launch"

	App   Shape    // what follows on its command line
	Start []string // the command, with {python}, {app}, {host} and {port}; nil if another row starts it
	Via   []string // rows that can start its applications, the best first
	Flags Flags

	Health string         // the path that answers while it is well, "" if only the application knows
	Port   int            // where it listens if nobody says so, 0 for a worker without a port
	Stop   syscall.Signal // what ends it in order
	// StopTakes is how long an orderly stop may take where that is more than two seconds, and Slow says why.
	StopTakes time.Duration
	Slow      string
	// Interface is how its applications are called: "asgi", "wsgi", "rsgi" or "".
	Interface string

	Workers  Children // how its workers come to be
	Reloader Children // how the process below its reloader comes to be
	Reloads  bool     // it reloads unless it is told not to
	// EndsWithWorker: when one of its workers dies it ends itself, in good order and without a word.
	EndsWithWorker bool

	Listens []string // patterns of its log; the first group is where it listens
	Fails   []Saying // patterns of its log when it cannot serve
}

// Shape is what names the application on a command line.
type Shape string

// The shapes.
const (
	NoApp  Shape = ""       // nothing does: the server is the program
	Object Shape = "object" // module:attribute
	File   Shape = "file"   // a path, or a folder
	Dotted Shape = "dotted" // a module
	Model  Shape = "model"  // the name or path of a model
)

// Flags are the options of a server by what they mean, each with all its spellings.
type Flags struct {
	Port, Host []string
	Bind       []string // host:port in one, or unix:path
	UDS        []string
	Workers    []string
	App        []string // the application as an option's value
	AppDir     []string // the folder from which it is imported
	Config     []string // a file with more options
	Root       []string // the path under which a proxy serves it
	TLS        []string // with one of them it speaks HTTPS
	Factory    []string // the application is a function that makes it
	Reload     []string // with no value
	NoReload   []string
	Drop       []string          // never taken over, with no value: daemons, browsers
	DropValue  []string          // the same with a value: a PID file
	Values     []string          // further options with a value, so that the value is not taken for an application
	Always     []string          // options that a server without a person needs: no browser, no other port than the one asked for
	Positional bool              // host:port or port is a word of its own (Django)
	Variables  map[string]string // environment variables that mean "port" or "host"
}

// Children says how processes below a server look.
type Children string

// The ways.
const (
	None    Children = ""
	Spawned Children = "spawn" // Python's multiprocessing starts them: their command line says spawn_main
	Forked  Children = "fork"  // they have the leader's command line
	Again   Children = "again" // the same program is started anew, with the leader's arguments
	Titled  Children = "title" // they name themselves: "gunicorn: worker [x]"
)

// Saying is a line of a log and what it means.
type Saying struct {
	Pattern string
	Means   Meaning
}

// Meaning is a kind of failure that a server's own words tell.
type Meaning string

// The meanings.
const (
	PortTaken     Meaning = "port-taken"
	AppMissing    Meaning = "app-missing"    // the module, the file or the attribute is not there
	StartupFailed Meaning = "startup-failed" // the application's own startup code failed
	WorkerFailed  Meaning = "worker-failed"
	NoBroker      Meaning = "no-broker" // the message broker or database does not answer
	ModelMissing  Meaning = "model-missing"
	BadOption     Meaning = "bad-option"
	NotReady      Meaning = "not-configured" // settings or migrations are missing
)

// ByName finds a row.
func ByName(name string) (Server, bool) {
	i := slices.IndexFunc(table, func(s Server) bool { return s.Name == name })
	if i < 0 {
		return Server{}, false
	}
	return table[i], true
}

// All is the whole table. It is a copy as far as its rows go.
func All() []Server { return slices.Clone(table) }

// ByImport finds the row that a script with this import is: the full dotted name, or a module below it.
func ByImport(module string) (Server, bool) {
	for _, s := range table {
		for _, m := range s.Imports {
			if module == m || strings.HasPrefix(module, m+".") {
				return s, true
			}
		}
	}
	return Server{}, false
}

// ByMaker finds the row whose applications are made by calling the dotted name: "fastapi.FastAPI".
func ByMaker(name string) (Server, bool) {
	for _, s := range table {
		if slices.Contains(s.Makes, name) {
			return s, true
		}
	}
	return Server{}, false
}

// StopSignal is what ends the server in order; SIGINT for what is not in the table, as a person's Ctrl-C does.
func (s Server) StopSignal() syscall.Signal {
	if s.Stop == 0 {
		return syscall.SIGINT
	}
	return s.Stop
}

// HasPort: it listens somewhere, as far as the table knows.
func (s Server) HasPort() bool { return s.Port != 0 }

var compiled sync.Map // pattern → *regexp.Regexp; the table's patterns are compiled when they are first needed

func pattern(p string) *regexp.Regexp {
	if re, ok := compiled.Load(p); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(p)
	compiled.Store(p, re)
	return re
}

// ListensAt reads where the server says it listens out of one line of its log, "" if the line does not say it. What follows a "?" is
// left out: it may be a token.
func (s Server) ListensAt(line string) string {
	for _, p := range s.Listens {
		if m := pattern(p).FindStringSubmatch(line); m != nil {
			at, _, _ := strings.Cut(m[1], "?")
			return at
		}
	}
	return ""
}

// Failure is what one line of its log means, "" if it is no failure known of this server.
func (s Server) Failure(line string) Meaning {
	for _, f := range s.Fails {
		if pattern(f.Pattern).MatchString(line) {
			return f.Means
		}
	}
	return ""
}

// IsWorker says whether a process with the command line args is one of this server's workers, or what its reloader watches; leader is
// the command line of the process above it. A fork has its parent's command line until it execs, so the caller must know that
// it has settled.
func (s Server) IsWorker(args, leader []string) bool {
	for _, way := range []Children{s.Workers, s.Reloader} {
		switch way {
		case Spawned:
			if isSpawned(args) {
				return true
			}
		case Forked:
			if len(args) > 0 && slices.Equal(args, leader) {
				return true
			}
		case Again:
			if len(args) > 0 && sameProgram(args, leader) {
				return true
			}
		case Titled:
			if len(args) > 0 && (pattern(titles).MatchString(args[0]) || slices.Equal(args, leader)) {
				return true
			}
		}
	}
	return false
}

// titles are the names that workers give themselves with setproctitle.
const titles = `^(?:gunicorn: worker|\[?celeryd: .*ForkPoolWorker|rq:work|rq: Forked|uWSGI worker|hypercorn: worker|granian worker|Sanic-Server|\(wsgi:|Unit )`

// isSpawned: the standard library's multiprocessing started it. Its helper processes are no workers.
func isSpawned(args []string) bool {
	for _, a := range args {
		if strings.Contains(a, "resource_tracker import main") || strings.Contains(a, "semaphore_tracker import main") || strings.Contains(a, "forkserver import main") {
			return false
		}
	}
	return slices.ContainsFunc(args, func(a string) bool {
		return strings.Contains(a, "multiprocessing.spawn import spawn_main") || a == "--multiprocessing-fork"
	})
}

// sameProgram: both run the same words after the interpreter. A reloader starts `python -m flask run` as `python /…/flask run` and the
// other way round, so the program is compared by its last element.
func sameProgram(a, b []string) bool {
	x, y := program(a), program(b)
	return len(x) > 0 && slices.Equal(x, y)
}

// program is the command line without the interpreter, `-m`, and the folder of its program.
func program(words []string) []string {
	if len(words) > 0 && IsPython(words[0]) {
		i := 1
		for i < len(words) && strings.HasPrefix(words[i], "-") && words[i] != "-m" {
			if words[i] == "-X" || words[i] == "-W" {
				i++
			}
			i++
		}
		words = words[min(i, len(words)):]
		if len(words) > 0 && words[0] == "-m" {
			words = words[1:]
		}
	}
	if len(words) == 0 {
		return nil
	}
	name := strings.TrimSuffix(base(words[0]), ".py")
	if name == "__main__" {
		name = base(strings.TrimSuffix(strings.TrimSuffix(words[0], ".py"), "/__main__"))
	}
	return append([]string{name}, words[1:]...)
}

func base(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}

package servers

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Match is what a command line says. Its words are the caller's; indexes count in the whole command line.
type Match struct {
	Via    []Wrapper // what stands around the command: env, nohup, `uv run`
	First  int       // where the command itself begins, behind Via
	Python string    // the interpreter, as it stands there; "" if a program is called by its own name
	Args   int       // where the server's own arguments begin

	Sub     string   // the subcommand: "run", "dev", "serve"
	App     string   // "main:app", "server.py", "pkg.main"; "" if none is named
	AppAt   int      // where it stands, -1 if it is not a word of its own
	AppDir  string   // the folder from which it is imported, "" for the current one
	Factory bool     // the application is a function that makes it
	Files   []string // option files: gunicorn.conf.py

	Host    string // as it is given, without the port; "" if it is not
	Port    int    // 0 if none is given, or only the environment knows it
	PortAt  int    // where the word with the port is, -1 if there is none
	Socket  string // a Unix socket instead of a port
	Workers int    // 0 if not given
	Root    string // the path under which a proxy serves it
	TLS     bool
	Reload  bool
}

// ByCommand reads a command line, ours or a stranger's, as the programs in it do. The server is the zero value where nothing in the
// table, and no script, is recognised.
func ByCommand(argv []string) (Server, Match) {
	via, at := unwrap(argv)
	m := Match{Via: via, First: at, AppAt: -1, PortAt: -1}
	words := argv[at:]
	if len(words) == 0 {
		return Server{}, m
	}
	if IsPython(words[0]) {
		m.Python = words[0]
		return byPython(argv, m)
	}
	if n := len(via); (words[0] == "-m" || words[0] == "--module") && n > 0 && len(words) > 1 {
		return byModule(argv, m, words[1], at+1)
	}
	return byProgram(argv, m, at, nil)
}

// byProgram finds the row of a program that is called by its name, or as a file.
func byProgram(argv []string, m Match, at int, unknown func() (Server, Match)) (Server, Match) {
	name := base(argv[at])
	if n := len(m.Via); n > 0 && m.Via[n-1].Tool == "hatch" {
		name = strings.TrimPrefix(name, m.Via[n-1].Name+":")
	}
	if s, ok := rowOfProgram(name, argv[at+1:]); ok {
		m.Args = at + 1
		return s, s.read(argv, m)
	}
	if unknown != nil {
		return unknown()
	}
	if strings.HasSuffix(name, ".py") {
		return script(argv, m, at)
	}
	return Server{}, m
}

// rowOfProgram: of programs with subcommands, only those that serve are servers. `jupyter lab` is a program of its own.
func rowOfProgram(name string, rest []string) (Server, bool) {
	if name == "jupyter" {
		switch first(rest) {
		case "lab":
			return ByName("jupyterlab")
		case "server", "notebook", "nbclassic":
			return ByName("jupyter")
		case "voila":
			return ByName("voila")
		}
		return Server{}, false
	}
	for _, s := range table {
		if slices.Contains(s.Programs, name) {
			return s, s.Serves == nil || s.sub(rest) >= 0
		}
	}
	return Server{}, false
}

func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// sub is where the serving subcommand stands in the arguments, -1 if there is none: options may come before it.
func (s Server) sub(rest []string) int {
	for i := 0; i < len(rest); i++ {
		if slices.Contains(s.Serves, rest[i]) {
			return i
		}
		if !strings.HasPrefix(rest[i], "-") {
			return -1
		}
		if s.takesValue(rest[i]) {
			i++
		}
	}
	return -1
}

func script(argv []string, m Match, at int) (Server, Match) {
	s, _ := ByName("script")
	if base(argv[at]) == "manage.py" {
		if django, ok := rowOfProgram("manage.py", argv[at+1:]); ok {
			m.Args = at + 1
			m = django.read(argv, m)
			m.App, m.AppAt = argv[at], at
			return django, m
		}
	}
	m.App, m.AppAt, m.Args = argv[at], at, at+1
	// What a script does with its options is its own affair. Those that everybody means alike are believed.
	read := Server{Flags: portAndHost}.read(argv, m)
	read.App, read.AppAt = argv[at], at
	return s, read
}

// byPython reads an interpreter's arguments as the interpreter does.
func byPython(argv []string, m Match) (Server, Match) {
	for i := m.First + 1; i < len(argv); i++ {
		w := argv[i]
		switch {
		case w == "-X" || w == "-W" || w == "--check-hash-based-pycs":
			i++
		case w == "-":
			return Server{}, m
		case strings.HasPrefix(w, "--"):
		case strings.HasPrefix(w, "-"):
			flag := strings.IndexAny(w, "cmXW")
			switch {
			case flag < 0:
			case w[flag] == 'X' || w[flag] == 'W':
				if flag == len(w)-1 {
					i++
				}
			case w[flag] == 'c':
				return byCode(argv, m, i)
			case flag+1 < len(w): // -mserver
				return byModule(argv, m, w[flag+1:], i)
			case i+1 < len(argv):
				return byModule(argv, m, argv[i+1], i+1)
			}
		default:
			return byProgram(argv, m, i, func() (Server, Match) { return script(argv, m, i) })
		}
	}
	return Server{}, m
}

func byModule(argv []string, m Match, module string, at int) (Server, Match) {
	m.Args = at + 1
	rest := argv[at+1:]
	if module == "jupyter" {
		if s, ok := rowOfProgram("jupyter", rest); ok {
			return s, s.read(argv, m)
		}
	}
	for _, s := range table {
		if !slices.Contains(s.Modules, module) && !slices.Contains(s.Modules, strings.TrimSuffix(module, ".__main__")) {
			continue
		}
		// A module that is a server and nothing else (vllm.entrypoints.openai.api_server) has no subcommand.
		if s.Serves == nil || s.sub(rest) >= 0 || module != s.Modules[0] && strings.HasSuffix(module, "_server") {
			return s, s.read(argv, m)
		}
		return Server{}, m
	}
	s, _ := ByName("module")
	read := Server{Flags: portAndHost}.read(argv, m)
	read.App, read.AppAt = module, -1
	if argv[at] == module {
		read.AppAt = at
	}
	return s, read
}

var codeOf = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(?:import sys\s*;\s*)?from ([\w.]+) import (\w+)\s*;\s*(?:sys\.exit\(|raise SystemExit\()?(\w+)\(\)\)?\s*$`)
})

// byCode reads `python -c "from x import main; main()"`, which is how a console script is called without its file.
func byCode(argv []string, m Match, at int) (Server, Match) {
	code := strings.TrimPrefix(argv[at], "-c")
	if code == "" && at+1 < len(argv) {
		at++
		code = argv[at]
	}
	g := codeOf().FindStringSubmatch(code)
	if g == nil || g[2] != g[3] {
		return Server{}, m
	}
	m.Args = at + 1
	top, _, _ := strings.Cut(g[1], ".")
	for _, s := range table {
		for _, module := range s.Modules {
			if module == g[1] || strings.HasPrefix(module, top+".") || module == top {
				if s.Serves == nil || s.sub(argv[m.Args:]) >= 0 {
					return s, s.read(argv, m)
				}
			}
		}
	}
	s, _ := ByName("module")
	m.App = g[1]
	return s, m
}

var (
	pythonName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?i)(pypy|python)[0-9.]*[a-z]*$`) })
	appName    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][\w./-]*:[A-Za-z_][\w.]*(\(.*\))?$`) })
	dottedName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`) })
)

// IsPython: the program at path is an interpreter, or the placeholder for one.
func IsPython(path string) bool { return path == Python || pythonName().MatchString(base(path)) }

// read reads the server's arguments, which begin at m.Args.
func (s Server) read(argv []string, m Match) Match {
	m.Reload = s.Reloads
	if i := s.sub(argv[m.Args:]); i >= 0 {
		m.Sub = argv[m.Args+i]
	}
	subSeen := m.Sub == ""
	for i := m.Args; i < len(argv); i++ {
		w := argv[i]
		if w == "--" {
			continue
		}
		if !strings.HasPrefix(w, "-") || w == "-" {
			if !subSeen && w == m.Sub {
				subSeen = true
				continue
			}
			m = s.readWord(argv, m, i)
			continue
		}
		name, value, at, next := s.option(argv, i)
		m = s.take(m, name, value, at)
		i = next
	}
	if s.Name == "fastapi" {
		m.Reload = m.Sub == "dev" && !slices.Contains(argv, "--no-reload") || slices.Contains(argv, "--reload")
	}
	return m
}

// option takes an option apart: its name, its value, where the value stands, and the last word that belongs to it.
func (s Server) option(argv []string, i int) (name, value string, at, next int) {
	w := argv[i]
	if n, v, ok := strings.Cut(w, "="); ok && strings.HasPrefix(w, "-") {
		return n, v, i, i
	}
	if s.takesValue(w) {
		if i+1 < len(argv) {
			return w, argv[i+1], i + 1, i + 1
		}
		return w, "", -1, i
	}
	if len(w) > 2 && w[1] != '-' && s.takesValue(w[:2]) { // -w4
		return w[:2], w[2:], i, i
	}
	return w, "", -1, i
}

func (s Server) takesValue(name string) bool {
	f := s.Flags
	for _, names := range [][]string{f.Port, f.Host, f.Bind, f.UDS, f.Workers, f.App, f.AppDir, f.Config, f.Root, f.TLS, f.DropValue, f.Values} {
		if slices.Contains(names, name) {
			return true
		}
	}
	return false
}

func (s Server) take(m Match, name, value string, at int) Match {
	f := s.Flags
	has := func(names []string) bool { return slices.Contains(names, name) }
	switch {
	case has(f.Port):
		if n, err := strconv.Atoi(value); err == nil && n >= 0 && n < 65536 {
			m.Port = n
		}
		m.PortAt = at
	case has(f.Host):
		m.Host = value
	case has(f.Bind):
		m = bind(m, value, at)
	case has(f.UDS):
		m.Socket = value
	case has(f.Workers):
		m.Workers, _ = strconv.Atoi(value)
	case has(f.App):
		m.App, m.AppAt = value, at
	case has(f.AppDir):
		m.AppDir = value
	case has(f.Config):
		m.Files = append(m.Files, value)
	case has(f.Root):
		m.Root = value
	case has(f.TLS):
		m.TLS = value != ""
	case has(f.Factory):
		m.Factory = value == "" || value == "true"
	case has(f.NoReload):
		m.Reload = false
	case has(f.Reload):
		m.Reload = value != "false"
	}
	return m
}

// bind reads host:port, :port, [::1]:port, unix:path and fd://3.
func bind(m Match, value string, at int) Match {
	if path, ok := strings.CutPrefix(value, "unix:"); ok {
		m.Socket = strings.TrimPrefix(path, "//")
		return m
	}
	if strings.HasPrefix(value, "fd://") || strings.HasPrefix(value, "/") {
		m.Socket = value
		return m
	}
	value = value[strings.LastIndexByte(value, '/')+1:] // tcp://…
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		m.Host = strings.Trim(value, "[]")
		return m
	}
	m.Host, m.PortAt = host, at
	if n, err := strconv.Atoi(port); err == nil && n >= 0 && n < 65536 {
		m.Port = n
	}
	return m
}

// readWord takes a word that belongs to no option.
func (s Server) readWord(argv []string, m Match, i int) Match {
	w := argv[i]
	if s.Flags.Positional && s.Name != "" {
		if allDigits(w) {
			m.Port, _ = strconv.Atoi(w)
			m.PortAt = i
		} else if _, port, err := net.SplitHostPort(w); err == nil && (allDigits(port) || strings.HasPrefix(port, "{")) {
			return bind(m, w, i)
		}
		return m
	}
	if m.App != "" && m.AppAt >= 0 {
		return m
	}
	switch s.App {
	case Object:
		if appName().MatchString(w) || m.App == "" && dottedName().MatchString(w) || strings.HasSuffix(w, ".py") {
			m.App, m.AppAt = w, i
		}
	case Dotted:
		if dottedName().MatchString(w) || appName().MatchString(w) {
			m.App, m.AppAt = w, i
		}
	case File, Model:
		m.App, m.AppAt = w, i
	}
	return m
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Listens is where a server with this command line listens, as far as the command line says it; the row's own defaults fill the rest.
// A port of 0 means that it listens on none, or that only the server itself knows.
func (s Server) Where(m Match) (host string, port int) {
	host, port = m.Host, m.Port
	if host == "" {
		host = "127.0.0.1"
	}
	if port == 0 && m.PortAt < 0 && m.Socket == "" {
		port = s.Port
	}
	return host, port
}

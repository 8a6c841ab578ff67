package servers

import (
	"net"
	"slices"
	"strings"
)

// Left is a part of a command line that is not taken over, and why.
type Left struct {
	Words []string
	Why   string
}

// Choice is what a command is written for.
type Choice struct {
	App  string // "main:app", "app.py"; what App of the row asks for
	Host string // "" is 127.0.0.1
	// Interface is "asgi" or "wsgi" where the server must be told, "" for the row's own.
	Interface string
	Factory   bool
	AppDir    string // "" for the current folder
}

// Command is the command that starts a server of this row, with the placeholders {python} and {port}; nil if the row has none.
func (s Server) Command(c Choice) []string {
	if s.Start == nil {
		return nil
	}
	host, iface := c.Host, c.Interface
	if host == "" {
		host = "127.0.0.1"
	}
	if iface == "" {
		iface = s.Interface
	}
	fill := strings.NewReplacer(appHole, c.App, hostHole, bracketed(host), "{interface}", iface)
	var words []string
	for _, w := range s.Start {
		if w == hostHole { // alone it needs no brackets
			words = append(words, host)
			continue
		}
		words = append(words, fill.Replace(w))
	}
	if s.Interface == "wsgi" && s.Name == "gunicorn" && c.Interface == "asgi" {
		words = append(words, "--worker-class", "uvicorn_worker.UvicornWorker")
	}
	if c.Factory && len(s.Flags.Factory) > 0 {
		words = append(words, s.Flags.Factory[0])
	}
	if c.AppDir != "" && len(s.Flags.AppDir) > 0 {
		words = s.ImportFrom(words, c.AppDir)
	}
	return words
}

// ImportFrom adds the option that names the folder from which the application is imported. Options of a program with subcommands belong
// before the subcommand: `litestar run --app-dir` is refused.
func (s Server) ImportFrom(words []string, dir string) []string {
	option := []string{s.Flags.AppDir[0], dir}
	if i := slices.IndexFunc(words, func(w string) bool { return slices.Contains(s.Serves, w) }); i > 0 {
		return slices.Insert(slices.Clone(words), i, option...)
	}
	return append(words, option...)
}

// CanImportFrom: its command line can name the folder from which the application is imported.
func (s Server) CanImportFrom() bool { return len(s.Flags.AppDir) > 0 }

// CanFactory: its command line can name a function that makes the application.
func (s Server) CanFactory() bool {
	return len(s.Flags.Factory) > 0 || s.Name == "flask" || s.Name == "quart" || s.Name == "gunicorn"
}

func bracketed(host string) string {
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "[" + host + "]"
	}
	return host
}

// Rewrite turns a command line that a person wrote into one for vivarium.toml: Vivarium's Python instead of what stands before it, the
// port as a placeholder, and without what must not be taken over. Nothing is left out that is not in left. ok is false if the
// command starts no server that is known, nor a script or a package.
func Rewrite(argv []string) (command []string, left []Left, ok bool) {
	via, words := Unwrap(argv)
	for _, v := range via {
		if why := wrapperWhy(v); why != "" {
			left = append(left, Left{v.Words, why})
		}
		left = append(left, v.lost()...)
	}
	s, m := ByCommand(words)
	if s.Name == "" {
		return nil, left, false
	}
	head, rest, dropped := s.head(words, m)
	left = append(left, dropped...)
	args, dropped := s.arguments(rest, m)
	return append(head, args...), append(left, dropped...), true
}

// wrapperWhy says what is lost without a wrapper, "" if nothing is.
func wrapperWhy(w Wrapper) string {
	switch name := base(w.Words[0]); {
	case w.Watches:
		return "it starts the server anew with every edit, and hides its end from Vivarium"
	case w.Tool != "":
		return "Vivarium starts the environment's own Python: signals do not get through a launcher"
	case name == "exec" || name == "command" || name == "builtin" || name == "env":
		return ""
	case name == "dotenv" || name == "op" || name == "doppler" || name == "direnv":
		return "the variables that it brings are not there: put them into the file that env_file names"
	case name == "nohup" || name == "setsid":
		return "a backend of Vivarium outlives the terminal as it is"
	}
	return "Vivarium starts the server itself"
}

// lost is what a launcher's options bring that the environment may not have.
func (w Wrapper) lost() []Left {
	var left []Left
	for _, p := range w.Brings {
		left = append(left, Left{[]string{"--with", p}, "only `uv run` brings it: put it into the environment with `uv add " + p + "`"})
	}
	for _, f := range w.EnvFiles {
		if f == "" || f == ".env" { // read by itself
			continue
		}
		left = append(left, Left{[]string{"--env-file", f}, "say env_file = \"" + f + "\" in vivarium.toml"})
	}
	if w.Python != "" {
		left = append(left, Left{[]string{"--python", w.Python}, "the environment's own Python is started: make the environment with this one"})
	}
	if w.Project != "" && w.Project != "." {
		left = append(left, Left{[]string{w.Words[0], "--project", w.Project}, "its environment is looked for in that folder"})
	}
	return left
}

// head is the command up to the server's own arguments.
func (s Server) head(words []string, m Match) (head, rest []string, left []Left) {
	rest = words[m.Args:]
	switch {
	case m.Python != "":
		head = append([]string{Python}, words[m.First+1:m.Args]...)
		if p := words[m.Args-1]; s.Name != "script" && len(s.Modules) > 0 && strings.Contains(p, "/") && slices.Contains(s.Programs, base(p)) { // python .venv/bin/uvicorn
			head = append(head[:len(head)-1], "-m", s.Modules[0])
		}
	case s.Name == "script" || base(words[m.First]) == "manage.py":
		head = []string{Python, words[m.First]}
	case s.Name == "jupyterlab" || s.Name == "voila" || s.Name == "jupyter":
		if base(words[m.First]) == "jupyter" {
			rest = rest[1:]
		}
		head = []string{Python, "-m", s.Modules[0]}
	default:
		head = s.asModule(words, m)
	}
	if s.Name == "fastapi" && m.Sub == "dev" {
		rest = slices.Clone(rest)
		rest[s.sub(rest)] = "run"
		left = append(left, Left{[]string{"dev"}, "it reloads with every edit; run is the same server without that"})
		if m.Host == "" { // dev listens on 127.0.0.1, run on every address
			rest = append(rest, "--host", "127.0.0.1")
		}
	}
	return head, rest, left
}

// asModule is a console script started by the interpreter itself: what stands in its first line is then of no matter.
func (s Server) asModule(words []string, m Match) []string {
	if len(s.Start) > 2 && s.Start[0] == Python && s.Start[1] == "-c" {
		return slices.Clone(s.Start[:3])
	}
	if len(s.Modules) == 0 {
		return slices.Clone(words[m.First:m.Args])
	}
	return []string{Python, "-m", s.Modules[0]}
}

// arguments are the server's arguments as they are taken over.
func (s Server) arguments(rest []string, m Match) (args []string, left []Left) {
	f := s.Flags
	ported := m.Socket != ""
	for i := 0; i < len(rest); i++ {
		w := rest[i]
		if w == "--" { // what follows is the script's
			args = s.listen(args, m, &ported)
			return append(args, rest[i:]...), left
		}
		if !strings.HasPrefix(w, "-") {
			if to, ok := s.positionalPort(w); ok {
				w, ported = to, true
			}
			args = append(args, w)
			continue
		}
		name, value, at, next := s.option(rest, i)
		words := rest[i : next+1]
		i = next
		switch {
		case slices.Contains(f.Drop, name), slices.Contains(f.DropValue, name):
			left = append(left, Left{words, dropWhy(name)})
		case slices.Contains(f.Reload, name) && value != "false":
			left = append(left, Left{words, "a crash below a reloader is not noticed"})
		case slices.Contains(f.Port, name):
			args, ported = append(args, replaced(words, value, Port, at >= 0)...), true
		case slices.Contains(f.Bind, name):
			to, isPort := bindTo(value)
			args, ported = append(args, replaced(words, value, to, at >= 0)...), ported || isPort
		default:
			args = append(args, words...)
		}
	}
	return s.listen(args, m, &ported), left
}

// listen adds the port where the command line has none, and what keeps the server from reloading.
func (s Server) listen(args []string, m Match, ported *bool) []string {
	f := s.Flags
	if len(f.Always) > 0 && !slices.ContainsFunc(args, func(a string) bool { return a == f.Always[0] || strings.HasPrefix(a, f.Always[0]+"=") }) {
		args = append(args, f.Always...)
	}
	if s.Reloads && s.Start != nil && len(f.NoReload) > 0 && !slices.Contains(args, f.NoReload[0]) {
		args = append(args, f.NoReload[0])
	}
	if *ported || s.Port == 0 {
		return args
	}
	*ported = true
	host := m.Host
	if host == "" {
		host = "127.0.0.1"
	}
	switch {
	case s.Name == "jupyter" || s.Name == "jupyterlab" || s.Name == "voila":
		return append(args, "--port="+Port)
	case len(f.Port) > 0:
		return append(args, f.Port[0], Port)
	case len(f.Bind) > 0 && len(m.Files) == 0: // a file may say where it listens
		return append(args, f.Bind[0], bracketed(host)+":"+Port)
	case f.Positional && s.Name == "django":
		return append(args, bracketed(host)+":"+Port)
	case f.Positional:
		return append(args, Port)
	}
	return args
}

func (s Server) positionalPort(w string) (string, bool) {
	if !s.Flags.Positional {
		return w, false
	}
	if allDigits(w) {
		if s.Name == "django" { // a lone {port} would do as well, but says nothing of where it listens
			return "127.0.0.1:" + Port, true
		}
		return Port, true
	}
	if host, port, err := net.SplitHostPort(w); err == nil && allDigits(port) {
		return bracketed(host) + ":" + Port, true
	}
	return w, false
}

func dropWhy(name string) string {
	switch name {
	case "--daemon", "-D", "--detach", "--background", "--daemonize", "-M":
		return "a server that detaches itself cannot be watched"
	case "--fd", "-F":
		return "Vivarium hands down no socket: it listens on its port"
	case "--pid", "--pid-file", "--pidfile", "-p":
		return "Vivarium knows the process; a PID file only goes stale"
	}
	if strings.HasPrefix(name, "--reload") || strings.HasPrefix(name, "--watch") {
		return "it belongs to a reloader"
	}
	return "it is for a person at a terminal"
}

// bindTo is host:port with the port as the placeholder; a socket stays, and of a descriptor that nobody hands down a port is made.
func bindTo(value string) (to string, isPort bool) {
	if strings.HasPrefix(value, "fd://") {
		return "127.0.0.1:" + Port, true
	}
	m := bind(Match{PortAt: -1}, value, 0)
	if m.Socket != "" {
		return value, true
	}
	host := m.Host
	if host == "" && m.PortAt >= 0 {
		host = "0.0.0.0" // ":8000" is every address
	}
	return bracketed(host) + ":" + Port, true
}

// replaced is an option's words with another value, in the spelling that it had.
func replaced(words []string, old, to string, found bool) []string {
	if !found {
		return slices.Clone(words)
	}
	out := slices.Clone(words)
	last := len(out) - 1
	out[last] = strings.TrimSuffix(out[last], old) + to
	return out
}

// WithPort is a command with its port replaced, or added where the row knows how. variable is the environment variable that has to say
// it where the command line cannot: a Gradio script reads GRADIO_SERVER_PORT. ok is false where neither is known.
func WithPort(argv []string, port string) (command []string, variable string, ok bool) {
	s, m := ByCommand(argv)
	if s.Name == "" {
		return argv, "", false
	}
	if m.PortAt < 0 && (len(s.Flags.Port) == 0 && len(s.Flags.Bind) == 0 && !s.Flags.Positional || s.App == File && s.Start == nil) {
		return argv, s.PortVariable(), s.PortVariable() != ""
	}
	if s.Port == 0 && m.PortAt < 0 {
		return argv, "", false
	}
	if s.Name == "script" || s.Name == "module" {
		s.Flags = portAndHost
	}
	args, _ := Server{Name: s.Name, Port: s.Port, Flags: keepAll(s.Flags), App: s.App}.arguments(argv[m.Args:], m)
	command = append(slices.Clone(argv[:m.Args]), args...)
	for i := m.Args; i < len(command); i++ {
		command[i] = strings.ReplaceAll(command[i], Port, port)
	}
	return command, "", true
}

// keepAll are flags of which nothing is dropped: their values are still known to be values.
func keepAll(f Flags) Flags {
	f.Values = slices.Concat(f.Values, f.DropValue)
	f.Reload, f.NoReload, f.Drop, f.DropValue, f.Always = nil, nil, nil, nil, nil
	return f
}

// PortVariable is the environment variable that says its port, "" if there is none.
func (s Server) PortVariable() string {
	best := ""
	for name, means := range s.Flags.Variables {
		if means == "port" && (best == "" || name < best) {
			best = name
		}
	}
	return best
}

// IsReloader says whether a command starts a server that starts itself anew with every edit.
func IsReloader(argv []string) bool {
	_, m := ByCommand(argv)
	return m.Reload || slices.ContainsFunc(m.Via, func(w Wrapper) bool { return w.Watches }) || watches(argv)
}

// watches: a program that watches files starts the rest.
func watches(argv []string) bool {
	return len(argv) > 0 && slices.Contains([]string{"watchfiles", "watchmedo", "nodemon", "entr", "reflex"}, base(argv[0])) ||
		len(argv) > 2 && IsPython(argv[0]) && argv[1] == "-m" && (argv[2] == "watchfiles" || argv[2] == "watchdog.watchmedo")
}

// Identity is what names a backend in a command line: its application, or the server where that is the whole program. "" if nothing does.
func (s Server) Identity(m Match) string {
	if m.App != "" {
		return m.App
	}
	if s.App == NoApp {
		return s.Name
	}
	return ""
}

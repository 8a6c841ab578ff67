package project

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// Proposal is how a project's server is started.
type Proposal struct {
	Server      servers.Server // what serves; its Stop is the stop signal
	Of          servers.Server // what the application is made with; the same where nothing else is known
	From        Place          // what says so
	Kind        string         // "script", "Procfile", …; "code" if it was found in the code alone
	App         string         // "main:app", "app.py"; "" if the server is the whole program
	File        string         // the application's file, "" if it is not the project's own
	Command     []string
	Port        int // 0: it listens nowhere, or nothing says where
	PortFrom    Place
	Socket      string            // the Unix socket that it listens on instead of a port, as the command has it; "" for none
	Health      string            // "" if none was found
	Needs       []string          // packages that the command needs, and that are not there
	Environment map[string]string // variables without which it would listen elsewhere
	LeftOut     []Note            // of the line that was chosen
	Others      []Choice          // further servers, of which a person may mean one
	// Ask: the first of Others is as likely as this one, and nobody but a person can tell.
	Ask bool
}

// Choice is one of several servers that a folder has.
type Choice struct {
	Place
	App   string // as it is named on a command line, or the process's name
	Title string // "FastAPI"
}

// Propose works out how the server is started. has tells whether a distribution is there, by its name in lower case with "-" ("uvicorn"); nil
// means that what the project declares is. ok is false if nothing was found that could be started.
func (p Project) Propose(has func(string) bool) (Proposal, bool) {
	if has == nil {
		has = func(name string) bool { return slices.Contains(p.Environment.Names, name) }
	}
	starts := slices.Clone(p.Starts)
	if e := p.Environment.Entry; e != "" {
		starts = append([]Start{p.entry(e)}, starts...)
	}
	slices.SortStableFunc(starts, func(a, b Start) int { return startRank(b) - startRank(a) })
	var gone []Note
	for i, st := range starts {
		out, ok := p.fromStart(st, has)
		if ok {
			out.addOthers(p, starts[i+1:])
			out.LeftOut = append(out.LeftOut, gone...)
			return out, true
		}
		gone = append(gone, Note{st.Place, strings.Join(st.Words, " "), st.Match.App + " is not there"})
	}
	out, ok := p.fromCode(has)
	out.LeftOut = append(out.LeftOut, gone...)
	return out, ok
}

// entry is [tool.fastapi] entrypoint = "app.main:app".
func (p Project) entry(app string) Start {
	row, _ := servers.ByName("uvicorn")
	st := Start{Place: Place{File: "pyproject.toml"}, Kind: "[tool.fastapi]", Words: []string{"uvicorn", app}, Dir: ".", Server: row}
	st.rewrite()
	return st
}

var kindRank = map[string]int{"script": 60, "Procfile": 50, "[tool.fastapi]": 48, "Makefile": 30, "package.json": 25, "Dockerfile": 20, "compose": 18}

func startRank(st Start) int {
	n, ok := kindRank[st.Kind]
	if !ok {
		n = 40
	}
	n *= 10
	if st.Server.HasPort() || st.Match.Port != 0 {
		n += 300 // a worker beside a server is not the server
	}
	if st.Server.Name == "script" || st.Server.Name == "module" {
		n += 100
	}
	if st.Match.Reload {
		n -= 5
	}
	if st.Kind == "Procfile" && st.Name == "web" {
		n += 3
	}
	if st.Kind == "Procfile" && st.File == "Procfile.dev" {
		n -= 50
	}
	return n
}

func (p Project) fromStart(st Start, has func(string) bool) (Proposal, bool) {
	out := Proposal{Server: st.Server, Of: st.Server, From: st.Place, Kind: st.Kind, App: st.Match.App, Command: slices.Clone(st.Command), LeftOut: st.Left, Port: st.Match.Port, PortFrom: st.Place}
	if s := st.Match.Socket; s != "" && !strings.HasPrefix(s, "fd://") {
		out.Socket = s
	}
	dir := cmp.Or(st.Dir, ".")
	file, name := p.appFile(st, dir)
	if file == "" && st.Match.App != "" && namesCode(st) {
		below := p.below(st)
		if below == "" {
			return out, false // it names what is not there
		}
		dir = below
		file, name = p.appFile(st, dir)
	}
	out.File = file
	if src := path.Join(dir, "src"); dir == "." && (st.Kind == "Dockerfile" || st.Kind == "compose") && st.Server.CanImportFrom() && st.Match.AppDir == "" && strings.HasPrefix(file, src+"/") {
		if module := strings.ReplaceAll(strings.SplitN(out.App, ":", 2)[0], ".", "/"); !strings.HasPrefix(module, "src/") {
			dir = src // a container copies what is in src into its working folder
		}
	}
	out.inFolder(st, dir)
	a, known := p.app(file, name)
	if !known && file != "" {
		a = p.served(file)
		if a.Server.Name != "" {
			out.Of = a.Server
		}
	}
	if known {
		out.Of = a.Server
		out.Health = a.Health
		if a.Server.Name == "script" || a.Server.Package == "" || st.Server.Name == "streamlit" { // a plain ASGI or WSGI object is made with nothing
			out.Of = st.Server
		}
	}
	out.Health = cmp.Or(out.Health, p.healthOf(file, name), st.Server.Health)
	out.port(p, a)
	out.needs(st.Server, has)
	out.variables(a)
	if st.Path != "" && !has(name503(p.Environment.Name)) {
		out.Environment = map[string]string{"PYTHONPATH": st.Path}
	}
	return out, true
}

// below is the folder in which a command of a container is meant, which is no folder of this computer: the only one that has its application.
func (p Project) below(st Start) string {
	if st.Kind != "Dockerfile" && st.Kind != "compose" {
		return ""
	}
	found := ""
	for _, dir := range belowFolders {
		if file, _ := p.appFile(st, dir); file == "" {
			continue
		}
		if found != "" {
			return ""
		}
		found = dir
	}
	return found
}

// inFolder: the script went into another folder first. Vivarium starts in the backend's own.
func (out *Proposal) inFolder(st Start, dir string) {
	if dir == "." {
		return
	}
	switch {
	case st.Server.CanImportFrom() && st.Match.AppDir == "":
		out.Command = st.Server.ImportFrom(out.Command, dir)
	case (st.Server.App == File || st.Server.Name == "script") && out.App != "":
		for i, w := range out.Command {
			if w == out.App {
				out.Command[i] = path.Join(dir, w)
			}
		}
		out.App = path.Join(dir, out.App)
	default:
		out.LeftOut = append(out.LeftOut, Note{st.Place, "cd " + dir, "the command is meant for that folder: run `vivarium init " + dir + "` instead"})
	}
}

// File is the shape of rows whose application is a path.
const File = servers.File

// namesCode: the command names a file or module of the project, not one of an installed package.
func namesCode(st Start) bool {
	switch st.Server.App {
	case servers.Object, servers.File:
		return st.Server.Name != "datasette" && !path.IsAbs(st.Match.App)
	}
	return false
}

// appFile is the file that a command means.
func (p Project) appFile(st Start, dir string) (file, name string) {
	app := strings.TrimPrefix(st.Match.App, "./")
	if st.Server.Name == "django" {
		return p.djangoFile(), "application"
	}
	if st.Match.AppDir != "" && !path.IsAbs(st.Match.AppDir) {
		dir = path.Join(dir, st.Match.AppDir)
	}
	if strings.HasSuffix(app, ".py") || st.Server.App == servers.File && app != "" {
		if f := path.Join(dir, app); p.r.has(f) {
			return f, ""
		}
		if f := path.Join(dir, app, "__main__.py"); p.r.has(f) {
			return f, ""
		}
		return "", ""
	}
	module, name, _ := strings.Cut(app, ":")
	name, _, _ = strings.Cut(name, "(")
	if module == "" {
		return "", name
	}
	for _, root := range []string{dir, path.Join(dir, "src")} {
		if f := path.Join(root, strings.ReplaceAll(module, ".", "/"), "__main__.py"); st.Server.Name == "module" && p.r.has(f) {
			return f, name
		}
		if f := p.tree.inDir(root, module); f != "" {
			return f, name
		}
		if f := path.Join(root, strings.ReplaceAll(module, ".", "/"), "__main__.py"); p.r.has(f) {
			return f, name
		}
	}
	return "", name
}

func (p Project) djangoFile() string {
	for _, a := range p.Apps {
		if a.Server.Name == "django" {
			return a.File
		}
	}
	return ""
}

// served is a file that serves an application of another file, or one that has no row.
func (p Project) served(file string) App {
	a := App{Place: Place{File: file}}
	m := p.tree.module(file)
	if m == nil {
		return a
	}
	p.tree.takePort(&a, m)
	for _, c := range m.calls {
		if !starts(m, c) {
			continue
		}
		a.Serves = true
		target, ok := literal(c.get("app", 0))
		module, name, _ := strings.Cut(target, ":")
		if other, found := p.app(p.tree.fileOf(file, module), name); ok && found {
			a.Server = other.Server
		}
	}
	return a
}

func (p Project) app(file, name string) (App, bool) {
	best, found := App{}, false
	for _, a := range p.Apps {
		if a.File != file || file == "" {
			continue
		}
		if a.Name == name && name != "" {
			return a, true
		}
		if !found && (name == "" || a.Script) {
			best, found = a, true
		}
	}
	return best, found
}

// healthOf looks into a file whose application has no row: the routes are there all the same.
func (p Project) healthOf(file, name string) string {
	if file == "" {
		return ""
	}
	where, _ := p.tree.health(App{Place: Place{File: file}, Name: name})
	if where != "" {
		return where
	}
	m := p.tree.module(file) // main.py that says uvicorn.run("app.main:app")
	if m == nil {
		return ""
	}
	for _, c := range m.calls {
		target, ok := literal(c.get("app", 0))
		if !ok || !starts(m, c) {
			continue
		}
		module, object, _ := strings.Cut(target, ":")
		if f := p.tree.fileOf(file, module); f != "" {
			where, _ = p.tree.health(App{Place: Place{File: f}, Name: object})
			return where
		}
	}
	for _, a := range p.Apps {
		if a.File == file && a.Health != "" {
			return a.Health
		}
	}
	return ""
}

// port is what the command says, else the code, else .env, else the server's default. For a script of which nothing is known, none.
func (out *Proposal) port(p Project, a App) {
	if out.Socket != "" {
		out.Port, out.PortFrom = 0, Place{}
		return
	}
	if out.Kind == "Dockerfile" && out.Port < 1024 {
		out.Port, out.PortFrom = 0, Place{} // the container's, not this computer's
	}
	named := slices.ContainsFunc(out.Command, func(w string) bool { return strings.Contains(w, servers.Port) })
	if out.Port == 0 && a.Port != 0 && (!named || out.Server.Name == a.Server.Name) {
		out.Port, out.PortFrom = a.Port, a.PortAt
	}
	if out.Port == 0 && a.Port != 0 && out.Kind == "code" {
		out.Port, out.PortFrom = a.Port, a.PortAt
	}
	script := out.Server.Name == "script" || out.Server.Name == "module"
	if out.Port == 0 && p.Port != 0 && (!script || a.Serves) && out.Server.Name != "celery" {
		out.Port, out.PortFrom = p.Port, p.PortFile
	}
	if out.Port == 0 && out.Server.Name == "streamlit" {
		out.Port, out.PortFrom = p.streamlitPort()
	}
	if out.Port == 0 && out.Server.HasPort() {
		out.Port, out.PortFrom = out.Server.Port, Place{}
	}
	if out.Port == 0 && script && a.Serves {
		out.Port, out.PortFrom = p.servedPort(a), Place{}
	}
}

// streamlitPort is what Streamlit's own file says.
func (p Project) streamlitPort() (int, Place) {
	const file = ".streamlit/config.toml"
	var c struct {
		Server struct {
			Port int `toml:"port"`
		} `toml:"server"`
	}
	if toml.Unmarshal([]byte(p.r.text(file)), &c) != nil || c.Server.Port < 1 || c.Server.Port > 65535 {
		return 0, Place{}
	}
	return c.Server.Port, Place{File: file}
}

// servedPort is the default of what a script calls to serve: Flask's app.run() listens on 5000.
func (p Project) servedPort(a App) int {
	m := p.tree.module(a.File)
	if m == nil {
		return 0
	}
	for _, c := range m.calls {
		if !starts(m, c) {
			continue
		}
		for _, s := range servers.All() {
			if slices.Contains(s.Calls, m.dotted(c.name)) {
				return s.Port
			}
		}
		of, _, _ := cutLast(c.name)
		for _, other := range p.Apps {
			if other.File == a.File && other.Name == of {
				return other.Server.Port
			}
		}
	}
	return 0
}

func (out *Proposal) needs(row servers.Server, has func(string) bool) {
	name := name503(strings.SplitN(row.Package, "[", 2)[0])
	if name != "" && !has(name) {
		out.Needs = append(out.Needs, row.Package)
	}
}

// variables keeps a server from taking the next free port.
func (out *Proposal) variables(a App) {
	if v := out.Server.PortVariable(); v != "" && out.Server.Start == nil && a.Script && a.Port == 0 && out.Port != 0 && a.Server.Name == "gradio" {
		out.Environment = map[string]string{v: strconv.Itoa(out.Port)}
	}
}

func (out *Proposal) addOthers(p Project, rest []Start) {
	seen := map[string]bool{strings.Join(out.Command, " "): true}
	for _, st := range rest {
		key := strings.Join(st.Command, " ")
		if seen[key] || len(out.Others) > 20 {
			continue
		}
		seen[key] = true
		out.Others = append(out.Others, Choice{st.Place, cmp.Or(st.Match.App, st.Name, st.Server.Name), st.Server.Title})
	}
}

package project

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// Place is where something was found.
type Place struct {
	File string // relative to the folder
	Line int    // from 1, 0 for the file as a whole
}

// App is an application, or a script that serves by itself, as it stands in the code.
type App struct {
	Place
	Name    string         // the variable or function: "app", "create_app"; "" for a script
	Server  servers.Server // the row of what it is made with
	Factory bool           // Name is a function that makes it
	Script  bool           // the file is run as it is: `python app.py`, `streamlit run app.py`
	Inside  string         // the application that contains it, "" if it stands alone

	Health string // the path that answers while it is well, "" if none was found
	Port   int    // what its own code says, 0 if it says nothing
	PortAt Place
	Host   string
	Serves bool // its file starts the server itself when it is run

	rank int
}

// usual are the files an application is mostly in, the most likely first.
var usual = []string{"main", "app", "server", "asgi", "api", "application", "wsgi", "run", "__init__", "web", "service", "backend", "streamlit_app", "Home", "Hello", "index"}

// usualNames are what applications are mostly called.
var usualNames = []string{"app", "application", "api", "asgi_app", "server", "asgi", "create_app", "make_app", "get_app", "build_app", "create_application", "get_application", "make_application", "app_factory"}

// factoryName: other functions make applications, too, but for tests.
var factoryName = lazily(`^(?:create|make|get|build|init|new)_?\w*(?:app|application|server|api|asgi)$|^(?:app|application)_factory$|^app$`)

// apps finds every application of the project, the most likely first.
func (t *tree) apps() []App {
	var all []App
	for _, file := range t.files {
		m := t.module(file)
		if m == nil {
			continue
		}
		all = append(all, t.objects(m)...)
		if a, ok := t.script(m); ok {
			all = append(all, a)
		}
	}
	all = t.withoutDoubles(all)
	for i := range all {
		all[i].rank = rank(all[i])
	}
	slices.SortStableFunc(all, func(a, b App) int { return cmp.Compare(b.rank, a.rank) })
	for i := range all[:min(len(all), 20)] {
		t.fill(&all[i])
	}
	return all
}

// fill finds what an application says of its port and health.
func (t *tree) fill(a *App) {
	a.Health = a.Server.Health
	if where, _ := t.health(*a); where != "" {
		a.Health = where
	}
	if m := t.module(a.File); m != nil {
		t.takePort(a, m)
	}
	if a.Port != 0 || a.Script {
		return
	}
	// A small script beside it may start it: run.py with uvicorn.run("app.main:app", port=8001).
	for _, file := range t.files[:min(len(t.files), 200)] {
		m := t.module(file)
		if m == nil || !m.main || file == a.File {
			continue
		}
		for _, c := range m.calls {
			if m.dotted(c.name) != "uvicorn.run" {
				continue
			}
			if target, ok := literal(c.get("app", 0)); ok && target != a.Target("") && !strings.HasSuffix(a.Target(""), "."+target) {
				continue
			}
			t.takePort(a, m)
		}
	}
}

// objects are the applications that stand at a module's level, and the functions that make one.
func (t *tree) objects(m *module) []App {
	var all []App
	for _, v := range m.vars[:min(len(m.vars), 2000)] {
		if len(all) >= 30 {
			break
		}
		row, wraps := t.kind(m, v.call, 0)
		if row.Name == "" || row.Name == "litserve" || !serves(row) {
			continue
		}
		all = append(all, App{Place: Place{m.file, v.line}, Name: v.name, Server: row})
		for i := range all {
			if wraps != "" && all[i].Name == wraps && wraps != v.name {
				all[i].Inside = v.name
				if isGeneric(row) && !isGeneric(all[i].Server) { // what is inside says what it is
					all[len(all)-1].Server.Title = all[i].Server.Title
				}
			}
		}
	}
	for _, f := range m.funcs {
		if row := plainApp(f.params); row.Name != "" && len(all) < 60 && !strings.HasPrefix(f.name, "_") && slices.Contains(usualNames, f.name) {
			all = append(all, App{Place: Place{m.file, f.line}, Name: f.name, Server: row})
			continue
		}
		if len(all) >= 60 || f.required || !factoryName().MatchString(f.name) {
			continue
		}
		if row := t.made(m, &f, 0); row.Name != "" && serves(row) {
			all = append(all, App{Place: Place{m.file, f.line}, Name: f.name, Server: row, Factory: true})
		}
	}
	t.mounted(m, all)
	return all
}

// plainApp is the row of a function that is an application itself, by its parameters: ASGI and WSGI fix what they are.
func plainApp(params []string) servers.Server {
	switch {
	case slices.Equal(params, []string{"scope", "receive", "send"}):
		return servers.Server{Name: "asgi", Title: "ASGI", Via: []string{"uvicorn", "hypercorn", "granian"}, Interface: "asgi", Port: 8000}
	case len(params) == 2 && (strings.HasPrefix(params[0], "env") || params[0] == "e") && (strings.HasPrefix(params[1], "start") || params[1] == "s"):
		return servers.Server{Name: "wsgi", Title: "WSGI", Via: []string{"gunicorn", "waitress"}, Interface: "wsgi", Port: 8000}
	}
	return servers.Server{}
}

// serves: it is something that a server can run, not a client or a queue that happens to be made alike.
func serves(row servers.Server) bool {
	return row.Interface != "" || slices.Contains([]string{"celery", "aiohttp", "marimo", "robyn", "tornado", "shiny"}, row.Name)
}

func isGeneric(row servers.Server) bool { return row.Name == "asgi" }

// mounted marks the applications that are mounted in another one of the same file.
func (t *tree) mounted(m *module, all []App) {
	for _, c := range m.calls {
		of, method, ok := cutLast(c.name)
		if !ok || method != "mount" && method != "add_subapp" && method != "include_router" {
			if _, is := maker(m.dotted(c.name)); !is || c.target == "" {
				continue
			}
			of = c.target
		}
		for i := range all {
			if all[i].Name == of {
				continue
			}
			for _, a := range c.args {
				if a.value == all[i].Name || (strings.HasPrefix(a.value, "[") && slices.Contains(names(a.value), all[i].Name)) {
					all[i].Inside = of
				}
			}
		}
	}
}

// withoutDoubles drops what is the same application under another name: a module that imports it, a factory whose result is there.
func (t *tree) withoutDoubles(all []App) []App {
	var out []App
	for _, a := range all {
		if a.Factory && slices.ContainsFunc(all, func(b App) bool { return !b.Factory && !b.Script && t.comesFrom(b, a) }) {
			continue
		}
		if !a.Script && slices.ContainsFunc(all, func(b App) bool { return b.Script && b.File == a.File && b.Server.Name == a.Server.Name }) || onlyScript(a) {
			continue
		}
		if slices.ContainsFunc(out, func(b App) bool { return b.File == a.File && b.Name == a.Name && b.Script == a.Script }) {
			continue
		}
		out = append(out, a)
	}
	return out
}

// onlyScript: its file must be run; no server can import it.
func onlyScript(a App) bool {
	return !a.Script && len(a.Server.Via) == 1 && a.Server.Via[0] == "script"
}

// comesFrom: b is the result of the factory a.
func (t *tree) comesFrom(b, a App) bool {
	m := t.module(b.File)
	if v := m.variable(b.Name); v != nil && v.call.name != "" {
		if m.file == a.File && v.call.name == a.Name {
			return true
		}
		if file, object := t.split(m.file, m.dotted(v.call.name)); file == a.File && object == a.Name {
			return true
		}
	}
	return false
}

// scriptRows are servers that a script starts itself when it is run, by what it must call to do so; "" if its import is enough.
var scriptRows = []struct{ row, call string }{
	{"streamlit", ""}, {"litserve", ".run"}, {"gradio", ".launch"}, {"dash", ".run|.run_server"}, {"nicegui", "nicegui.ui.run"}, {"bottle", "bottle.run|.run"},
	{"aiohttp", "aiohttp.web.run_app"}, {"tornado", ".listen"}, {"panel", ".servable|.show|panel.serve"}, {"chainlit", ""}, {"bentoml", "bentoml.service"}, {"dramatiq", "dramatiq.actor|@"}, {"robyn", ".start"},
}

// script sees a file that serves by itself.
func (t *tree) script(m *module) (App, bool) {
	used := map[string]bool{}
	for _, full := range m.imports {
		if row, ok := servers.ByImport(full); ok {
			used[row.Name] = true
		}
		for _, r := range scriptRows {
			if row, _ := servers.ByName(r.row); row.Package != "" && (full == r.row || strings.HasPrefix(full, r.row+".")) {
				used[r.row] = true
			}
		}
	}
	for _, r := range scriptRows {
		if !used[r.row] || isPageOf(r.row, m.file) {
			continue
		}
		line, ok := callsAny(m, r.call)
		if !ok && r.call != "" {
			continue
		}
		row, _ := servers.ByName(r.row)
		return App{Place: Place{m.file, line}, Name: serviceName(m, r.row), Server: row, Script: true, Serves: true}, true
	}
	return t.plainScript(m)
}

// isPageOf: Streamlit starts the files in pages/ itself.
func isPageOf(row, file string) bool {
	return row == "streamlit" && slices.Contains(strings.Split(path.Dir(file), "/"), "pages")
}

func callsAny(m *module, wanted string) (int, bool) {
	if wanted == "" {
		return 0, true
	}
	for _, c := range m.calls {
		full := m.dotted(c.name)
		for _, w := range strings.Split(wanted, "|") {
			if full == w || strings.HasPrefix(w, ".") && strings.HasSuffix(c.name, w) && c.inside != "test" {
				return c.line, true
			}
		}
	}
	return 0, false
}

// serviceName is the class below @bentoml.service.
func serviceName(m *module, row string) string {
	if row != "bentoml" {
		return ""
	}
	best := ""
	for name, by := range m.decorated {
		if slices.ContainsFunc(by, func(d string) bool { return m.dotted(d) == "bentoml.service" }) {
			best = max(best, name)
		}
	}
	return best
}

// plainScript: a main block that starts a server, or any program that is to be run.
func (t *tree) plainScript(m *module) (App, bool) {
	if !m.main {
		return App{}, false
	}
	row, _ := servers.ByName("script")
	a := App{Place: Place{m.file, 0}, Server: row, Script: true}
	for _, c := range m.calls {
		if starts(m, c) {
			a.Serves, a.Line = true, c.line
		}
	}
	return a, true
}

// starts: this call begins to serve, and comes back when the server ends.
func starts(m *module, c placedCall) bool {
	full := m.dotted(c.name)
	for _, s := range []string{"uvicorn.run", "uvicorn.Server", "hypercorn.asyncio.serve", "hypercorn.run", "waitress.serve", "aiohttp.web.run_app", "werkzeug.serving.run_simple", "granian.Granian", "http.server.HTTPServer", "http.server.ThreadingHTTPServer", "socketserver.TCPServer", "wsgiref.simple_server.make_server", "grpc.server", "nicegui.ui.run", "bottle.run", "fasthtml.common.serve", "serve_forever"} {
		if full == s {
			return true
		}
	}
	return strings.HasSuffix(c.name, ".serve_forever") || c.name == "app.run" || c.name == "application.run" || c.name == "socketio.run" || c.name == "mcp.run"
}

// takePort reads the port and the host of the calls that serve.
func (t *tree) takePort(a *App, m *module) {
	for _, c := range m.calls {
		full := m.dotted(c.name)
		_, method, _ := cutLast(full)
		if !starts(m, c) && !slices.Contains([]string{"run", "launch", "run_server", "listen", "run_app", "serve", "Config", "start", "HTTPServer"}, method) {
			continue
		}
		for _, key := range []string{"port", "server_port"} {
			place := -1
			if method == "listen" {
				place = 0
			}
			if port := portIn(c.get(key, place), m); port != 0 && a.Port == 0 {
				a.Port, a.PortAt = port, Place{m.file, c.line}
			}
			if a.Port == 0 {
				a.Port, a.PortAt = t.settingsPort(c.get(key, place), m)
			}
		}
		for _, key := range []string{"host", "server_name", "address"} {
			if h := text(c.get(key, -1)); h != "" && a.Host == "" {
				a.Host = h
			}
		}
	}
}

var (
	number       = lazily(`^\d{2,5}$`)
	numberInCall = lazily(`(?:getenv|get|environ\.get|int|Field|field|config|env(?:\.int)?|default\s*=)\s*\(?[^()]*?["']?\b(\d{4,5})\b`)
)

// portIn reads `8001`, `int(os.getenv("PORT", "8001"))`, or a variable of the module that is one of these.
func portIn(expr string, m *module) int {
	expr = strings.TrimSpace(expr)
	if expr == "" {
		return 0
	}
	if number().MatchString(expr) {
		return portNumber(expr)
	}
	if g := numberInCall().FindStringSubmatch(expr); g != nil {
		return portNumber(g[1])
	}
	if v := m.variable(expr); v != nil {
		for _, a := range v.call.args {
			if s, ok := literal(a.value); ok && number().MatchString(s) {
				return portNumber(s)
			} else if p := portIn(a.value, m.withoutVars()); p != 0 {
				return p
			}
		}
	}
	return m.constant(expr)
}

// settingsPort follows `settings.port` to the file in which the settings are a class or plain values.
func (t *tree) settingsPort(expr string, m *module) (int, Place) {
	expr = strings.TrimSpace(expr)
	of, name, ok := cutLast(expr)
	if full := m.dotted(expr); isName(expr) && full != expr { // from config import PORT
		module, constant, _ := cutLast(full)
		file, _ := t.split(m.file, module)
		other := t.module(file)
		if file == "" || other == nil {
			return 0, Place{}
		}
		port := cmp.Or(other.constant(constant), portIn(constant, other))
		return port, Place{other.file, 0}
	}
	if !ok || !reference().MatchString(strings.TrimSpace(expr)) {
		return 0, Place{}
	}
	other := m
	if file, _ := t.split(m.file, m.dotted(of)); file != "" {
		other = t.module(file)
	}
	if other == nil {
		return 0, Place{}
	}
	if port := other.constant(name); port != 0 {
		return port, Place{other.file, 0}
	}
	return other.constant(strings.ToUpper(name)), Place{other.file, 0}
}

func (m *module) withoutVars() *module { return &module{file: m.file} }

func (m *module) constant(name string) int {
	for _, c := range m.constants {
		if c.name == name {
			return portNumber(c.value)
		}
	}
	return 0
}

func portNumber(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}

// rank says how likely it is that this is what a person means.
func rank(a App) int {
	n := 1000
	stem := strings.TrimSuffix(path.Base(a.File), ".py")
	if i := slices.Index(usual, stem); i >= 0 {
		n += 200 - 10*i
	}
	n -= 15 * strings.Count(a.File, "/")
	if i := slices.Index(usualNames, a.Name); i >= 0 {
		n += 60 - 3*i
	}
	switch {
	case a.Inside != "":
		n -= 500
	case a.Server.Name == "celery" || a.Server.Name == "dramatiq":
		n -= 300
	case a.Script && a.Server.Name == "script" && !a.Serves:
		n -= 450
	case a.Script && a.Server.Name == "script":
		n -= 280
	case a.Script:
		n -= 80
	case a.Factory:
		n -= 150
	}
	if a.Server.Interface == "wsgi" && a.Server.Name == "django" {
		n -= 5
	}
	if a.Server.Name == "django" && stem == "asgi" {
		n += 100
	}
	if strings.Contains(a.File, "test") || strings.Contains(a.File, "example") {
		n -= 400
	}
	return n
}

// Target is how the application is named on a command line, seen from the folder dir.
func (a App) Target(dir string) string {
	file := strings.TrimPrefix(a.File, strings.TrimSuffix(dir, "/")+"/")
	if a.Script && a.Server.Name != "bentoml" && a.Server.Name != "dramatiq" {
		return file
	}
	name := strings.TrimSuffix(strings.TrimSuffix(file, ".py"), "/__init__")
	name = strings.ReplaceAll(name, "/", ".")
	if a.Name == "" {
		return name
	}
	return name + ":" + a.Name
}

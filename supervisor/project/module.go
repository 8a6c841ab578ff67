package project

import (
	"path"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// module is what one Python file says, as far as starting a server goes.
type module struct {
	file     string
	imports  map[string]string // the name here → its dotted name; a leading dot is a relative import
	classes  map[string]string // the class → its first base, as written
	callable map[string]bool   // the class → its objects are ASGI applications
	vars     []variable
	funcs    []function
	calls    []placedCall // at the module's level, in functions, and in the main block
	routes   []route
	main     bool // it has a main block

	constants  []constant
	decorators []string            // those above the next function or class
	decorated  map[string][]string // a class → what decorates it
	byName     map[string]int      // the functions' places in funcs
	byVar      map[string]int      // the variables' places in vars; of several the last one
}

// constant is `PORT = 8001` at the module's level.
type constant struct{ name, value string }

type variable struct {
	name string
	line int
	call call
	ref  string // `app = other.app`: what it stands for, if it is no call
}

type function struct {
	name     string
	line     int
	required bool // it cannot be called without arguments
	params   []string
	calls    []call
	vars     []variable
	returns  string // the name that it returns
}

type placedCall struct {
	call
	line   int
	inside string
	target string // the variable that the result goes to
}

// route is a path that a program answers.
type route struct {
	of   string // the variable that has it: "app", "router"; "" where the file does not tell
	path string
	get  bool
	line int
}

var (
	importLine = lazily(`^import\s+(.+)$`)
	fromLine   = lazily(`^from\s+([\w.]+)\s+import\s+\(?\s*([^)]*)\)?$`)
	assignLine = lazily(`^([A-Za-z_]\w*)\s*(?::\s*[^=]+?)?\s*=\s*([^=].*)$`)
	asgiCall   = lazily(`^async\s+def\s+__call__\s*\(\s*self\s*,\s*scope\b[^,]*,\s*receive\b[^,]*,\s*send\b`)
	defLine    = lazily(`^(?:async\s+)?def\s+(\w+)\s*(\(.*)$`)
	classLine  = lazily(`^class\s+(\w+)\s*(?:\(\s*([\w.]+))?`)
	reference  = lazily(`^[A-Za-z_][\w.]*$`)
	returnLine = lazily(`^return\s+([A-Za-z_]\w*)\s*$`)
)

func parseModule(file, text string) *module {
	m := &module{file: file, imports: map[string]string{}, classes: map[string]string{}, byName: map[string]int{}, byVar: map[string]int{}, decorated: map[string][]string{}, callable: map[string]bool{}}
	for _, s := range statements(text) {
		m.take(s)
	}
	return m
}

func (m *module) take(s statement) {
	switch {
	case strings.HasPrefix(s.code, "import ") || strings.HasPrefix(s.code, "from "):
		m.takeImport(s.code)
		return
	case strings.HasPrefix(s.code, "@"):
		m.takeDecorator(s)
		return
	}
	defer func() { m.decorators = nil }()
	if d := defLine().FindStringSubmatchIndex(s.code); d != nil {
		if asgiCall().MatchString(s.code) && s.inside != "" {
			m.callable[s.inside] = true
		}
		if s.indent == 0 {
			open := d[4]
			m.byName[s.code[d[2]:d[3]]] = len(m.funcs)
			args := arguments(s.code[open+1:closing(s.code, open)], s.raw[open+1:closing(s.code, open)])
			f := function{name: s.code[d[2]:d[3]], line: s.line, required: needsArguments(args)}
			for _, a := range args[:min(len(args), 4)] {
				name, _, _ := strings.Cut(a.value, ":")
				f.params = append(f.params, strings.TrimSpace(name))
			}
			m.funcs = append(m.funcs, f)
		}
		return
	}
	if c := classLine().FindStringSubmatch(s.code); c != nil {
		if s.indent == 0 {
			m.classes[c[1]], m.decorated[c[1]] = c[2], m.decorators
		}
		return
	}
	if s.indent == 0 && mainHead().MatchString(s.code) {
		m.main = true
	}
	m.takeCalls(s)
}

func needsArguments(params []argument) bool {
	return slices.ContainsFunc(params, func(p argument) bool {
		return !strings.Contains(p.value, "=") && p.name == "" && !strings.HasPrefix(p.value, "*") && p.value != "/"
	})
}

func (m *module) takeImport(code string) {
	if f := fromLine().FindStringSubmatch(code); f != nil {
		for _, part := range strings.Split(f[2], ",") {
			name, as := imported(part)
			if name != "" && name != "*" {
				m.imports[as] = strings.TrimSuffix(f[1], ".") + "." + name
				if strings.Trim(f[1], ".") == "" {
					m.imports[as] = f[1] + name
				}
			}
		}
		return
	}
	if i := importLine().FindStringSubmatch(code); i != nil {
		for _, part := range strings.Split(i[1], ",") {
			name, as := imported(part)
			if name == as { // `import a.b` binds a
				top, _, _ := strings.Cut(name, ".")
				m.imports[top] = top
				m.imports[name] = name
				continue
			}
			m.imports[as] = name
		}
	}
}

func imported(part string) (name, as string) {
	words := strings.Fields(part)
	switch {
	case len(words) == 3 && words[1] == "as":
		return words[0], words[2]
	case len(words) >= 1:
		return words[0], words[0]
	}
	return "", ""
}

func (m *module) takeCalls(s statement) {
	target, ref := "", ""
	if a := assignLine().FindStringSubmatchIndex(s.code); a != nil {
		target = s.code[a[2]:a[3]]
		if text := strings.TrimSpace(s.code[a[4]:a[5]]); reference().MatchString(text) {
			ref = text
		}
	}
	if a := assignLine().FindStringSubmatchIndex(s.code); target != "" && !s.def {
		if value := strings.TrimSpace(s.raw[a[4]:a[5]]); number().MatchString(strings.Trim(value, `"'`)) {
			m.constants = append(m.constants, constant{target, strings.Trim(value, `"'`)})
		}
	}
	calls := s.calls()
	if target != "" && (ref != "" || len(calls) > 0) {
		v := variable{name: target, line: s.line, ref: ref}
		if ref == "" {
			v.call = calls[0]
			if rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s.code[assignLine().FindStringSubmatchIndex(s.code)[4]:]), "await ")); !strings.HasPrefix(rest, calls[0].name) {
				v.call = call{} // `x = [f(), g()]`: not what the call gives
			}
		}
		if !s.def && s.inside == "" {
			m.byVar[v.name] = len(m.vars)
			m.vars = append(m.vars, v)
		} else if f := m.function(s.inside); f != nil {
			f.vars = append(f.vars, v)
		}
	}
	if f := m.function(s.inside); f != nil && s.def {
		f.calls = append(f.calls, calls...)
		if r := returnLine().FindStringSubmatch(s.code); r != nil {
			f.returns = r[1]
		}
	}
	for i, c := range calls {
		p := placedCall{call: c, line: s.line, inside: s.inside}
		if i == 0 {
			p.target = target
		}
		m.calls = append(m.calls, p)
	}
}

func (m *module) function(name string) *function {
	if i, ok := m.byName[name]; ok {
		return &m.funcs[i]
	}
	return nil
}

// variable is what the module's variable is in the end; nil if there is none.
func (m *module) variable(name string) *variable {
	if i, ok := m.byVar[name]; ok {
		return &m.vars[i]
	}
	return nil
}

// dotted is what a name in this file means: "FastAPI" is "fastapi.FastAPI".
func (m *module) dotted(name string) string {
	for end := len(name); end > 0; end = strings.LastIndexByte(name[:end], '.') {
		if full, ok := m.imports[name[:end]]; ok {
			return full + name[end:]
		}
	}
	return name
}

// tree is all the modules of a project.
type tree struct {
	r       *reader
	modules map[string]*module
	files   []string
	steps   int // of following names, so that no folder makes it endless
}

const maxSteps = 50_000

func readTree(r *reader) *tree {
	t := &tree{r: r, modules: map[string]*module{}, files: r.python()}
	return t
}

// module parses a file when it is first asked for; nil if it is not there.
func (t *tree) module(file string) *module {
	if m, ok := t.modules[file]; ok {
		return m
	}
	text := t.r.text(file)
	var m *module
	if text != "" {
		m = parseModule(file, text)
	}
	t.modules[file] = m
	return m
}

// fileOf finds the file of a dotted module as a file of the project imports it, "" if it is not the project's own.
func (t *tree) fileOf(from, dotted string) string {
	if level := len(dotted) - len(strings.TrimLeft(dotted, ".")); level > 0 {
		dir := path.Dir(from)
		for range level - 1 {
			dir = path.Dir(dir)
		}
		return t.inDir(dir, dotted[level:])
	}
	roots := []string{".", "src"}
	for dir := path.Dir(from); dir != "."; dir = path.Dir(dir) {
		roots = append(roots, dir)
	}
	for _, root := range roots {
		if file := t.inDir(root, dotted); file != "" {
			return file
		}
	}
	return ""
}

func (t *tree) inDir(dir, dotted string) string {
	name := path.Join(dir, strings.ReplaceAll(dotted, ".", "/"))
	for _, file := range []string{name + ".py", path.Join(name, "__init__.py")} {
		if t.r.has(file) {
			return file
		}
	}
	return ""
}

// split finds the module and the object in it that a full dotted name means: "app.routes.health.router".
func (t *tree) split(from, dotted string) (file, object string) {
	for end := len(dotted); end > 0; end = strings.LastIndexByte(dotted[:end], '.') {
		if strings.Trim(dotted[:end], ".") == "" {
			break
		}
		if file := t.fileOf(from, dotted[:end]); file != "" {
			return file, strings.TrimPrefix(dotted[end:], ".")
		}
	}
	return "", ""
}

// kind is the row of what a call gives, and whether what it gives wraps another application.
func (t *tree) kind(m *module, c call, depth int) (row servers.Server, wraps string) {
	if t.steps++; depth > 6 || c.name == "" || t.steps > maxSteps {
		return servers.Server{}, ""
	}
	full := m.dotted(c.name)
	if row, ok := maker(full); ok {
		return row, t.wrapped(m, c)
	}
	if m.callable[c.name] { // application = App(), where App has async def __call__(self, scope, receive, send)
		return plainApp([]string{"scope", "receive", "send"}), ""
	}
	if base, ok := m.classes[c.name]; ok && base != "" {
		row, _ = t.kind(m, call{name: base}, depth+1)
		return row, ""
	}
	if f := m.function(c.name); f != nil {
		return t.made(m, f, depth+1), ""
	}
	if inner := t.wrapped(m, c); inner != "" && isWrapper(full) {
		return servers.Server{Name: "asgi", Title: "ASGI", Via: []string{"uvicorn", "hypercorn", "granian"}, Interface: "asgi", Port: 8000}, inner
	}
	file, object := t.split(m.file, full)
	if other := t.module(file); file != "" && other != nil && object != "" && file != m.file {
		return t.kind(other, call{name: object}, depth+1)
	}
	return servers.Server{}, ""
}

// maker also knows `fastapi.applications.FastAPI`, the same class by its longer name.
func maker(full string) (servers.Server, bool) {
	if row, ok := servers.ByMaker(full); ok {
		return row, true
	}
	top, _, _ := strings.Cut(full, ".")
	return servers.ByMaker(top + "." + full[strings.LastIndexByte(full, '.')+1:])
}

// isWrapper: what a middleware gives is the application to be served.
func isWrapper(full string) bool {
	name := full[strings.LastIndexByte(full, '.')+1:]
	return strings.HasSuffix(name, "Middleware") || slices.Contains([]string{"mount_gradio_app", "WsgiToAsgi", "AsgiToWsgi", "ProxyFix", "DispatcherMiddleware", "ASGIMiddleware", "Instrumentator", "WhiteNoise"}, name)
}

// wrapped is the variable of this file that a call puts something around, "" if it does not.
func (t *tree) wrapped(m *module, c call) string {
	for _, a := range c.args {
		v := m.variable(a.value)
		if v == nil || v.call.name == "" {
			continue
		}
		if _, ok := maker(m.dotted(v.call.name)); ok || isWrapper(m.dotted(v.call.name)) || m.function(v.call.name) != nil {
			return a.value
		}
	}
	return ""
}

// made is what a function makes and gives back.
func (t *tree) made(m *module, f *function, depth int) servers.Server {
	var last servers.Server
	for i := len(f.vars) - 1; i >= 0; i-- {
		v := f.vars[i]
		if row, _ := t.kind(m, v.call, depth+1); row.Name != "" && (f.returns == "" || f.returns == v.name) {
			return row
		} else if row.Name != "" {
			last = row
		}
	}
	for _, c := range f.calls {
		if row, _ := t.kind(m, c, depth+1); row.Name != "" {
			return row
		}
	}
	return last
}

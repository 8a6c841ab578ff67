package project

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var decoratorLine = lazily(`^@([A-Za-z_]\w*)((?:\.\w+)*)\s*(?:\(|$)`)

// routeWords are the methods of routers that take a path and answer GET with it.
var routeWords = []string{"get", "route", "api_route", "add_api_route", "add_get", "add_route", "add_url_rule", "add_api_get", "Route", "path", "re_path", "url", "Path", "head"}

func (m *module) takeDecorator(s statement) {
	d := decoratorLine().FindStringSubmatchIndex(s.code)
	if d == nil {
		return
	}
	c := call{}
	if open := d[1] - 1; s.code[open] == '(' {
		c.args = arguments(s.code[open+1:closing(s.code, open)], s.raw[open+1:closing(s.code, open)])
	}
	of, method := s.code[d[2]:d[3]], strings.TrimPrefix(s.code[d[4]:d[5]], ".")
	if method == "" { // Litestar's and Bottle's @get("/health")
		of, method = "", of
	}
	where, ok := literal(c.get("path", 0))
	if !ok && c.get("rule", -1) != "" {
		where, ok = literal(c.get("rule", -1))
	}
	if ok {
		m.routes = append(m.routes, route{of: of, path: where, get: answersGet(method, c), line: s.line})
	}
	name := strings.TrimPrefix(of+"."+method, ".")
	m.calls = append(m.calls, placedCall{call: call{name: name, args: c.args}, line: s.line, inside: s.inside})
	m.decorators = append(m.decorators, name)
}

func answersGet(method string, c call) bool {
	last := method[strings.LastIndexByte(method, '.')+1:]
	if !slices.Contains(routeWords, last) {
		return false
	}
	methods := c.get("methods", -1) + c.get("method", -1)
	return methods == "" || strings.Contains(strings.ToUpper(methods), "GET")
}

// healthName are the last parts of paths that people give to such a route, and how good each is.
var healthName = lazily(`^(?:.*/)?(?:(healthz?|health[-_]?check|_health|health/(?:live|ready|status)|livez|liveness|readyz|readiness|alive|heartbeat|status/health)|(ping|status|up|_status|version))/?$`)

// plain: a path with a variable in it is none that can be asked.
func plainPath(p string) bool {
	return !strings.ContainsAny(p, "{<*:^$(?[") && !strings.Contains(p, "..")
}

// health finds the route that tells whether the application is well: its full path, with the prefixes of the routers around it.
func (t *tree) health(a App) (where string, at Place) {
	best := 0
	for _, r := range t.routesOf(a) {
		m := healthName().FindStringSubmatch(strings.TrimPrefix(r.path, "/"))
		if m == nil || !r.get || !plainPath(r.path) {
			continue
		}
		score := 100 - strings.Count(strings.Trim(r.path, "/"), "/")*10 - len(r.path)/8
		if m[1] == "" {
			score -= 60
		}
		if strings.HasSuffix(strings.TrimSuffix(r.path, "/"), "/health") {
			score += 20
		}
		if strings.Contains(r.path, "ready") { // it fails on purpose while something else is away
			score -= 5
		}
		if score > best {
			best, where, at = score, r.path, Place{r.file, r.line}
		}
	}
	return where, at
}

type placedRoute struct {
	route
	file string
}

// routesOf are the routes of an application: its own, and those of the routers that are included in it, wherever they are.
func (t *tree) routesOf(a App) []placedRoute {
	w := walker{t: t, done: map[string]bool{}}
	w.object(a.File, a.Name, "", 0)
	if m := t.module(a.File); a.Factory && m != nil {
		w.inFunction(m, a.Name, "", 0)
	}
	if a.Factory || len(w.all) == 0 {
		w.wholeFile(a.File, "")
	}
	if a.Server.Name == "django" {
		w.django(a.File)
	}
	return w.all
}

type walker struct {
	t    *tree
	done map[string]bool
	all  []placedRoute
}

func (w *walker) add(m *module, r route, prefix string) {
	r.path = join(prefix, r.path)
	if len(w.all) < 2000 {
		w.all = append(w.all, placedRoute{r, m.file})
	}
}

func join(prefix, p string) string {
	joined := strings.TrimSuffix(prefix, "/") + "/" + strings.TrimPrefix(p, "/")
	if !strings.HasPrefix(joined, "/") {
		joined = "/" + joined
	}
	return joined
}

// object follows one router: what is declared on it, what is included in it, and what is mounted on it.
func (w *walker) object(file, name, prefix string, depth int) {
	key := file + ":" + name + ":" + prefix
	m := w.t.module(file)
	if m == nil || w.done[key] || depth > 8 || len(w.done) > 1000 {
		return
	}
	w.done[key] = true
	for _, r := range m.routes {
		if r.of == name {
			w.add(m, r, prefix)
		}
	}
	for _, c := range m.calls {
		of, method, _ := cutLast(c.name)
		if c.target == name {
			w.built(m, c.call, prefix, depth)
		}
		if of != name {
			continue
		}
		w.called(m, c, method, prefix, depth)
	}
	if file2, object := w.t.split(file, m.dotted(name)); file2 != "" && object != "" && file2 != file {
		w.object(file2, object, prefix, depth+1)
	}
	if v := m.variable(name); v != nil { // app = create_app()
		if v.call.name != "" {
			w.factory(m, v.call, prefix, depth)
		}
		if v.ref != "" {
			w.object(file, v.ref, prefix, depth+1)
		}
	}
}

func (w *walker) called(m *module, c placedCall, method, prefix string, depth int) {
	switch method {
	case "include_router", "register_blueprint", "add_router", "include", "blueprint", "register_blueprints", "register_router":
		own := text(c.get("prefix", -1)) + text(c.get("url_prefix", -1))
		w.included(m, c.get("", 0), join2(prefix, own), depth)
	case "mount", "add_app", "add_subapp", "register":
		if p, ok := literal(c.get("path", 0)); ok {
			w.included(m, c.get("app", 1), join2(prefix, p), depth)
		}
	case "add_routes":
		w.list(m, c.call, prefix)
	default:
		if p, ok := literal(c.get("path", 0)); ok && answersGet(method, c.call) {
			w.add(m, route{of: "", path: p, get: true, line: c.line}, prefix)
		}
	}
}

// factory follows `app = create_app()` into the function, here or in another file.
func (w *walker) factory(m *module, c call, prefix string, depth int) {
	if m.function(c.name) != nil {
		w.inFunction(m, c.name, prefix, depth)
		return
	}
	file, object := w.t.split(m.file, m.dotted(c.name))
	if other := w.t.module(file); other != nil && other.function(object) != nil {
		w.inFunction(other, object, prefix, depth)
	}
	for _, a := range c.args { // a wrapper
		if reference().MatchString(a.value) {
			w.object(m.file, a.value, prefix, depth+1)
		}
	}
}

// inFunction follows every router that a factory touches under the name it has there.
func (w *walker) inFunction(m *module, name, prefix string, depth int) {
	f := m.function(name)
	if f == nil {
		return
	}
	seen := map[string]bool{}
	for _, v := range f.vars {
		if !seen[v.name] {
			seen[v.name] = true
			w.object(m.file, v.name, prefix, depth+1)
		}
	}
	for _, c := range m.calls {
		if of, method, ok := cutLast(c.name); c.inside == name && ok && !seen[of] {
			w.called(m, c, method, prefix, depth)
		}
	}
}

// built reads the routes that are handed to a constructor: Starlette(routes=[…]), Litestar([…]), and a router's own prefix.
func (w *walker) built(m *module, c call, prefix string, depth int) {
	w.list(m, c, prefix)
	for _, a := range c.args {
		if a.name == "route_handlers" || a.name == "routes" || a.name == "" {
			for _, n := range names(a.value) {
				if of := m.dotted(n); of != n || hasVar(m, n) {
					w.object(m.file, n, prefix, depth+1)
				}
			}
		}
	}
}

func hasVar(m *module, name string) bool {
	return m.variable(name) != nil
}

var nameIn = lazily(`[A-Za-z_][\w.]*`)

func names(list string) []string {
	if !strings.HasPrefix(list, "[") && !strings.HasPrefix(list, "(") {
		if reference().MatchString(list) {
			return []string{list}
		}
		return nil
	}
	all := nameIn().FindAllString(list, 200)
	return all
}

var (
	listedRoute = lazily(`\b(?:Route|get|route|path|add_get|head)\s*\(\s*r?["']([^"'\n]*)["']`)
	listedPair  = lazily(`\(\s*r?["'](/[^"'\n]*)["']\s*,\s*[A-Za-z_]`)
	listedMount = lazily(`\bMount\s*\(\s*["']([^"'\n]*)["']\s*,\s*(?:routes\s*=\s*|app\s*=\s*)?([A-Za-z_][\w.]*|\[)`)
)

// list reads routes that stand as values in a call: Route("/health", f), web.get("/health", f), (r"/health", Handler).
func (w *walker) list(m *module, c call, prefix string) {
	for _, a := range c.args {
		if !strings.ContainsAny(a.value, "[(") {
			continue
		}
		for _, p := range []func() *regexp.Regexp{listedRoute, listedPair} {
			for _, g := range p().FindAllStringSubmatch(a.value, 500) {
				w.add(m, route{path: g[1], get: true}, prefix)
			}
		}
		for _, g := range listedMount().FindAllStringSubmatch(a.value, 100) {
			if g[2] != "[" {
				w.object(m.file, g[2], join2(prefix, g[1]), 4)
			}
		}
	}
}

// included follows the expression that names a router: `router`, `health.router`.
func (w *walker) included(m *module, expr, prefix string, depth int) {
	expr = strings.TrimSpace(expr)
	if !reference().MatchString(expr) {
		return
	}
	target, name := m, expr
	if file, object := w.t.split(m.file, m.dotted(expr)); file != "" && object != "" {
		if other := w.t.module(file); other != nil {
			target, name = other, object
		}
	}
	w.object(target.file, name, join2(prefix, target.prefixOf(name)), depth+1)
}

// prefixOf is what a router says itself: APIRouter(prefix="/api"), Blueprint("x", __name__, url_prefix="/x").
func (m *module) prefixOf(name string) string {
	if v := m.variable(name); v != nil {
		for _, key := range []string{"prefix", "url_prefix", "path"} {
			if p := text(v.call.get(key, -1)); p != "" {
				return p
			}
		}
	}
	return ""
}

func text(expr string) string {
	s, _ := literal(expr)
	return s
}

// join2 puts two prefixes together, either of which may be empty.
func join2(a, b string) string {
	if b == "" {
		return a
	}
	return join(a, b)
}

func cutLast(name string) (of, method string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return "", name[i+1:], false
	}
	return name[:i], name[i+1:], true
}

// wholeFile takes the routes of a file whoever has them.
func (w *walker) wholeFile(file, prefix string) {
	m := w.t.module(file)
	if m == nil {
		return
	}
	for _, r := range m.routes {
		w.add(m, r, join2(prefix, m.prefixOf(r.of)))
	}
	for _, c := range m.calls {
		w.list(m, c.call, prefix)
	}
}

// django reads urlpatterns from ROOT_URLCONF's file, which startproject puts beside the settings.
func (w *walker) django(file string) {
	for _, name := range append([]string{path.Join(path.Dir(file), "urls.py")}, w.t.files...) {
		if path.Base(name) == "urls.py" {
			w.urls(name, "", 0)
			return
		}
	}
}

var djangoPath = lazily(`\b(?:path|re_path|url)\s*\(\s*r?["']\^?([^"'\n$]*)\$?["']\s*,\s*(include\s*\(\s*["']([\w.]+)["'])?`)

func (w *walker) urls(file, prefix string, depth int) {
	m := w.t.module(file)
	if m == nil || depth > 4 || w.done[file+prefix] {
		return
	}
	w.done[file+prefix] = true
	for _, g := range djangoPath().FindAllStringSubmatch(w.t.r.text(file), 500) {
		if g[3] == "" {
			w.add(m, route{path: g[1], get: true}, prefix)
			continue
		}
		if other := w.t.fileOf(file, g[3]); other != "" {
			w.urls(other, join2(prefix, g[1]), depth+1)
		} else if other := w.t.inDir(".", g[3]); other != "" {
			w.urls(other, join2(prefix, g[1]), depth+1)
		}
	}
}

package project

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// fromCode takes the application that is most likely meant.
func (p Project) fromCode(has func(string) bool) (Proposal, bool) {
	apps := slices.DeleteFunc(slices.Clone(p.Apps), func(a App) bool {
		return a.Script && a.Server.Name == "script" && !a.Serves && isErrand(a.File)
	})
	if len(apps) == 0 {
		return Proposal{}, false
	}
	a := apps[0]
	out := p.FromApp(a, has)
	if out.Command == nil {
		return out, false
	}
	for _, other := range apps[1:min(len(apps), 20)] {
		if other.Inside != "" || other.File == a.File && (other.Script || a.Script) || other.Script && other.Server.Name == "script" && !other.Serves {
			continue
		}
		out.Others = append(out.Others, Choice{other.Place, other.Target(""), other.Server.Title})
		if len(out.Others) == 1 {
			out.Ask = p.rivals(a, other)
		}
	}
	return out, true
}

// rivals: both are whole applications, neither knows of the other, and their places say nothing of which is meant.
func (p Project) rivals(a, b App) bool {
	if a.Server.Name == b.Server.Name && a.Server.Name == "django" || a.Server.Interface == "" && a.Server.Name != b.Server.Name || b.Server.Name == "celery" || b.Server.Name == "dramatiq" {
		return false
	}
	if a.Factory != b.Factory || a.Script != b.Script {
		return false
	}
	return !p.imports(a.File, b.File) && !p.imports(b.File, a.File)
}

func (p Project) imports(from, file string) bool {
	m := p.tree.module(from)
	if m == nil || from == file {
		return false
	}
	for _, full := range m.imports {
		if f, _ := p.tree.split(from, full); f == file {
			return true
		}
	}
	return false
}

// FromApp is the proposal for one application, also one that a person chose.
func (p Project) FromApp(a App, has func(string) bool) Proposal {
	if p.isWSGI(a) {
		a.Server.Interface = "wsgi"
		a.Server.Via = []string{"gunicorn", "granian", "waitress", "django"}
	}
	out := Proposal{Of: a.Server, From: a.Place, Kind: "code", File: a.File, Health: a.Health}
	row := a.Server
	dir := p.importDir(a)
	if len(row.Via) > 0 && !(a.Script && (row.Start == nil || row.Via[0] == "script")) {
		row = runner(row, a, has)
	} else if row.Start == nil || len(row.Via) > 0 && row.Via[0] == "script" {
		row, _ = servers.ByName("script")
	}
	choice := servers.Choice{App: a.Target(dir), Host: a.Host, Interface: a.Server.Interface, Factory: a.Factory, AppDir: dir}
	if a.Server.Name == "django" && row.Name == "django" {
		choice.App = ""
	}
	p.fitApp(&choice, row, a, dir)
	out.App = choice.App
	if out.Command = row.Command(choice); a.Server.Name == "django" && row.Name == "django" {
		out.App = path.Join(dir, "manage.py")
		for i, w := range out.Command {
			if w == "manage.py" {
				out.Command[i] = out.App
			}
		}
	}
	if pkg := path.Dir(a.File); row.Name == "script" && path.Base(a.File) == "__main__.py" && isName(pkg) && p.r.has(path.Join(pkg, "__init__.py")) {
		out.Command, out.App = []string{servers.Python, "-m", pkg}, pkg // run by its path it could not import its own package
	}
	out.Server = row
	if a.Script && row.Name == "script" && a.Server.Name != "script" { // what it says and how it ends is its own row's matter
		out.Server = a.Server
	}
	out.port(p, a)
	if out.Of.Name == "celery" || out.Of.Name == "dramatiq" || out.Server.Name == "script" && !a.Serves {
		out.Port, out.PortFrom = 0, Place{}
		if a.Port != 0 && out.Server.Name == "script" {
			out.Port, out.PortFrom = a.Port, a.PortAt
		}
	}
	if row.Name != "script" {
		out.needs(row, has)
	} else {
		out.needs(a.Server, has)
	}
	out.variables(a)
	return out
}

// isWSGI: Django makes either kind of application. A server for the one kind answers no request of the other.
func (p Project) isWSGI(a App) bool {
	m := p.tree.module(a.File)
	if m == nil || a.Server.Name != "django" {
		return false
	}
	_, wsgi := callsAny(m, "django.core.wsgi.get_wsgi_application")
	_, asgi := callsAny(m, "django.core.asgi.get_asgi_application")
	return wsgi && !asgi
}

// runner is the server that is there and can run the application; the row's first choice if none is.
func runner(row servers.Server, a App, has func(string) bool) servers.Server {
	var first servers.Server
	for _, name := range row.Via {
		s, ok := servers.ByName(name)
		if !ok || s.Start == nil || name == "script" || a.Factory && !canFactory(s) {
			continue
		}
		if first.Name == "" {
			first = s
		}
		if has(name503(strings.SplitN(s.Package, "[", 2)[0])) {
			return s
		}
	}
	return first
}

func canFactory(s servers.Server) bool {
	return s.CanFactory() || s.Name == "hypercorn" || s.Name == "litestar"
}

// fitApp writes the application as this server reads it.
func (p Project) fitApp(c *servers.Choice, row servers.Server, a App, dir string) {
	switch {
	case row.Name == "script":
		c.App = a.File
	case row.Name == "streamlit" || row.App == servers.File:
		c.App = a.File
	case row.Name == "flask" && dir != "":
		c.App = strings.TrimSuffix(strings.TrimSuffix(a.File, ".py"), "/__init__") + ":" + a.Name
	case row.Name == "celery":
		module, _, _ := strings.Cut(c.App, ":")
		c.App = module
	case a.Factory && (row.Name == "gunicorn" || row.Name == "hypercorn"):
		c.App += "()"
	}
}

// importDir is the folder from which the application's module is imported, "" for the project's own: the one in which its imports of the
// project's other modules are found.
func (p Project) importDir(a App) string {
	m := p.tree.module(a.File)
	if m == nil || a.Script && a.Server.App != servers.Dotted && a.Server.Name != "bentoml" {
		return ""
	}
	if a.Server.Name == "django" { // Django imports everything from where manage.py stands
		for dir := path.Dir(a.File); dir != "."; dir = path.Dir(dir) {
			if p.r.has(path.Join(dir, "manage.py")) {
				return dir
			}
		}
	}
	roots := []string{""}
	for dir := path.Dir(a.File); dir != "."; dir = path.Dir(dir) {
		roots = append(roots, dir)
	}
	best, bestScore := "", -1
	for _, root := range roots {
		score := 0
		for _, full := range m.imports {
			top, _, _ := strings.Cut(full, ".")
			if top != "" && (p.tree.inDir(cmp.Or(root, "."), top) != "" || p.r.isFolder(path.Join(root, top)) && top != "src") {
				score++
			}
		}
		if root == "src" && !p.r.has("src/__init__.py") && score >= bestScore && !p.importsFrom(m, "src") {
			best, bestScore = root, score
		}
		if score > bestScore {
			best, bestScore = root, score
		}
	}
	if p.r.has(path.Join(best, "__init__.py")) && best != "" {
		best = ""
	}
	for _, root := range roots { // no module's name has a "-": what is below such a folder is imported from there
		if !isName(path.Base(root)) && root != "" && len(root) > len(best) {
			return root
		}
	}
	return best
}

func (p Project) importsFrom(m *module, top string) bool {
	for _, full := range m.imports {
		if full == top || strings.HasPrefix(full, top+".") {
			return true
		}
	}
	return false
}

// isErrand: a plain program that does something and ends, as far as its place and name tell. Nothing to start is a better answer than one of those.
// Below a folder only the names count that servers mostly have, and not in a folder of helpers.
func isErrand(file string) bool {
	top, _, below := strings.Cut(file, "/")
	if !below {
		st := Start{Server: servers.Server{Name: "script"}, Match: servers.Match{App: file}}
		return st.isTask()
	}
	stem := strings.TrimSuffix(path.Base(file), ".py")
	helpers := []string{"scripts", "script", "tools", "tool", "bin", "hack", "ci", "utils", "docs", "examples", "benchmarks", "tests", "hooks"}
	return slices.Contains(helpers, top) || stem != "__main__" && !slices.Contains(usual, stem)
}

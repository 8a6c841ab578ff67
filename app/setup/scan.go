package setup

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// framework is how an app of one kind is recognised and started.
type framework struct {
	name    string
	command func(app string, flags []string) []string
}

func uvicorn(app string, flags []string) []string {
	c := append([]string{"{python}", "-m", "uvicorn"}, flags...)
	return append(c, app, "--host", "127.0.0.1", "--port", "{port}")
}

func flask(app string, _ []string) []string {
	return []string{"{python}", "-m", "flask", "--app", app, "run", "--host", "127.0.0.1", "--port", "{port}"}
}

var frameworks = map[string]framework{
	"FastAPI":              {"FastAPI", uvicorn},
	"Starlette":            {"Starlette", uvicorn},
	"Quart":                {"Quart", uvicorn},
	"Litestar":             {"Litestar", uvicorn},
	"Sanic":                {"Sanic", uvicorn},
	"BlackSheep":           {"BlackSheep", uvicorn},
	"Flask":                {"Flask", flask},
	"get_asgi_application": {"Django", uvicorn},
}

var (
	// An app at a module's top level: `app = FastAPI(`, `app: FastAPI = fastapi.FastAPI(`.
	appLine = lazily(`(?m)^([A-Za-z_]\w*)\s*(?::\s*[\w.\[\], "']+?)?\s*=\s*(?:[\w.]+\.)?(FastAPI|Starlette|Quart|Litestar|Sanic|BlackSheep|Flask|get_asgi_application)\s*\(`)
	// A factory: `def create_app(…) -> FastAPI:`.
	factoryLine = lazily(`(?m)^(?:async\s+)?def\s+(create_app|make_app|get_app|build_app|create_application|get_application)\s*\(`)
	mainBlock   = lazily(`(?m)^if\s+__name__\s*==\s*["']__main__["']\s*:`)
	// What a start script said so far is the best witness.
	scriptApp   = lazily(`\b(?:uvicorn|hypercorn|gunicorn|granian)\s[^\n#]*?\b([A-Za-z_][\w.]*:[A-Za-z_]\w*)`)
	healthRoute = lazily(`["'](/(?:api/|v1/|api/v1/)?(?:health|healthz|health_check|healthcheck|_health|livez|readyz|ping)/?)["']`)
)

// candidates are the files an app is mostly in, the most likely first.
var candidates = []string{
	"main.py", "app.py", "server.py", "asgi.py", "api.py", "wsgi.py",
	"app/main.py", "app/app.py", "app/server.py", "app/asgi.py", "app/api.py", "app/__init__.py",
	"api/main.py", "api/app.py", "server/main.py", "server/app.py", "backend/main.py", "backend/app.py", "backend/server.py",
	"src/main.py", "src/app.py", "src/server.py", "src/asgi.py", "src/api.py", "src/*/main.py", "src/*/app.py", "src/*/server.py", "src/*/asgi.py",
	"*/main.py", "*/app.py", "*/server.py", "*/asgi.py",
}

// findApp looks for the server: what the scripts named, then an app in the usual places, then a factory, then a plain script.
func (f *Found) findApp(scripts []sourceText) {
	for _, s := range scripts {
		for _, m := range scriptApp().FindAllStringSubmatch(withoutComments(s.text), -1) {
			if f.takeNamed(m[1]) {
				return
			}
		}
	}
	files := f.candidateFiles()
	for _, file := range files {
		if m := appLine().FindStringSubmatch(readSmall(filepath.Join(f.Dir, file))); m != nil {
			f.take(file, m[1], frameworks[m[2]])
			return
		}
	}
	for _, file := range files {
		text := readSmall(filepath.Join(f.Dir, file))
		if m := factoryLine().FindStringSubmatch(text); m != nil {
			f.takeFactory(file, m[1], text)
			return
		}
	}
	for _, file := range append(files, "run.py") {
		if text := readSmall(filepath.Join(f.Dir, file)); mainBlock().MatchString(text) {
			f.AppFile, f.Command = file, []string{"{python}", file}
			f.findHealth()
			return
		}
	}
}

// Choose takes the app that a person named, as module:name.
func (f *Found) Choose(app string) error {
	module, name, ok := strings.Cut(app, ":")
	if !ok || module == "" || name == "" {
		return fmt.Errorf("%q is no app: write it as module:name", app)
	}
	f.Health, f.Advice = "", nil
	if !f.takeNamed(app) {
		return fmt.Errorf("there is no module %s in %s", module, f.Dir)
	}
	return nil
}

// takeNamed takes an app that a script named, if its file is there.
func (f *Found) takeNamed(app string) bool {
	module, name, _ := strings.Cut(app, ":")
	for _, root := range []string{"", "src", "app", "backend"} {
		for _, file := range []string{strings.ReplaceAll(module, ".", "/") + ".py", strings.ReplaceAll(module, ".", "/") + "/__init__.py"} {
			file = path.Join(root, file)
			text := readSmall(filepath.Join(f.Dir, file))
			if text == "" {
				continue
			}
			kind := framework{"ASGI", uvicorn}
			for _, m := range appLine().FindAllStringSubmatch(text, -1) {
				if m[1] == name {
					kind = frameworks[m[2]]
				}
			}
			f.App, f.AppFile, f.Framework = app, file, kind.name
			f.Command = kind.command(app, appDir(root))
			f.findHealth()
			return true
		}
	}
	return false
}

func appDir(root string) []string {
	if root == "" {
		return nil
	}
	return []string{"--app-dir", root}
}

func (f *Found) take(file, name string, kind framework) {
	module, flags := f.moduleOf(file)
	f.App, f.AppFile, f.Framework = module+":"+name, file, kind.name
	f.Command = kind.command(f.App, flags)
	if len(flags) > 0 && kind.name == "Flask" { // it has no --app-dir
		f.Command = kind.command(strings.TrimSuffix(file, ".py")+":"+name, nil)
	}
	f.findHealth()
}

func (f *Found) takeFactory(file, name, text string) {
	module, flags := f.moduleOf(file)
	f.App, f.AppFile, f.Framework = module+":"+name, file, "app factory"
	if strings.Contains(text, "Flask(") {
		f.Framework, f.Command = "Flask", flask(f.App, nil)
	} else {
		f.Command = uvicorn(f.App, append(flags, "--factory"))
	}
	f.findHealth()
}

// moduleOf is the module's name as Python imports it from the backend's folder. Below src without an __init__.py the import starts in
// src, as its own imports do.
func (f *Found) moduleOf(file string) (module string, flags []string) {
	if rest, ok := strings.CutPrefix(file, "src/"); ok {
		if _, err := os.Stat(filepath.Join(f.Dir, "src", "__init__.py")); err != nil {
			file, flags = rest, appDir("src")
		}
	}
	module = strings.TrimSuffix(file, ".py")
	module = strings.TrimSuffix(module, "/__init__")
	return strings.ReplaceAll(module, "/", "."), flags
}

// notSource are folders whose Python is not the backend's own.
var notSource = []string{"venv", "env", "node_modules", "site-packages", "tests", "test", "docs", "examples", "migrations", "__pycache__", "build", "dist"}

func (f *Found) candidateFiles() []string {
	var files []string
	for _, pattern := range candidates {
		if !strings.Contains(pattern, "*") {
			files = append(files, pattern)
			continue
		}
		found, _ := filepath.Glob(filepath.Join(globQuote(f.Dir), pattern))
		slices.Sort(found)
		for _, p := range found {
			rel, err := filepath.Rel(f.Dir, p)
			if err != nil || skipped(rel) || slices.Contains(files, filepath.ToSlash(rel)) {
				continue
			}
			files = append(files, filepath.ToSlash(rel))
		}
	}
	return files
}

// globQuote keeps a folder named "a[1]" from being a pattern.
func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func skipped(rel string) bool {
	for _, part := range strings.Split(filepath.ToSlash(filepath.Dir(rel)), "/") {
		if slices.Contains(notSource, part) || strings.HasPrefix(part, ".") && part != "." {
			return true
		}
	}
	return false
}

// findHealth looks for a health route in the app's file and in what lies beside and below it, as far as a person would look.
func (f *Found) findHealth() {
	if f.takeHealth(readSmall(filepath.Join(f.Dir, f.AppFile))) {
		return
	}
	seen := 0
	root := filepath.Join(f.Dir, filepath.Dir(f.AppFile))
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		rel, rerr := filepath.Rel(root, p)
		switch {
		case err != nil || rerr != nil:
			return nil
		case d.IsDir() && rel != "." && (strings.Count(rel, string(filepath.Separator)) >= 4 || skipped(filepath.Join(rel, "x"))):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(p) != ".py":
			return nil
		}
		if seen++; seen > 300 || f.takeHealth(readSmall(p)) {
			return filepath.SkipAll
		}
		return nil
	})
}

// takeHealth prefers /health where several are there.
func (f *Found) takeHealth(text string) bool {
	for _, m := range healthRoute().FindAllStringSubmatch(text, -1) {
		if f.Health == "" || m[1] == "/health" {
			f.Health = m[1]
		}
	}
	return f.Health != ""
}

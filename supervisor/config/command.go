package config

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/python"
)

// Host is the address at which the backend can be reached from here, as its command says (--host X, --bind X), else 127.0.0.1.
func (c Config) Host() string { return reachable(c.ListenHost()) }

// ListenHost is the address to listen on, as the command says it.
func (c Config) ListenHost() string {
	host := "127.0.0.1"
	for i := range c.Command {
		value, found := optionValue(c.Command, i, "--host", "--bind")
		if found && !strings.HasPrefix(value, "unix:") && !strings.HasPrefix(value, "fd://") {
			host = bareHost(value)
		}
	}
	return host
}

func bareHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.Trim(host, "[]")
}

// reachable turns an address to listen on into one to connect to. "::" becomes ::1, not 127.0.0.1: asyncio, and with it uvicorn,
// listens there on IPv6 alone.
func reachable(host string) string {
	switch host {
	case "", "0.0.0.0", "*":
		return "127.0.0.1"
	case "::":
		return "::1"
	}
	return host
}

// App is the words that name this backend's app in a command line: "main:app", "server.py" or "pkg.main". A command that
// names none has none, and no hand-started copy of it is recognised.
func (c Config) App() []string {
	if app := appOf(c.Command); app != "" {
		return []string{app}
	}
	return nil
}

// serverPrograms run an app that is named by another word.
var serverPrograms = []string{"uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "waitress", "waitress-serve", "fastapi", "flask", "streamlit", "robyn", "sanic", "litestar"}

// launchers put an environment around the command that follows "run".
var launchers = []string{"uv", "poetry", "pipenv", "pdm", "rye", "hatch"}

var (
	appName = regexp.MustCompile(`^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?$`)
)

// isPython: the program at path is an interpreter, or the placeholder for one.
func isPython(path string) bool {
	return path == PlaceholderPython || python.IsProgram(path)
}

// appOf finds the app in a command line, whether ours or a stranger's.
func appOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	name := filepath.Base(words[0])
	switch {
	case isPython(words[0]):
		return appOfPython(words[1:])
	case slices.Contains(launchers, name) && len(words) > 2 && words[1] == "run":
		rest := words[2:]
		for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
			rest = rest[1:]
		}
		return appOf(rest)
	case slices.Contains(serverPrograms, name):
		return appOfServer(words[1:])
	case strings.HasSuffix(name, ".py"):
		return words[0]
	}
	return ""
}

// appOfPython reads an interpreter's arguments as the interpreter does.
func appOfPython(words []string) string {
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-X" || w == "-W" || w == "--check-hash-based-pycs":
			i++
		case w == "-" || w == "-c":
			return ""
		case strings.HasPrefix(w, "--"):
		case strings.HasPrefix(w, "-"):
			flag := strings.IndexAny(w, "cmXW")
			switch {
			case flag < 0 || w[flag] == 'X' || w[flag] == 'W':
			case w[flag] == 'c':
				return ""
			case flag+1 < len(w): // -mserver
				return appOfModule(w[flag+1:], words[i+1:])
			case i+1 < len(words):
				return appOfModule(words[i+1], words[i+2:])
			}
		case slices.Contains(serverPrograms, filepath.Base(w)): // bin/uvicorn
			return appOfServer(words[i+1:])
		default:
			return w
		}
	}
	return ""
}

func appOfModule(module string, rest []string) string {
	if slices.Contains(serverPrograms, module) {
		return appOfServer(rest)
	}
	return module
}

// appOfServer finds main:app, else the file to serve, else the value of --app.
func appOfServer(words []string) string {
	if i := slices.IndexFunc(words, appName.MatchString); i >= 0 {
		return words[i]
	}
	for i, w := range words {
		if app, ok := strings.CutPrefix(w, "--app="); ok {
			return app
		}
		if w == "--app" && i+1 < len(words) {
			return words[i+1]
		}
	}
	if i := slices.IndexFunc(words, func(w string) bool { return strings.HasSuffix(w, ".py") }); i >= 0 {
		return words[i]
	}
	return ""
}

// appID is an app in a form that can be compared: "python ./server.py", "python /abs/server.py" and "uvicorn server:app" are all
// the module "server" of the same folder.
type appID struct {
	module string // dotted, or an absolute path if it is outside the folder; "" for none
	object string // after the colon; "" if the command line leaves it open
}

// appIDOf reads word as a process with working directory cwd does, as seen from the backend's folder dir.
func appIDOf(word, cwd, dir string) appID {
	var id appID
	if appName.MatchString(word) {
		word, id.object, _ = strings.Cut(strings.TrimSuffix(word, "()"), ":")
	}
	if !strings.HasSuffix(word, ".py") && !strings.ContainsRune(word, '/') {
		id.module = word
		return id
	}
	path := word
	if !filepath.IsAbs(path) {
		path = filepath.Join(cwd, path)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		id.module = path
		return id
	}
	rel = strings.TrimSuffix(strings.TrimSuffix(rel, ".py"), "/__main__")
	id.module = strings.ReplaceAll(rel, "/", ".")
	return id
}

// Code is where the backend's own code begins: the folder from which it imports its modules, and the dotted name of the first of them, "" if
// the command does not tell. Python looks in a script's own folder, uvicorn in that of --app-dir and gunicorn in that of --chdir.
func (c Config) Code() (dir, module string) {
	app := appOf(c.Command)
	if strings.HasSuffix(app, ".py") || strings.ContainsRune(app, '/') {
		path := c.inside(app)
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			return path, "__main__"
		}
		return filepath.Dir(path), strings.TrimSuffix(filepath.Base(path), ".py")
	}
	dir = c.Dir
	for i := range c.Command {
		if value, ok := optionValue(c.Command, i, "--app-dir", "--chdir"); ok {
			dir = c.inside(value)
		}
	}
	module, _, _ = strings.Cut(app, ":")
	return dir, module
}

// inside is a path as the command means it, which is run in the backend's folder.
func (c Config) inside(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.Dir, path)
}

// optionValue is the value of an option that stands at words[i], as "--name value" or "--name=value".
func optionValue(words []string, i int, names ...string) (string, bool) {
	for _, name := range names {
		if value, ok := strings.CutPrefix(words[i], name+"="); ok {
			return value, true
		}
		if words[i] == name && i+1 < len(words) {
			return words[i+1], true
		}
	}
	return "", false
}

// sameApp: both name the same module, and no different objects in it.
func sameApp(a, b appID) bool {
	return a.module != "" && a.module == b.module && (a.object == b.object || a.object == "" || b.object == "")
}

// Runs says whether the command line args, of a process that works in cwd, runs this backend's app.
func (c Config) Runs(args []string, cwd string) bool {
	theirs := appOf(args)
	if theirs == "" {
		return false
	}
	for _, ours := range c.App() {
		if sameApp(appIDOf(ours, c.Dir, c.Dir), appIDOf(theirs, cwd, c.Dir)) {
			return true
		}
	}
	return false
}

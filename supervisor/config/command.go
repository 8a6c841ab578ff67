package config

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// Host is the address at which the backend can be reached from here, as its command says (--host X, --bind X), else 127.0.0.1.
func (c Config) Host() string { return reachable(c.ListenHost()) }

// ListenHost is the address to listen on, as the command says it.
func (c Config) ListenHost() string {
	if s, m := servers.ByCommand(c.Command); s.Name != "" && m.Host != "" {
		return bareHost(m.Host)
	}
	host := "127.0.0.1"
	for i := range c.Command { // a program that is not known means the same by them
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

// appOf finds what names the backend in a command line, whether ours or a stranger's: its app, or the server where that is the whole program.
func appOf(words []string) string {
	s, m := servers.ByCommand(words)
	return s.Identity(m)
}

var appName = regexp.MustCompile(`^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?$`)

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
	if _, m := servers.ByCommand(c.Command); m.AppDir != "" {
		dir = c.inside(m.AppDir)
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

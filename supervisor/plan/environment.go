package plan

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/project"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// environmentOf is what a folder says of its environment; nothing where it cannot be read.
func environmentOf(dir string) project.Environment {
	folder, err := project.Open(dir)
	if err != nil {
		return project.Environment{}
	}
	defer folder.Close()
	return project.EnvironmentOf(folder)
}

// gone is the error of an environment that was the backend's and is not there any more. Another Python is never taken in its place: it
// would not have the packages. named is the environment or its interpreter, as the configuration says it.
func gone(dir, env, named string) error {
	e := &python.Error{Path: named, Problem: "the environment is gone: " + named, Remedy: "make it again with `python3 -m venv " + crash.Quote(env) + "` and install its packages"}
	if parent := filepath.Dir(env); parent != dir && !isDir(parent) {
		e.Problem = "the environment is gone with its folder: " + named
	}
	command := environmentOf(dir).Make
	if rel, err := filepath.Rel(dir, env); command != "" && err == nil && filepath.IsLocal(rel) {
		e.Remedy = "make it again with `cd " + crash.Quote(dir) + " && " + strings.ReplaceAll(command, ".venv", crash.Quote(rel)) + "`"
	}
	e.Remedy += ", or name another Python with python in vivarium.toml"
	return e
}

// needsEnvironment: the project says how its environment is made, and a Python outside of every environment was all that was found. What would
// mend a missing package is then the command that makes the environment, not one that puts everything into the system's Python.
func (p *Plan) needsEnvironment(c config.Config, e project.Environment) {
	if p.Python.Venv || e.Make == "" || c.Python != python.Auto && c.Python != "" {
		return
	}
	p.InstallAll = "cd " + crash.Quote(c.Dir) + " && " + e.Make
	p.noEnvironment = project.NoEnvironment + ": make it with `" + p.InstallAll + "`"
}

// environmentBehind is the environment's folder that a value of python in the configuration names, "" if it names something else.
func environmentBehind(dir, value string) string {
	path := value
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if filepath.Base(filepath.Dir(path)) == "bin" {
		path = filepath.Dir(filepath.Dir(path))
		if slices.Contains([]string{"/usr", "/usr/local", "/opt/homebrew", "/"}, path) {
			return ""
		}
		return path
	}
	if strings.ContainsRune(value, '/') || slices.Contains([]string{".venv", "venv", "env"}, value) {
		return path
	}
	return "" // a name to be looked up on PATH
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// activate makes the environment of the interpreter the active one, as its bin/activate does: programs that the server calls by name are its
// own, and what asks which environment this is gets the right answer. Another one that is active in the parent is not.
func activate(in python.Interpreter, parent []string) []string {
	if in.Path == "" {
		return parent
	}
	var others []string
	env := slices.DeleteFunc(slices.Clone(parent), func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case "VIRTUAL_ENV", "CONDA_PREFIX":
			if value != in.Prefix && value != "" {
				others = append(others, filepath.Join(value, "bin"))
			}
			return value != in.Prefix
		case "VIRTUAL_ENV_PROMPT", "CONDA_DEFAULT_ENV", "CONDA_PROMPT_MODIFIER", "PYTHONHOME":
			return in.Venv
		}
		return false
	})
	if !in.Venv {
		return env
	}
	variable := "VIRTUAL_ENV"
	if isDir(filepath.Join(in.Prefix, "conda-meta")) {
		variable = "CONDA_PREFIX"
	}
	bin := filepath.Join(in.Prefix, "bin")
	path := []string{bin}
	for _, dir := range filepath.SplitList(python.Lookup(env, "PATH")) {
		if dir != bin && !slices.Contains(others, dir) {
			path = append(path, dir)
		}
	}
	env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") || strings.HasPrefix(e, variable+"=") })
	return append(env, variable+"="+in.Prefix, "PATH="+strings.Join(path, string(filepath.ListSeparator)))
}

// harmless are options of a launcher that do not change which Python it starts, or with which packages.
var harmless = []string{"run", "--locked", "--frozen", "--no-sync", "--offline", "-q", "--quiet", "-v", "--verbose", "--no-capture-output", "--live-stream", "--no-progress", "--"}

// withoutLauncher takes `uv run`, `poetry run` and the like out of a command, and names the Python that they would choose: signals do not get
// through such a launcher, and where it dies Python stays behind. Without the environment, which the launcher would make, or with options that
// ask for another one, the command stays as it is.
func (p *Plan) withoutLauncher(c config.Config, o Options) config.Config {
	via, inner := servers.Unwrap(c.Command)
	tools := slices.DeleteFunc(slices.Clone(via), func(w servers.Wrapper) bool { return w.Tool == "" })
	if len(tools) != 1 || len(via) != 1 || len(inner) == 0 || !plain(tools[0]) {
		return c
	}
	launcher := tools[0]
	e := environmentOf(c.Dir)
	env := p.environmentBy(launcher, e, c, o)
	if env == "" {
		if e.Make != "" {
			p.warn("%s stands between Vivarium and Python, where signals get lost: make the environment with `cd %s && %s`, and its Python is started directly", launcher.Tool+" run", crash.Quote(c.Dir), e.Make)
		}
		return c
	}
	words, ok := direct(env, inner)
	if !ok {
		return c
	}
	c.Command = words
	if c.Python == "" || c.Python == python.Auto {
		c.Python = env
	}
	return c
}

// plain: the launcher has no options that ask for other packages or another Python.
func plain(w servers.Wrapper) bool {
	for i, word := range w.Words[1:] {
		name, _, _ := strings.Cut(word, "=")
		before := ""
		if i > 0 {
			before = w.Words[i]
		}
		names := []string{"-n", "--name", "-p", "--prefix", "-e", "--environment"}
		known := slices.Contains(harmless, name) || w.Tool != "uv" && slices.Contains(names, name) && (w.Name != "" || w.Prefix != "")
		if !known && (w.Name == "" && w.Prefix == "" || !slices.Contains(names, before)) {
			return false
		}
	}
	return true
}

// environmentBy is the environment's folder that a launcher would take, "" if it is not there.
func (p *Plan) environmentBy(w servers.Wrapper, e project.Environment, c config.Config, o Options) string {
	if w.Prefix != "" {
		if env := absolute(c.Dir, w.Prefix); isDir(env) {
			return env
		}
		return ""
	}
	e.Tool = project.Tool(w.Tool)
	conda := ""
	if w.Tool == "conda" {
		conda = w.Name
	}
	system := project.System{GOOS: o.GOOS, Home: o.Home, Getenv: func(name string) string { return python.Lookup(o.Parent, name) }}
	var patterns []string
	if w.Tool != "conda" && w.Name == "" {
		patterns = append(patterns, globbed(filepath.Join(c.Dir, ".venv")))
	}
	patterns = append(e.ToolPlaces(c.Dir, conda, system), patterns...)
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern) // the pattern is quoted
		slices.Sort(found)
		slices.Reverse(found)
		for _, env := range found {
			if _, err := os.Lstat(filepath.Join(env, "bin", "python")); err == nil {
				return env
			}
		}
	}
	return ""
}

func globbed(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// direct is what stands behind the launcher, started by the environment's own Python. A program of another kind is started as it is.
func direct(env string, inner []string) ([]string, bool) {
	if servers.IsPython(inner[0]) {
		return append([]string{config.PlaceholderPython}, inner[1:]...), true
	}
	if strings.ContainsRune(inner[0], '/') {
		return nil, false
	}
	program := filepath.Join(env, "bin", inner[0])
	st, err := os.Stat(program)
	if err != nil || st.Mode()&fs.ModeType != 0 {
		return nil, false
	}
	first, script := python.ScriptText(program)
	first, _, _ = strings.Cut(first, "\n")
	if script && strings.Contains(first, "python") {
		return append([]string{config.PlaceholderPython, program}, inner[1:]...), true
	}
	return append([]string{program}, inner[1:]...), true
}

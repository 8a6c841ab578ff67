package plan

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
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
	e := &python.Error{Path: named, Problem: "the environment is gone: " + named, Remedy: "make it again with `python3 -m venv " + environment.Quote(env) + "` and install its packages"}
	if parent := filepath.Dir(env); parent != dir && !isDir(parent) {
		e.Problem = "the environment is gone with its folder: " + named
	}
	command := environmentOf(dir).Make
	if rel, err := filepath.Rel(dir, env); command != "" && err == nil && filepath.IsLocal(rel) {
		e.Remedy = "make it again with `cd " + environment.Quote(dir) + " && " + strings.ReplaceAll(command, ".venv", environment.Quote(rel)) + "`"
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
	p.InstallAll = "cd " + environment.Quote(c.Dir) + " && " + e.Make
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
	if len(tools) != 1 || len(via) != 1 || len(inner) == 0 || !understood(tools[0]) || len(tools[0].EnvFiles) > 1 {
		return c
	}
	launcher := tools[0]
	own := c
	if launcher.Project != "" {
		own.Dir = absolute(c.Dir, launcher.Project)
	}
	e := environmentOf(own.Dir)
	env := p.environmentBy(launcher, e, own, o)
	if env != "" && !holds(launcher, env, o) {
		p.warn("%s stands between Vivarium and Python, where signals get lost, and the environment %s has not what it asks for (%s): put that into the environment", launcher.Tool+" run", env, strings.Join(launcher.Words[2:], " "))
		return c
	}
	if env == "" {
		if e.Make != "" {
			p.warn("%s stands between Vivarium and Python, where signals get lost: make the environment with `cd %s && %s`, and its Python is started directly", launcher.Tool+" run", environment.Quote(own.Dir), e.Make)
		}
		return c
	}
	words, ok := direct(env, inner)
	if !ok {
		return c
	}
	c.Command = words
	p.workDir = workDir(launcher, c.Dir)
	if len(launcher.EnvFiles) == 1 && !c.EnvFileNamed {
		c.EnvFile, c.EnvFileNamed = absolute(p.workDir, launcher.EnvFiles[0]), true
	}
	if c.Python == "" || c.Python == python.Auto {
		c.Python = env
	}
	return c
}

// workDir is the folder in which a launcher starts its program: dir, or the one that it is told to go to first. The options that name a project
// and no more leave it where it is.
func workDir(w servers.Wrapper, dir string) string {
	goes := map[string][]string{"uv": {"--directory"}, "poetry": {"--directory", "-C"}}[w.Tool]
	for i, word := range w.Words {
		name, value, glued := strings.Cut(word, "=")
		if !slices.Contains(goes, name) {
			continue
		}
		if !glued && i+1 < len(w.Words) {
			value = w.Words[i+1]
		}
		return absolute(dir, value)
	}
	return dir
}

// understood: every option of the launcher is one whose meaning for the Python that it starts is known here. Others ask for other packages or
// another Python, and the launcher has to stay.
func understood(w servers.Wrapper) bool {
	words := w.Words[1:]
	for i := 0; i < len(words); i++ {
		name, _, glued := strings.Cut(words[i], "=")
		switch {
		case slices.Contains(harmless, name):
		case slices.Contains(namesEnvironment[w.Tool], name):
			if !glued {
				i++
			}
		default:
			return false
		}
	}
	return true
}

// namesEnvironment are the options of launchers that say which environment is theirs, or what variables it gets.
var namesEnvironment = map[string][]string{
	"uv": {"--project", "--directory", "--env-file", "--python", "-p", "--with"}, "poetry": {"--directory", "-C", "--project", "-P"}, "pdm": {"--project", "-p"},
	"conda": {"-n", "--name", "-p", "--prefix"}, "hatch": {"-e", "--env", "--project", "-p"}, "pixi": {"-e", "--environment"},
}

// holds: the environment is what the launcher's options ask for: the packages are in it, and its Python is of that version.
func holds(w servers.Wrapper, env string, o Options) bool {
	if len(w.Brings) == 0 && w.Python == "" {
		return true
	}
	in, err := python.Find(python.Options{Dir: env, Value: env, GOOS: o.GOOS, Home: o.Home, Root: o.Root})
	if err != nil {
		return false
	}
	if v := strings.TrimPrefix(strings.TrimPrefix(w.Python, "cpython"), "python"); w.Python != "" && (v == "" || (project.Environment{Pinned: strings.Trim(v, "@-")}).Unfit(in.Version) != "" || strings.ContainsRune(v, '/')) {
		return false
	}
	return !slices.ContainsFunc(w.Brings, func(name string) bool { return !installed(in.Site, name) })
}

// installed: the distribution's metadata is there, in whatever spelling: PyYAML is pyyaml. A version that is asked for may be another one.
func installed(site []string, name string) bool {
	if strings.ContainsAny(name, "<>=!~;@/[ ") || name == "" {
		return false
	}
	for _, dir := range site {
		entries, _ := os.ReadDir(dir) // what cannot be read has nothing in it
		for _, e := range entries {
			stem, ok := strings.CutSuffix(e.Name(), ".dist-info")
			if there, _, _ := strings.Cut(stem, "-"); ok && openmp.Normal(there) == openmp.Normal(name) {
				return true
			}
		}
	}
	return false
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
	own := e.ToolPlaces(c.Dir, conda, system)
	if w.Name != "" && (w.Tool == "pixi" || w.Tool == "hatch") { // the last part of the path is the environment's name
		for i := range own {
			own[i] = filepath.Join(filepath.Dir(own[i]), globbed(w.Name))
		}
	}
	patterns = append(own, patterns...)
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

package project

import (
	"cmp"

	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

// Tool is what manages a project's environment.
type Tool string

// The tools. NoTool is plain pip, or nothing at all.
const (
	NoTool Tool = ""
	UV     Tool = "uv"
	Poetry Tool = "poetry"
	PDM    Tool = "pdm"
	Hatch  Tool = "hatch"
	Pixi   Tool = "pixi"
	Conda  Tool = "conda"
	Pipenv Tool = "pipenv"
	Rye    Tool = "rye"
)

// Environment is what a folder says of the environment that its code needs.
type Environment struct {
	Tool     Tool
	Said     Place  // what says so: "uv.lock"
	Name     string // the project's name, or the conda environment's
	Requires string // ">=3.11", as written
	Pinned   string // the first word of .python-version
	// Make is the shell command that makes the environment with all its packages, run in the folder; "" if the folder names no packages.
	Make string
	// Add is what brings everything in when the environment is there but lacks packages; mostly the same.
	Add string
	// Names are the distributions it declares, in PEP 503's form: "fastapi", "uvicorn".
	Names []string

	Scripts []Script // console scripts and tasks that the project defines
	Entry   string   // [tool.fastapi] entrypoint: "app.main:app"
}

// Script is a console script ("pkg.cli:main") or a task ("uvicorn main:app").
type Script struct {
	Place
	Kind string // "[project.scripts]", "[tool.pdm.scripts]"
	Name string
	Text string
	Env  string // hatch's environment
}

// named: the project's own packages are imported from the file's folder without being installed, as nothing lies in src.
func (e Environment) named(file string) bool { return !strings.HasPrefix(file, "src/") }

type pyproject struct {
	Project struct {
		Name         string              `toml:"name"`
		Requires     string              `toml:"requires-python"`
		Dependencies []string            `toml:"dependencies"`
		Optional     map[string][]string `toml:"optional-dependencies"`
		Scripts      map[string]string   `toml:"scripts"`
	} `toml:"project"`
	Groups map[string][]any `toml:"dependency-groups"`
	Build  struct {
		Backend string `toml:"build-backend"`
	} `toml:"build-system"`
	Tool map[string]any `toml:"tool"`
}

// environment reads the files that say which environment a project needs, the most telling first.
func (r *reader) environment() Environment {
	e := Environment{Pinned: firstWord(r.text(".python-version"))}
	p, ok := r.pyproject(&e)
	e.Names = append(e.Names, requirementNames(r.text("requirements.txt"))...)
	e.tool(r, p, ok)
	e.commands(r, ok)
	slices.Sort(e.Names)
	e.Names = slices.Compact(e.Names)
	return e
}

func (r *reader) pyproject(e *Environment) (pyproject, bool) {
	var p pyproject
	text := r.text("pyproject.toml")
	if text == "" || toml.Unmarshal([]byte(text), &p) != nil {
		return pyproject{}, text != ""
	}
	e.Name, e.Requires = p.Project.Name, p.Project.Requires
	e.Names = append(e.Names, names503(p.Project.Dependencies)...)
	for _, group := range p.Project.Optional {
		e.Names = append(e.Names, names503(group)...)
	}
	for _, group := range p.Groups {
		for _, g := range group {
			if s, ok := g.(string); ok {
				e.Names = append(e.Names, names503([]string{s})...)
			}
		}
	}
	lines := linesOf(text)
	e.add("[project.scripts]", toAny(p.Project.Scripts), lines)
	poetry := table(p.Tool, "poetry")
	if e.Name == "" {
		e.Name, _ = poetry["name"].(string)
	}
	deps := table(poetry, "dependencies")
	for name := range deps {
		e.Names = append(e.Names, name503(name))
	}
	if v, ok := deps["python"].(string); ok && e.Requires == "" {
		e.Requires = v
	}
	e.add("[tool.poetry.scripts]", table(poetry, "scripts"), lines)
	e.add("[tool.pdm.scripts]", table(table(p.Tool, "pdm"), "scripts"), lines)
	e.add("[tool.rye.scripts]", table(table(p.Tool, "rye"), "scripts"), lines)
	e.add("[tool.pixi.tasks]", table(table(p.Tool, "pixi"), "tasks"), lines)
	e.add("[tool.poe.tasks]", table(table(p.Tool, "poe"), "tasks"), lines)
	e.add("[tool.taskipy.tasks]", table(table(p.Tool, "taskipy"), "tasks"), lines)
	envs := table(table(p.Tool, "hatch"), "envs")
	for name := range envs {
		from := len(e.Scripts)
		e.add("[tool.hatch.envs."+name+".scripts]", table(table(envs, name), "scripts"), lines)
		for i := range e.Scripts[from:] {
			e.Scripts[from+i].Env = name
		}
	}
	fastapi := table(p.Tool, "fastapi")
	e.Entry, _ = fastapi["entrypoint"].(string)
	slices.SortStableFunc(e.Scripts, func(a, b Script) int { return cmp.Compare(a.Line, b.Line) })
	return p, true
}

func table(t map[string]any, key string) map[string]any {
	sub, _ := t[key].(map[string]any)
	return sub
}

func toAny(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// linesOf finds where a key stands; a table may be written in more ways than a pattern can tell, so it is the first line that has it.
func linesOf(text string) func(key string) int {
	lines := strings.Split(text, "\n")
	return func(key string) int {
		for i, l := range lines {
			l = strings.TrimLeft(l, " \t\"'")
			if rest, ok := strings.CutPrefix(l, key); ok && strings.HasPrefix(strings.TrimLeft(rest, " \t\"'"), "=") {
				return i + 1
			}
		}
		return 0
	}
}

// add takes scripts over: a string, or a table with cmd, shell, command, call or a list.
func (e *Environment) add(kind string, scripts map[string]any, line func(string) int) {
	for name, value := range scripts {
		if name == "_" || len(e.Scripts) > 200 {
			continue
		}
		if text := taskText(value); text != "" {
			e.Scripts = append(e.Scripts, Script{Place: Place{"pyproject.toml", line(name)}, Kind: kind, Name: name, Text: text})
		}
	}
}

func taskText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		var words []string
		for _, w := range v {
			if s, ok := w.(string); ok {
				words = append(words, s)
			}
		}
		return strings.Join(words, " ")
	case map[string]any:
		for _, key := range []string{"cmd", "shell", "command", "script", "call", "callable"} {
			if text := taskText(v[key]); text != "" {
				return text
			}
		}
	}
	return ""
}

// tool decides what manages the environment: a lock file proves it, a section of pyproject.toml says it.
func (e *Environment) tool(r *reader, p pyproject, has bool) {
	for _, t := range []struct {
		file string
		tool Tool
	}{{"uv.lock", UV}, {"poetry.lock", Poetry}, {"pdm.lock", PDM}, {"pixi.lock", Pixi}, {"pixi.toml", Pixi}, {"Pipfile.lock", Pipenv}, {"Pipfile", Pipenv}, {"requirements.lock", Rye}} {
		if r.has(t.file) && (t.tool != Rye || table(p.Tool, "rye") != nil) {
			e.Tool, e.Said = t.tool, Place{File: t.file}
			break
		}
	}
	if e.Tool == NoTool && has {
		for _, t := range []Tool{UV, Poetry, PDM, Pixi, Hatch, Rye} {
			if table(p.Tool, string(t)) != nil {
				e.Tool, e.Said = t, Place{File: "pyproject.toml"}
				break
			}
		}
	}
	if e.Tool == NoTool && has {
		for prefix, t := range map[string]Tool{"poetry.": Poetry, "pdm.": PDM, "hatchling": Hatch, "uv_build": UV} {
			if strings.HasPrefix(p.Build.Backend, prefix) {
				e.Tool, e.Said = t, Place{File: "pyproject.toml"}
			}
		}
	}
	if e.Tool == NoTool && e.Pinned != "" && p.Project.Name != "" && p.Build.Backend == "" {
		e.Tool, e.Said = UV, Place{File: ".python-version"} // what `uv init` leaves, before the first sync
	}
	e.conda(r)
	e.pipfile(r)
	e.pixi(r)
}

type condaFile struct {
	Name         string `yaml:"name"`
	Prefix       string `yaml:"prefix"`
	Dependencies []any  `yaml:"dependencies"`
}

func (e *Environment) conda(r *reader) {
	for _, file := range []string{"environment.yml", "environment.yaml", "conda.yml", "conda.yaml"} {
		text := r.text(file)
		var c condaFile
		if text == "" || len(text) > 64<<10 || yaml.Unmarshal([]byte(text), &c) != nil {
			continue
		}
		for _, d := range c.Dependencies {
			switch d := d.(type) {
			case string:
				name := strings.FieldsFunc(d, func(r rune) bool { return strings.ContainsRune("=<> !~[", r) })
				if len(name) > 0 && name[0] == "python" {
					e.Requires = cmp.Or(e.Requires, strings.TrimSpace(strings.TrimPrefix(d, "python")))
				} else if len(name) > 0 {
					e.Names = append(e.Names, name503(name[0]))
				}
			case map[string]any:
				if pip, ok := d["pip"].([]any); ok {
					for _, p := range pip {
						if s, ok := p.(string); ok {
							e.Names = append(e.Names, names503([]string{s})...)
						}
					}
				}
			}
		}
		if e.Tool == NoTool {
			e.Tool, e.Said, e.Name = Conda, Place{File: file}, cmp.Or(c.Name, e.Name)
		}
		return
	}
}

func (e *Environment) pipfile(r *reader) {
	var p struct {
		Packages map[string]any    `toml:"packages"`
		Scripts  map[string]any    `toml:"scripts"`
		Requires map[string]string `toml:"requires"`
	}
	text := r.text("Pipfile")
	if text == "" || toml.Unmarshal([]byte(text), &p) != nil {
		return
	}
	for name := range p.Packages {
		e.Names = append(e.Names, name503(name))
	}
	e.Requires = cmp.Or(e.Requires, p.Requires["python_full_version"], p.Requires["python_version"])
	from := len(e.Scripts)
	e.add("Pipfile [scripts]", p.Scripts, linesOf(text))
	for i := range e.Scripts[from:] {
		e.Scripts[from+i].File = "Pipfile"
	}
}

func (e *Environment) pixi(r *reader) {
	var p struct {
		Workspace, Project struct {
			Name string `toml:"name"`
		}
		Tasks        map[string]any `toml:"tasks"`
		Dependencies map[string]any `toml:"dependencies"`
		PyPI         map[string]any `toml:"pypi-dependencies"`
	}
	text := r.text("pixi.toml")
	if text == "" || toml.Unmarshal([]byte(text), &p) != nil {
		return
	}
	e.Name = cmp.Or(e.Name, p.Workspace.Name, p.Project.Name)
	for name := range p.Dependencies {
		e.Names = append(e.Names, name503(name))
	}
	for name := range p.PyPI {
		e.Names = append(e.Names, name503(name))
	}
	from := len(e.Scripts)
	e.add("[tasks]", p.Tasks, linesOf(text))
	for i := range e.Scripts[from:] {
		e.Scripts[from+i].File = "pixi.toml"
	}
}

// commands fills in what makes the environment.
func (e *Environment) commands(r *reader, pyproject bool) {
	switch e.Tool {
	case UV:
		e.Make = "uv sync"
	case Poetry:
		e.Make = "poetry install"
	case PDM:
		e.Make = "pdm install"
	case Hatch:
		e.Make = "hatch env create"
	case Pixi:
		e.Make = "pixi install"
	case Pipenv:
		e.Make = "pipenv install"
	case Rye:
		e.Make = "rye sync"
	case Conda:
		e.Make = "conda env create -f " + e.Said.File
		e.Add = "conda env update -f " + e.Said.File
		if e.Name != "" {
			e.Add += " -n " + e.Name
		}
		return
	default:
		e.plain(r, pyproject)
		return
	}
	e.Add = e.Make
}

// plain is a project that says its packages, and nothing of how to get them.
func (e *Environment) plain(r *reader, pyproject bool) {
	install := ""
	for _, file := range []string{"requirements.txt", "requirements/base.txt", "requirements/prod.txt", "requirements/main.txt"} {
		if r.has(file) {
			install = "-r " + file
			e.Said = Place{File: file}
			break
		}
	}
	switch {
	case install != "":
	case pyproject && e.Name != "":
		install, e.Said = "-e .", Place{File: "pyproject.toml"}
	case r.has("setup.py") || r.has("setup.cfg"):
		install, e.Said = "-e .", Place{File: "setup.py"}
	default:
		return
	}
	e.Add = ".venv/bin/python -m pip install " + install
	e.Make = "python3 -m venv .venv && " + e.Add
}

var nameOf = lazily(`^\s*([A-Za-z0-9][A-Za-z0-9._-]*)`)

func names503(list []string) []string {
	var all []string
	for _, l := range list {
		if m := nameOf().FindStringSubmatch(l); m != nil && len(all) < 2000 {
			name := name503(m[1])
			all = append(all, name)
			if (name == "fastapi" || name == "litestar") && strings.Contains(l, "standard") {
				all = append(all, "uvicorn")
			}
		}
	}
	return all
}

// requirementNames are the distributions of a requirements file; options and addresses are passed over.
func requirementNames(text string) []string {
	var lines []string
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "-") || strings.HasPrefix(l, "#") || strings.Contains(l, "://") && !strings.Contains(l, " @ ") || strings.HasPrefix(l, ".") {
			continue
		}
		lines = append(lines, l)
	}
	return names503(lines)
}

var separators = lazily(`[-_.]+`)

func name503(name string) string { return strings.ToLower(separators().ReplaceAllString(name, "-")) }

func firstWord(text string) string {
	for l := range strings.Lines(text) {
		if f := strings.Fields(l); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
			return f[0]
		}
	}
	return ""
}

// gunicornFile reads gunicorn.conf.py without running it: bind, workers and the like, where they are plain values.
func gunicornFile(file, text string) (values map[string]string, left []Note) {
	values = map[string]string{}
	for _, s := range statements(text) {
		a := assignLine().FindStringSubmatchIndex(s.code)
		if a == nil || s.inside != "" || s.indent != 0 {
			continue
		}
		name, value := s.code[a[2]:a[3]], strings.TrimSpace(s.raw[a[4]:a[5]])
		if text, ok := literal(value); ok {
			values[name] = text
		} else if plainNumber().MatchString(value) {
			values[name] = value
		} else if slices.Contains([]string{"bind", "workers", "worker_class", "wsgi_app", "chdir"}, name) {
			if m := numberInCall().FindStringSubmatch(value); m != nil && name == "bind" {
				values[name] = ":" + m[1]
				continue
			}
			left = append(left, Note{Place{file, s.line}, name, "only Python knows its value; gunicorn itself still reads the file"})
		}
	}
	return values, left
}

var plainNumber = lazily(`^(?:\d+|True|False|None)$`)

package servers

import (
	"slices"
	"strings"
)

// Wrapper is a program that stands before the command that it runs.
type Wrapper struct {
	Words []string // as it stands there, its options included
	Tool  string   // the environment tool that chooses a Python: "uv", "poetry", "conda"; "" for env, nohup and the like
	// Name is the environment that it names: conda's -n, hatch's "dev:", pixi's -e. Prefix is a folder: conda's -p.
	Name, Prefix string
	// Project is the folder of the project whose environment is taken: uv's --project, poetry's -C. "" for the present one.
	Project string
	// Brings are packages that are there for this command alone, and nowhere else: uv's --with.
	Brings   []string
	EnvFiles []string // uv's --env-file
	Python   string   // uv's --python: "3.12", or a path
	Sets     []string // NAME=value words of env
	Watches  bool     // it starts the command anew with every edit
}

// wrapper is how one such program is recognised.
type wrapper struct {
	name    string
	sub     []string // the word that must follow, after the program's own options; nil for none
	values  []string // options with a value
	name_   []string // the option that names the environment
	prefix  []string // the option that names the environment's folder
	tool    string
	watches bool
}

// wrappers are the programs that people put before a server.
var wrappers = []wrapper{
	{name: "uv", sub: []string{"run"}, tool: "uv", values: []string{"--with", "--with-editable", "--with-requirements", "--python", "-p", "--env-file", "--extra", "--group", "--no-group", "--only-group", "--package", "--directory", "--project", "--index", "--index-url", "-i", "--extra-index-url", "--config-file", "--cache-dir", "--resolution", "--prerelease", "--refresh-package", "--upgrade-package", "-P", "--link-mode", "--config-setting", "-C", "--color", "--allow-insecure-host"}},
	{name: "poetry", sub: []string{"run"}, tool: "poetry", values: []string{"--directory", "-C", "--project", "-P"}},
	{name: "pdm", sub: []string{"run"}, tool: "pdm", values: []string{"--project", "-p", "--venv", "--config", "-c"}},
	{name: "pipenv", sub: []string{"run"}, tool: "pipenv"},
	{name: "rye", sub: []string{"run"}, tool: "rye", values: []string{"--pyproject", "-f"}},
	{name: "hatch", sub: []string{"run"}, tool: "hatch", values: []string{"--env", "-e", "--project", "-p"}, name_: []string{"--env", "-e"}},
	{name: "pixi", sub: []string{"run"}, tool: "pixi", values: []string{"--environment", "-e", "--manifest-path", "--feature"}, name_: []string{"--environment", "-e"}},
	{name: "conda", sub: []string{"run"}, tool: "conda", values: condaValues, name_: []string{"-n", "--name"}, prefix: []string{"-p", "--prefix"}},
	{name: "mamba", sub: []string{"run"}, tool: "conda", values: condaValues, name_: []string{"-n", "--name"}, prefix: []string{"-p", "--prefix"}},
	{name: "micromamba", sub: []string{"run"}, tool: "conda", values: condaValues, name_: []string{"-n", "--name"}, prefix: []string{"-p", "--prefix"}},
	{name: "mise", sub: []string{"exec", "x"}, tool: "mise", values: []string{"--cd", "-C"}},
	{name: "pyenv", sub: []string{"exec"}, tool: "pyenv"},
	{name: "direnv", sub: []string{"exec"}, values: nil},
	{name: "dotenv", sub: []string{"run"}, values: []string{"-f", "--file"}},
	{name: "op", sub: []string{"run"}, values: []string{"--env-file", "--account"}},
	{name: "doppler", sub: []string{"run"}, values: []string{"--project", "-p", "--config", "-c"}},
	{name: "env", values: []string{"-u", "--unset", "-C", "--chdir", "-P"}},
	{name: "exec"}, {name: "command"}, {name: "nohup"}, {name: "time"}, {name: "setsid"}, {name: "builtin"},
	{name: "nice", values: []string{"-n", "--adjustment"}}, {name: "ionice", values: []string{"-c", "-n"}}, {name: "taskpolicy", values: []string{"-c", "-t", "-l"}},
	{name: "caffeinate", values: []string{"-t", "-w"}}, {name: "arch"}, {name: "stdbuf", values: []string{"-o", "-e", "-i"}}, {name: "timeout", values: []string{"-s", "-k"}},
	{name: "ddtrace-run"}, {name: "opentelemetry-instrument"}, {name: "newrelic-admin", sub: []string{"run-program"}},
	{name: "watchmedo", sub: []string{"auto-restart"}, values: []string{"-d", "--directory", "-p", "--pattern", "--patterns", "--ignore-patterns", "--signal", "--kill-after"}, watches: true},
	{name: "watchfiles", values: []string{"--filter", "--target-type"}, watches: true},
	{name: "nodemon", values: []string{"--exec", "-x", "--ext", "-e", "--watch", "-w"}, watches: true},
}

// projectOptions name the folder of the project, by tool.
var projectOptions = map[string][]string{
	"uv": {"--project", "--directory"}, "poetry": {"--directory", "-C", "--project", "-P"}, "pdm": {"--project", "-p"}, "hatch": {"--project", "-p"}, "pixi": {"--manifest-path"}, "rye": {"--pyproject", "-f"},
}

var condaValues = []string{"-n", "--name", "-p", "--prefix", "--cwd"}

// unwrap says what stands before the command, and where the command begins.
func unwrap(argv []string) ([]Wrapper, int) {
	var all []Wrapper
	at := 0
	for at < len(argv) {
		for at < len(argv) && isAssignment(argv[at]) && len(all) == 0 {
			at++ // NAME=value before a command
		}
		if at == len(argv) {
			break
		}
		w, next, ok := wrapperAt(argv, at)
		if !ok {
			break
		}
		all = append(all, w)
		at = next
	}
	return all, at
}

func wrapperAt(argv []string, at int) (Wrapper, int, bool) {
	i := slices.IndexFunc(wrappers, func(w wrapper) bool { return w.name == base(argv[at]) })
	if i < 0 {
		return Wrapper{}, at, false
	}
	spec := wrappers[i]
	out := Wrapper{Tool: spec.tool, Watches: spec.watches}
	next := at + 1
	subSeen := len(spec.sub) == 0
	for next < len(argv) {
		w := argv[next]
		switch {
		case len(w) > 2 && spec.tool == "uv" && (strings.HasPrefix(w, "-p") || strings.HasPrefix(w, "-w")) && w[2] != '=': // -p3.12
			next++
			if w[1] == 'p' {
				out.Python = w[2:]
			}
		case w == "--":
			if next++; subSeen {
				return out.with(argv, at, next)
			}
		case strings.HasPrefix(w, "-") && len(w) > 1:
			if module := w == "-m" || w == "--module"; spec.tool == "uv" && subSeen && module { // uv run -m pkg
				return out.with(argv, at, next)
			}
			next = spec.skip(argv, next, &out)
		case !subSeen && slices.Contains(spec.sub, w):
			subSeen = true
			next++
		case !subSeen:
			return Wrapper{}, at, false // `uv pip install`: no wrapper at all
		case spec.name == "env" && isAssignment(w):
			out.Sets = append(out.Sets, w)
			next++
		case (spec.name == "timeout" || spec.name == "direnv") && next == firstWord(argv, at, spec):
			next++ // a duration, a folder
		case spec.tool == "hatch" && out.Name == "" && isHatchEnv(w):
			return out.hatchEnv(argv, at, next)
		default:
			return out.with(argv, at, next)
		}
	}
	return out.with(argv, at, next)
}

// skip passes an option of the wrapper, with its value.
func (s wrapper) skip(argv []string, at int, out *Wrapper) int {
	name, value, glued := strings.Cut(argv[at], "=")
	next := at + 1
	if !glued && slices.Contains(s.values, name) && next < len(argv) {
		value = argv[next]
		next++
	}
	if slices.Contains(s.name_, name) {
		out.Name = value
	}
	if s.tool != "" && slices.Contains(projectOptions[s.tool], name) {
		out.Project = value
	}
	if s.tool == "uv" {
		switch name {
		case "--with", "--with-editable", "--with-requirements":
			for _, p := range strings.Split(value, ",") {
				out.Brings = append(out.Brings, strings.TrimSpace(p))
			}
		case "--env-file":
			out.EnvFiles = append(out.EnvFiles, value)
		case "--python", "-p":
			out.Python = value
		}
	}
	if slices.Contains(s.prefix, name) {
		out.Prefix = value
	}
	return next
}

func firstWord(argv []string, at int, s wrapper) int {
	i := at + 1 + len(s.sub)
	for i < len(argv) && strings.HasPrefix(argv[i], "-") {
		i = s.skip(argv, i, &Wrapper{})
	}
	return i
}

func (w Wrapper) with(argv []string, from, to int) (Wrapper, int, bool) {
	w.Words = slices.Clone(argv[from:to])
	return w, to, true
}

// isHatchEnv: `hatch run dev:serve` names an environment before the colon. An application has a module there, and the two look
// alike; a command comes first in `hatch run`, so only a first word can be one.
func isHatchEnv(w string) bool {
	env, _, ok := strings.Cut(w, ":")
	return ok && env != "" && !strings.ContainsAny(env, "./")
}

func (w Wrapper) hatchEnv(argv []string, from, at int) (Wrapper, int, bool) {
	w.Name, _, _ = strings.Cut(argv[at], ":")
	return w.with(argv, from, at)
}

func isAssignment(w string) bool {
	name, _, ok := strings.Cut(w, "=")
	return ok && dottedName().MatchString(name) && !strings.Contains(name, ".")
}

// Unwrap takes away what stands before the command.
func Unwrap(argv []string) (via []Wrapper, inner []string) {
	via, at := unwrap(argv)
	inner = slices.Clone(argv[at:])
	if n := len(via); n > 0 && len(inner) > 0 {
		last := via[n-1]
		if last.Tool == "hatch" && strings.HasPrefix(inner[0], last.Name+":") {
			inner[0] = strings.TrimPrefix(inner[0], last.Name+":")
		}
		if last.Tool == "uv" && (inner[0] == "-m" || inner[0] == "--module" || strings.HasSuffix(inner[0], ".py")) {
			if inner[0] == "--module" {
				inner[0] = "-m"
			}
			inner = append([]string{Python}, inner...) // uv runs these with the environment's Python itself
		}
	}
	return via, inner
}

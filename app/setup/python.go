package setup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/project"
	"github.com/vivarium-app/vivarium/supervisor/python"
)

// findPython decides which Python the backend gets. What is decided for an environment is written down, so that each later start takes the same
// one, or says that it is gone.
func (f *Found) findPython(terminal bool) {
	home, _ := os.UserHomeDir() // unknown: no interpreter is looked for there
	look := python.Options{Dir: f.Dir, GOOS: runtime.GOOS, Home: home, Getenv: os.Getenv}
	places := f.places(home, terminal)
	if c, err := config.Load(f.Dir); err == nil && f.Configured && c.Python != "" && c.Python != python.Auto {
		look.Value = c.Python
		in, err := python.Find(look)
		f.takePython(in, err, "")
		return
	}
	global, globalErr := python.Find(look)
	if len(places.Own) == 0 {
		places.Global = project.Candidate{Path: global.Path, From: "the system", There: globalErr == nil}
	}
	d := project.Decide(places)
	warning := d.Warning
	if warning != "" && d.Remedy != "" {
		warning += ": make it with `" + d.Remedy + "`"
		f.Mend = d.Remedy
	}
	switch {
	case d.Path == "" && globalErr != nil && d.Remedy == "":
		f.takePython(global, globalErr, "")
	case d.Path == "":
		f.takePython(global, &python.Error{Problem: d.Problem, Remedy: "make it with `" + d.Remedy + "`"}, "")
		f.Mend = d.Remedy
	case d.Path == places.Global.Path:
		f.takePython(global, globalErr, warning)
		if d.Remedy != "" {
			f.has = nil // what the project declares will be there once its environment is
		}
	default:
		look.Value = d.Path
		in, err := python.Find(look)
		f.takePython(in, err, warning)
		f.PythonFrom, f.PythonValue = d.From, d.Path
		if rel, err := filepath.Rel(f.Dir, d.Path); err == nil && filepath.IsLocal(rel) {
			f.PythonValue = rel
		}
	}
}

func (f *Found) takePython(in python.Interpreter, err error, warning string) {
	if err != nil {
		f.PythonProblem = err.Error()
		return
	}
	f.Python, f.install = in.Path, in.Install
	unfit := f.project.Environment.Unfit(in.Version)
	if make := f.project.Environment.Make; unfit != "" && make != "" && !strings.Contains(warning, make) {
		unfit += ": make the environment with another one, as with `" + make + "`"
	}
	f.PythonProblem = strings.Join(slices.DeleteFunc([]string{warning, in.Warning, unfit}, func(s string) bool { return s == "" }), "; ")
	if len(in.Site) > 0 {
		f.has = distributions(in.Site)
	}
}

// places are the environments that could be the backend's.
func (f *Found) places(home string, terminal bool) project.Places {
	e := f.project.Environment
	p := project.Places{Dir: f.Dir, Make: e.Make}
	named := func(path, from string) project.Candidate {
		return project.Candidate{Path: path, From: from, There: isEnvironment(path)}
	}
	there := func(paths []string, all []project.Candidate) []project.Candidate {
		for _, path := range paths {
			rel, _ := filepath.Rel(f.Dir, path) // both are absolute
			if c := named(path, rel); c.There {
				all = append(all, c)
			}
		}
		return all
	}
	p.Own, p.Below = there(project.OwnPlaces(f.Dir), nil), there(project.BelowPlaces(f.Dir), nil)
	if env := f.project.Activated; env != "" && !strings.HasPrefix(env, "$") {
		if rest, ok := strings.CutPrefix(env, "~/"); ok {
			env = filepath.Join(home, rest)
		} else if !filepath.IsAbs(env) {
			env = filepath.Join(f.Dir, env)
		}
		p.Script = named(env, "the start script")
	}
	system := project.System{GOOS: runtime.GOOS, Home: home, Getenv: os.Getenv}
	for _, pattern := range e.ToolPlaces(f.Dir, f.project.CondaName, system) {
		found, _ := filepath.Glob(pattern) // the pattern is quoted
		slices.Sort(found)
		slices.Reverse(found) // the newest Python
		if i := slices.IndexFunc(found, isEnvironment); i >= 0 && p.Tool.Path == "" {
			p.Tool = named(found[i], cmp.Or(string(e.Tool), "conda"))
		}
	}
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(variable); terminal && filepath.IsAbs(dir) {
			p.Active = append(p.Active, named(dir, variable))
		}
	}
	return p
}

// isEnvironment: there is an environment in the folder, also one that is broken: to pass it by would start the server without its packages.
func isEnvironment(dir string) bool {
	for _, name := range []string{"bin/python", "bin/python3", python.VenvFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// distributions tells which distributions are in an environment, by their metadata folders.
func distributions(site []string) func(string) bool {
	names := map[string]bool{}
	for _, dir := range site {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil // it cannot be seen
		}
		for _, e := range entries {
			name, ok := strings.CutSuffix(e.Name(), ".dist-info")
			if !ok {
				if name, ok = strings.CutSuffix(e.Name(), ".egg-info"); !ok {
					continue
				}
			}
			name, _, _ = strings.Cut(name, "-")
			names[strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))] = true
		}
	}
	return func(name string) bool { return names[name] }
}

// Planned is the run that the backend in dir would be started with now.
func Planned(dir string, interactive bool) (config.Config, plan.Plan, error) {
	c, err := config.Load(dir)
	if err != nil {
		return c, plan.Plan{}, err
	}
	home, _ := os.UserHomeDir()
	p, err := plan.Make(c, plan.Options{
		GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Parent: os.Environ(), Home: home, Interactive: interactive,
	})
	return c, p, err
}

// PlannedLike is the same for a start in a terminal, but while a server of the backend runs with the Python of that one: it may have been
// started from an app or from another shell. differs says so where a start from here would take another one, "" otherwise.
func PlannedLike(dir string, pid int) (c config.Config, p plan.Plan, differs string, err error) {
	c, p, err = Planned(dir, true)
	running := runningPython(pid)
	var broken *config.Error
	if errors.As(err, &broken) {
		return c, p, "", err
	}
	if err != nil && running == "" || err == nil && (p.Python.Path == "" || running == "" || running == p.Python.Path || samePlace(running, p.Python.Path)) {
		return c, p, "", err
	}
	home, _ := os.UserHomeDir()
	like := c
	like.Python = running
	theirs, likeErr := plan.Make(like, plan.Options{
		GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Parent: os.Environ(), Home: home, Interactive: true,
	})
	if likeErr != nil {
		return c, p, "", err
	}
	here := p.Python.Path
	if err != nil {
		here = "none: " + err.Error()
	}
	return c, theirs, fmt.Sprintf("the running server was started with %s; a start from here would take %s", running, here), nil
}

// runningPython is the Python with which a process was started, "" if it does not tell.
func runningPython(pid int) string {
	if pid == 0 {
		return ""
	}
	args, err := proc.Args(pid)
	if err != nil || len(args) == 0 || !filepath.IsAbs(args[0]) || !strings.HasPrefix(strings.ToLower(filepath.Base(args[0])), "python") {
		return ""
	}
	return args[0]
}

// samePlace: both are names of the Python of one environment, such as bin/python and bin/python3.
func samePlace(a, b string) bool {
	if filepath.Dir(a) != filepath.Dir(b) {
		return false
	}
	x, err := filepath.EvalSymlinks(a)
	y, yErr := filepath.EvalSymlinks(b)
	return err == nil && yErr == nil && x == y
}

// Environment is the crash environment of the backend in dir as lines for a shell, with the reason for each.
func Environment(dir string) (string, error) {
	c, p, err := Planned(dir, false)
	if err != nil {
		return "", err
	}
	return environment.Exports(p.Applied) + RecorderComment(c), nil
}

// RecorderComment says of the recorder, below the export lines, that it is no part of them: it is Vivarium's own, and of a start by Vivarium.
func RecorderComment(c config.Config) string {
	if !c.Recorder.Enabled {
		return "\n# The recorder is switched off: [recorder] enabled = false in vivarium.toml.\n"
	}
	return "\n# Vivarium itself also puts its recorder in front of PYTHONPATH and sets VIVARIUM_RECORDER: by it you see what a hung server does.\n" +
		"# Your own start needs neither. [recorder] enabled = false in vivarium.toml switches it off.\n"
}

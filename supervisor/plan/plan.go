// Package plan turns a configuration into what the keeper is to start: the interpreter, the environment and the command. Begin with
// Make. It runs before every start, also before one that follows a crash within milliseconds, so it asks the disk little and starts
// nothing. It must not know why a start is made.
package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/python"
)

// Options are what a plan depends on besides the configuration and the disk.
type Options struct {
	GOOS, GOARCH string   // If "", this program's own
	Parent       []string // the environment that is inherited
	Interactive  bool     // started in a person's shell
	Home         string   // the person's home folder, "" unknown
	Root         string   // as in PythonOptions
	Recorded     string   // the environment's folder that the backend ran with the last time; "" if that is not known
	// Shell gives those of the variables that the person's login shell has. If nil, it is really asked, once.
	Shell func(parent, names []string) ([]string, error)
}

// Plan is a run, ready to be started.
type Plan struct {
	Spec     keeper.Spec
	Python   python.Interpreter // zero if the command needs none
	Applied  []environment.Var  // the crash environment, with what became of each variable
	Warnings []string           // one sentence each, for a person

	InstallAll string   // the command that installs everything that the project declares, "" if it declares nothing
	Declares   []string // the packages that it declares
	Lacks      string   // the module of the server that the interpreter has nowhere, as far as the disk tells; "" for none

	noEnvironment string // said where the project declares an environment, and it is not there
	workDir       string // where the launcher that was taken out of the command would have started it
}

// Make makes a run of the configuration: it finds the interpreter, makes the environment and fills in the command. Nothing is
// started. It runs before each start, also before the one that follows a crash within milliseconds, so it asks the disk little. An
// error is a *ConfigError or a *PythonError.
func Make(c config.Config, o Options) (Plan, error) {
	if o.GOOS == "" {
		o.GOOS = runtime.GOOS
	}
	if o.GOARCH == "" {
		o.GOARCH = runtime.GOARCH
	}
	p := Plan{workDir: c.Dir}
	o.Parent = p.withShell(c.LoginShellEnv, o)
	c = p.withoutLauncher(c, o)
	var err error
	if p.Python, err = resolvePython(c, o, &p); err != nil {
		return Plan{}, err
	}
	file, err := readEnvironment(c)
	if err != nil {
		return Plan{}, err
	}
	env := environment.Options{GOOS: o.GOOS, EnvFile: file, Own: c.Environment}
	o.Parent = activate(p.Python, o.Parent)
	parent := o.Parent
	if o.GOOS == "darwin" {
		parent = p.inserted(&env, o)
	}
	p.Spec = keeper.Spec{Dir: p.workDir, Log: c.Log.File, LogSize: c.Log.MaxSize, LogKeep: c.Log.Keep}
	if c.HasHealth() && !c.Log.Probes {
		p.Spec.Probed = c.Target().Path()
	}
	p.Spec.Env, p.Applied = environment.Of(parent, env)
	if p.Spec.Argv, err = argv(c, p.Python, p.Spec.Env); err != nil {
		return Plan{}, err
	}
	if p.Python.Path != "" {
		e := environmentOf(c.Dir)
		if unfit := e.Unfit(p.Python.Version); unfit != "" {
			p.warn("%s", unfit)
		}
		if e.Add != "" {
			p.InstallAll, p.Declares = "cd "+environment.Quote(c.Dir)+" && "+e.Add, e.Names
			p.needsEnvironment(c, e)
		}
	}
	p.adviseOn(c, o)
	return p, nil
}

// withShell is the inherited environment with what the login shell adds; a shell that does not answer is a warning.
func (p *Plan) withShell(names []string, o Options) []string {
	if len(names) == 0 {
		return o.Parent
	}
	ask := o.Shell
	if ask == nil {
		ask = func(parent, names []string) ([]string, error) { return python.LoginShell(parent, names, o.GOOS) }
	}
	vars, err := ask(o.Parent, names)
	if err != nil {
		p.warn("%v", err)
	}
	return append(slices.Clone(o.Parent), vars...) // of two the last counts
}

func (p *Plan) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// resolvePython finds the interpreter. A command that does not name {python} may well be no Python at all: then only the backend's own
// environment is looked at, for torch's library, and what is wrong with it is no more than a warning.
func resolvePython(c config.Config, o Options, p *Plan) (python.Interpreter, error) {
	needed := slices.ContainsFunc(c.Command, func(w string) bool { return strings.Contains(w, config.PlaceholderPython) })
	parent := o.Parent
	in, err := python.Find(python.Options{
		Dir: c.Dir, Value: c.Python, GOOS: o.GOOS, Home: o.Home, Interactive: o.Interactive, Root: o.Root, Own: !needed,
		Getenv: func(name string) string { return python.Lookup(parent, name) },
	})
	auto := c.Python == python.Auto || c.Python == ""
	if r := o.Recorded; needed && auto && r != "" && !isDir(r) && !(err == nil && in.Venv && within(c.Dir, in.Prefix)) {
		return python.Interpreter{}, gone(c.Dir, r, r)
	}
	if err == nil {
		if in.Warning != "" {
			p.warn("%s", in.Warning)
		}
		return in, nil
	}
	if env := environmentBehind(c.Dir, c.Python); errors.Is(err, fs.ErrNotExist) && c.Python != python.Auto && env != "" && !isDir(env) {
		err = gone(c.Dir, env, absolute(c.Dir, c.Python))
	}
	if needed {
		return python.Interpreter{}, err
	}
	if !errors.Is(err, fs.ErrNotExist) || c.Python != python.Auto && c.Python != "" {
		p.warn("the command does without it, but %v", err)
	}
	return python.Interpreter{}, nil
}

func readEnvironment(c config.Config) (map[string]string, error) {
	if c.EnvFile == "" {
		return nil, nil
	}
	vars, err := config.ReadEnvFile(c.EnvFile)
	if err == nil {
		return vars, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !c.EnvFileNamed {
		return nil, nil
	}
	return nil, &config.Error{File: c.File, Key: "env_file", Problem: c.EnvFile + " is not there", Remedy: "make the file, or take env_file out", Cause: err}
}

// inserted decides what dyld inserts, and returns the parent's environment without what would end Python before its first
// instruction: a library that is gone or does not fit. What the configuration itself inserts is kept, aloud.
func (p *Plan) inserted(env *environment.Options, o Options) []string {
	const name = "DYLD_INSERT_LIBRARIES"
	arch := o.GOARCH
	if p.Python.Real != "" {
		arch = environment.RunsAs(p.Python.Real, o.GOARCH)
	}
	if env.Libomp, env.NoLibomp = environment.FindLibomp(p.Python.Site, arch); env.Libomp == "" && strings.Contains(env.NoLibomp, "/") {
		p.warn("torch's OpenMP library is not inserted: %s", env.NoLibomp)
	}
	for from, value := range map[string]string{environment.FromEnvFile: env.EnvFile[name], environment.FromEnvironment: env.Own[name]} {
		for _, lib := range strings.Split(value, ":") {
			if lib == "" {
				continue
			}
			if err := environment.CheckDylib(lib, arch); err != nil {
				p.warn("Python will not start with what %s inserts: %v", from, err)
			}
		}
	}
	value := python.Lookup(o.Parent, name)
	if value == "" {
		return o.Parent
	}
	var good []string
	for _, lib := range strings.Split(value, ":") {
		if err := environment.CheckDylib(lib, arch); lib != "" && err != nil {
			p.warn("%s as inherited is not used: %v", name, err)
		} else if lib != "" {
			good = append(good, lib)
		}
	}
	parent := slices.DeleteFunc(slices.Clone(o.Parent), func(e string) bool { return strings.HasPrefix(e, name+"=") })
	return append(parent, name+"="+strings.Join(good, ":"))
}

// argv fills in the command. Its program is executed as it is, never through a shell.
func argv(c config.Config, in python.Interpreter, env []string) ([]string, error) {
	if len(c.Command) == 0 {
		return nil, &config.Error{File: c.File, Key: "command", Problem: "is empty", Remedy: `write it as a list, as in ["{python}", "main.py"]`}
	}
	fill := strings.NewReplacer(config.PlaceholderPython, in.Path, config.PlaceholderPort, strconv.Itoa(c.Port))
	words := make([]string, len(c.Command))
	for i, w := range c.Command {
		words[i] = fill.Replace(w)
	}
	path, err := findProgram(c, words[0], env)
	if err != nil {
		return nil, err
	}
	words[0] = path
	return words, nil
}

// findProgram finds what is to be executed: a path is relative to the backend's folder; a name is looked for there, then on the PATH
// that the run itself will have.
func findProgram(c config.Config, word string, env []string) (string, error) {
	var tried []string
	switch {
	case filepath.IsAbs(word):
		tried = []string{word}
	case strings.ContainsRune(word, '/'):
		tried = []string{filepath.Join(c.Dir, word)}
	default:
		tried = []string{filepath.Join(c.Dir, word)}
		for _, dir := range filepath.SplitList(python.Lookup(env, "PATH")) {
			if dir != "" {
				tried = append(tried, absolute(c.Dir, filepath.Join(dir, word)))
			}
		}
	}
	problem := config.Quoted(word) + " is not found in the backend's folder or on PATH"
	if len(tried) == 1 {
		problem = tried[0] + " is not there"
	}
	for _, path := range tried {
		st, err := os.Stat(path)
		switch {
		case err != nil || st.IsDir():
		case st.Mode()&0o111 != 0:
			return path, nil
		case len(tried) == 1:
			problem = path + " is not executable"
		}
	}
	remedy := "write the program's full path"
	if python.IsProgram(word) {
		remedy = `write "{python}" instead of ` + config.Quoted(word)
	}
	return "", &config.Error{File: c.File, Key: "command", Problem: problem, Remedy: remedy}
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

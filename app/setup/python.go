package setup

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/python"
)

// findPython finds the interpreter that a start from the menu would take: a person's shell of this moment does not count.
func (f *Found) findPython() {
	home, _ := os.UserHomeDir() // unknown: no interpreter is looked for there
	in, err := python.Find(python.Options{Dir: f.Dir, GOOS: runtime.GOOS, Home: home, Getenv: os.Getenv})
	if err != nil {
		f.PythonProblem = err.Error()
		return
	}
	f.Python, f.PythonProblem = in.Path, in.Warning
	if rel, err := filepath.Rel(f.Dir, in.Path); err == nil && !strings.HasPrefix(rel, "..") {
		f.PythonFrom = strings.SplitN(filepath.ToSlash(rel), "/", 2)[0]
	}
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

// Environment is the crash environment of the backend in dir as lines for a shell, with the reason for each.
func Environment(dir string) (string, error) {
	_, p, err := Planned(dir, false)
	if err != nil {
		return "", err
	}
	return crash.Exports(p.Applied), nil
}

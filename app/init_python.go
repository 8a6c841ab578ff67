package app

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// findPython finds the interpreter that a start from the menu would take: a person's shell of this moment does not count.
func (f *Found) findPython() {
	home, _ := os.UserHomeDir() // unknown: no interpreter is looked for there
	in, err := supervisor.FindPython(supervisor.PythonOptions{Dir: f.Dir, GOOS: runtime.GOOS, Home: home, Getenv: os.Getenv})
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
func Planned(dir string, interactive bool) (supervisor.Config, supervisor.Plan, error) {
	c, err := supervisor.LoadConfig(dir)
	if err != nil {
		return c, supervisor.Plan{}, err
	}
	home, _ := os.UserHomeDir()
	p, err := supervisor.MakePlan(c, supervisor.PlanOptions{
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

package crash

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/traceback"
)

// scene is the evidence as the rules look at it.
type scene struct {
	Evidence
	*reading
	assumed bool         // nobody knows how it ended: the status is one that is tried
	end     *thrown      // the exception that ended the process, once it was asked for
	before  *reading     // what stands above the last run, in an output of several; nil if there is nothing
	stack   *nativeStack // once it was asked for
}

// thrown is an exception that ended a run; its line is -1 if there is none.
type thrown struct {
	line int
	text string // the line, with the lines that belong to its message
	*traceback.Exception
	logged bool // the program caught it, logged it and left
}

func newScene(e Evidence, r *reading) *scene {
	s := &scene{Evidence: e, reading: r}
	if !e.Known && e.Report != nil && e.Report.Ended() != "" { // nobody but the system saw the end
		s.Known, s.Signal = true, e.Report.Ended()
	}
	return s
}

// ended reports whether the run died of the signal; of a worker nobody knows, so the output decides alone.
func (s *scene) ended(signal string) bool { return s.Worker || s.Known && s.Signal == signal }

// exited reports whether the run exited by itself with the code.
func (s *scene) exited(code int) bool {
	return s.Worker || s.Known && s.Signal == "" && s.Code == code
}

// failed reports whether the run exited by itself with a code that tells of a failure.
func (s *scene) failed() bool { return s.Worker || s.Known && s.Signal == "" && s.Code != 0 }

// place is the last frame of the exception at line i that is the person's own code: "main.py, line 12, in load"; "" if there is none. A file
// in the backend's folder is preferred to one that merely belongs to no package.
func (s *scene) place(i int) string {
	e := s.exceptionAt(i)
	if e == nil {
		return ""
	}
	outside := ""
	for n := len(e.Frames) - 1; n >= 0; n-- {
		f := e.Frames[n]
		if s.notTheirs(f.File) {
			continue
		}
		if s.Dir == "" || Own(s.Dir, f.File) {
			return s.where(f.File, f.Line, f.Function)
		}
		if outside == "" {
			outside = s.where(f.File, f.Line, f.Function)
		}
	}
	return outside
}

// exceptionAt is the exception that line i names, nil if it names none.
func (s *scene) exceptionAt(i int) *traceback.Exception {
	if s.end != nil && s.end.line == i && s.end.Exception != nil {
		return s.end.Exception
	}
	for n := len(s.found) - 1; n >= 0; n-- {
		for e := &s.found[n]; e != nil; e = e.Cause {
			if e.Line == i {
				return e
			}
			for l := range e.Leaves {
				if e.Leaves[l].Line == i {
					return &e.Leaves[l]
				}
			}
		}
	}
	return nil
}

// notTheirs: the file is not the person's own code.
func (s *scene) notTheirs(file string) bool {
	return foreign(file) || strings.HasPrefix(file, "In ") || s.Python != "" && path.Dir(file) == path.Dir(s.Python)
}

// foreign: the file is a package's or Python's own, not the person's.
func foreign(file string) bool {
	for _, part := range []string{"/site-packages/", "/dist-packages/", "/lib/python3", "/lib/python2", "/Python.framework/"} {
		if strings.Contains(file, part) {
			return true
		}
	}
	return strings.HasPrefix(file, "<") || consoleScript(file)
}

// consoleScript: the file is a program that an installed package brings, as pip makes them: in the bin folder of an environment or of the system.
func consoleScript(file string) bool {
	dir := path.Dir(file)
	if base := path.Base(dir); base != "bin" && base != "Scripts" {
		return false
	}
	home := path.Dir(dir)
	switch path.Base(home) {
	case "venv", ".venv", "env", ".env", "virtualenv", ".virtualenv", "local", ".local", "homebrew", "usr", "python", "conda", "miniconda3", "anaconda3", "miniforge3":
		return true
	}
	for _, part := range []string{"/envs/", "/.virtualenvs/", "/virtualenvs/", "/pipx/", "/uv/", "/.pyenv/", "/.tox/", "/.nox/", "/.local/", "/Cellar/", "/hostedtoolcache/"} {
		if strings.Contains(home+"/", part) {
			return true
		}
	}
	return false
}

// where is a frame for a person: a file of the backend by its path in the backend's folder, any other by its name.
func (s *scene) where(file, line, function string) string {
	name, ok := strings.CutPrefix(file, s.Dir+"/")
	if s.Dir == "" || !ok || foreign(file) {
		parts := strings.Split(file, "/")
		keep := 1
		if strings.HasPrefix(parts[len(parts)-1], "__") { // __init__.py and __main__.py say nothing alone
			keep = min(2, len(parts))
		}
		name = strings.Join(parts[len(parts)-keep:], "/")
	}
	text := name + ", line " + line
	if line == "" {
		text = name
	}
	if function != "" && function != "<module>" {
		text += ", in " + function
	}
	return text
}

// Own reports whether a file that Python names is the person's own code: below dir, the backend's folder, or named without a folder, as
// Python does with the script it runs, and neither a package's nor Python's own.
func Own(dir, file string) bool {
	if file == "" || foreign(file) {
		return false
	}
	if !filepath.IsAbs(file) {
		return true
	}
	below, err := filepath.Rel(dir, file)
	return dir != "" && err == nil && below != ".." && !strings.HasPrefix(below, "../")
}

// Package python finds the interpreter of a backend, and reads from files what it is: its version, its environment, its folders of
// packages, and what would mend a broken one. Begin with Find. It never starts Python; the one program that it runs is the person's
// login shell, for variables that are named in vivarium.toml. It must not know vivarium.toml, a run or a supervisor.
package python

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// Auto is the value of python in vivarium.toml that leaves the choice to us.
const Auto = "auto"

// Options say where to look for an interpreter.
type Options struct {
	Dir         string              // the backend's folder, absolute
	Value       string              // what the configuration says: a path, or "auto". If "", "auto"
	GOOS        string              // whose layout
	Home        string              // the person's home folder, "" unknown
	Getenv      func(string) string // If nil, nothing is set
	Interactive bool                // $VIRTUAL_ENV and $CONDA_PREFIX count
	Own         bool                // "auto" looks in the backend's folder alone
	Root        string              // put before every path of the system, for tests; "" is the real one
}

// Interpreter is a Python as it is found on disk. It was not run to find it out.
type Interpreter struct {
	Path    string   // what is executed: the path by which a venv knows that it is one, links not resolved
	Real    string   // the same with every link resolved
	Prefix  string   // the environment: the venv's folder, or where the installation is
	Site    []string // its site-packages folders that exist
	Version string   // "3.11.7", or "3.11", or "" unknown
	Venv    bool     // it is a virtual environment, or conda's
	Install string   // the shell command that installs a package into it, without the package
	Warning string   // something a person should know; "" mostly
}

// Error is why there is no interpreter, told so that a person can mend it.
type Error struct {
	Path    string // what was looked at, "" if nothing was there to look at
	Problem string
	Remedy  string
}

// Error is one line: "problem; remedy".
func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Problem
	}
	return e.Problem + "; " + e.Remedy
}

// ownFolders are the names under which people keep a backend's environment.
var ownFolders = []string{".venv", "venv", "env"}

// Find finds the interpreter of a backend. An error is a *PythonError; it wraps fs.ErrNotExist if there is just none.
func Find(o Options) (Interpreter, error) {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Value != "" && o.Value != Auto {
		return o.named(o.Value)
	}
	for _, name := range ownFolders {
		if p, ok := o.environment(filepath.Join(o.Dir, name)); ok {
			return o.inspect(p)
		}
	}
	if o.Own {
		return Interpreter{}, o.nothing(nil)
	}
	if o.Interactive {
		for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
			if dir := o.Getenv(variable); filepath.IsAbs(dir) {
				if p, ok := o.environment(dir); ok {
					return o.inspect(p)
				}
			}
		}
	}
	var refused error
	for _, p := range o.candidates() {
		in, err := o.inspect(p)
		if err == nil && !in.looksLikePython() {
			err = &Error{Path: p, Problem: p + " is " + in.Real + ", which only chooses a Python", Remedy: o.remedyForScripts()}
		}
		if err == nil {
			return in, nil
		}
		if refused == nil && !errors.Is(err, fs.ErrNotExist) {
			refused = err
		}
	}
	return Interpreter{}, o.nothing(refused)
}

// absent is a PythonError that says that there is none; a caller may try elsewhere.
type absent struct{ problem *Error }

func (a absent) Error() string { return a.problem.Error() }

func (a absent) Unwrap() []error { return []error{a.problem, fs.ErrNotExist} }

func (o Options) nothing(refused error) error {
	if refused != nil {
		return refused
	}
	return absent{&Error{
		Problem: "no Python was found for this backend",
		Remedy:  "make an environment in its folder with `python3 -m venv .venv`, or set python in vivarium.toml",
	}}
}

// environment gives the interpreter of the environment in dir, if that is one: also one that is broken, because to pass it by would
// start the server without its packages.
func (o Options) environment(dir string) (path string, ok bool) {
	for _, name := range []string{"python", "python3"} {
		p := filepath.Join(dir, "bin", name)
		if _, err := os.Lstat(p); err == nil {
			return p, true
		}
	}
	_, err := os.Lstat(filepath.Join(dir, VenvFile))
	return filepath.Join(dir, "bin", "python"), err == nil
}

// named finds the interpreter that the configuration names: a file, an environment's folder, or a name to be looked up.
func (o Options) named(value string) (Interpreter, error) {
	path := value
	if rest, ok := strings.CutPrefix(value, "~/"); ok && o.Home != "" {
		path = filepath.Join(o.Home, rest)
	} else if !filepath.IsAbs(value) {
		path = filepath.Join(o.Dir, value)
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		p, ok := o.environment(path)
		if !ok {
			return Interpreter{}, &Error{Path: path, Problem: path + " is a folder without bin/python in it", Remedy: "set python to an interpreter or to an environment's folder"}
		}
		return o.inspect(p)
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(value, '/') {
		for _, dir := range o.folders() {
			in, err := o.inspect(filepath.Join(dir, value))
			if err == nil || !errors.Is(err, fs.ErrNotExist) {
				return in, err
			}
		}
	}
	in, err := o.inspect(path)
	if err == nil && choosers[filepath.Base(in.Real)] {
		return in, &Error{Path: path, Problem: path + " is " + in.Real + ", which only chooses a Python", Remedy: o.remedyForScripts()}
	}
	return in, err
}

// choosers are programs that stand behind links named python and start another one.
var choosers = map[string]bool{"mise": true, "rtx": true, "asdf": true, "uv": true, "proto": true, "proto-shim": true}

func (in Interpreter) looksLikePython() bool {
	name := strings.ToLower(filepath.Base(in.Real))
	return strings.HasPrefix(name, "python") || strings.HasPrefix(name, "pypy")
}

func (o Options) remedyForScripts() string {
	return "make an environment in the backend's folder with `python3 -m venv .venv`, or set python in vivarium.toml" +
		" to what `python3 -c 'import sys; print(sys.executable)'` prints"
}

// inspect reads what is to be known of the interpreter at path, without running it.
func (o Options) inspect(path string) (Interpreter, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if link, lerr := os.Lstat(path); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return Interpreter{}, o.dangling(path)
		}
		if _, err := os.Lstat(filepath.Join(filepath.Dir(filepath.Dir(path)), VenvFile)); err == nil {
			return Interpreter{}, o.dangling(path)
		}
		return Interpreter{}, absent{&Error{Path: path, Problem: path + " is not there", Remedy: `set python in vivarium.toml to an interpreter that is, or to "auto"`}}
	case err != nil:
		return Interpreter{}, &Error{Path: path, Problem: fmt.Sprintf("%s cannot be used: %v", path, err)}
	case !st.Mode().IsRegular():
		return Interpreter{}, &Error{Path: path, Problem: path + " is not a program", Remedy: "set python in vivarium.toml to an interpreter"}
	case st.Mode()&0o111 == 0:
		return Interpreter{}, &Error{Path: path, Problem: path + " is not executable", Remedy: "run `chmod +x " + environment.Quote(path) + "`"}
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Interpreter{}, &Error{Path: path, Problem: fmt.Sprintf("%s cannot be used: %v", path, err)}
	}
	if text, ok := ScriptText(real); ok {
		return o.behind(path, text)
	}
	in := Interpreter{Path: path, Real: real}
	if o.isAppleShim(real) {
		behind := o.appleReal()
		if behind == "" {
			return Interpreter{}, o.noTools(path)
		}
		if in.Real, err = filepath.EvalSymlinks(behind); err != nil {
			return Interpreter{}, &Error{Path: path, Problem: fmt.Sprintf("%s cannot be used: %v", path, err)}
		}
		if path == real { // a venv that links to it is one by its own path
			in.Path = behind
		}
	}
	o.describe(&in)
	return in, nil
}

// behind resolves a script that stands for an interpreter, which is pyenv's shim or nothing we know.
func (o Options) behind(path, text string) (Interpreter, error) {
	if root := filepath.Dir(filepath.Dir(path)); strings.Contains(text, "pyenv") {
		if _, err := os.Stat(filepath.Join(root, "versions")); err != nil {
			root = o.pyenvRoot()
		}
		if p := o.pyenvChosen(root); p != "" {
			return o.inspect(p)
		}
		return Interpreter{}, &Error{Path: path, Problem: path + " is pyenv's shim, and no version is chosen that is installed",
			Remedy: "choose one with `pyenv local` in the backend's folder, or make an environment there with `python3 -m venv .venv`"}
	}
	return Interpreter{}, &Error{Path: path, Problem: path + " is a script, not an interpreter: variables and signals get lost on the way through it",
		Remedy: o.remedyForScripts()}
}

// ScriptText is the beginning of a file that starts with "#!".
func ScriptText(path string) (text string, ok bool) {
	f, err := safefile.Open(path)
	if err != nil {
		return "", false // executable but not readable: it is no script then
	}
	defer f.Close()
	var b [1024]byte
	n, _ := f.Read(b[:])
	return string(b[:n]), n > 2 && b[0] == '#' && b[1] == '!'
}

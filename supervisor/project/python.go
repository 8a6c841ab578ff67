package project

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// Candidate is an environment or interpreter that could be the backend's.
type Candidate struct {
	Path  string // the environment's folder, or an interpreter
	From  string // what names it, for a person: "VIRTUAL_ENV", ".venv", "scripts/start.sh:4", "poetry"
	There bool   // it is there, and has a Python
}

// Places are the environments that are known of a backend. Whoever asks has looked whether they are there.
type Places struct {
	Dir string // the backend's folder, absolute

	Named    Candidate   // what vivarium.toml names; Path "" for "auto"
	Recorded Candidate   // what the backend was set up with, or ran with the last time; Path "" if that is not known
	Own      []Candidate // .venv, venv, env in the folder, in this order, as far as they are there
	Script   Candidate   // what a start script activates; Path "" for none
	Tool     Candidate   // what the project's tool would take: poetry's, pixi's, conda's; Path "" if unknown
	Active   []Candidate // $VIRTUAL_ENV, $CONDA_PREFIX of the terminal; none where there is no terminal
	Below    []Candidate // backend/venv, server/.venv: in folders below
	Global   Candidate   // a Python outside of every environment

	Make string // what makes the project's environment, from Environment.Make; "" if unknown
}

// Decision is which Python a backend gets.
type Decision struct {
	Path string // the environment's folder or the interpreter; "" if there is none to take
	From string
	Keep bool // it must be written down (python in vivarium.toml), because no later start would find it by itself

	Problem string // why there is none: "the environment is gone"
	Remedy  string // the command that mends it
	Warning string // it can be used, but a person should know
}

// Decide chooses the Python. What a backend was set up with is never changed silently: if that is gone, the answer is a problem and how to
// mend it, not another Python.
func Decide(p Places) Decision {
	if p.Named.Path != "" {
		return p.fixed(p.Named)
	}
	if p.Recorded.Path != "" && !p.Recorded.There {
		return p.gone(p.Recorded)
	}
	if p.Recorded.Path != "" {
		return Decision{Path: p.Recorded.Path, From: p.Recorded.From, Keep: !p.byItself(p.Recorded.Path), Warning: p.elsewhere(p.Recorded)}
	}
	for _, c := range p.Own {
		if c.There {
			return Decision{Path: c.Path, From: c.From, Warning: p.elsewhere(c)}
		}
	}
	for _, c := range []Candidate{p.Script, p.Tool} {
		if c.Path == "" {
			continue
		}
		if !c.There && c.From == p.Script.From && filepath.IsAbs(c.Path) && !within(p.Dir, c.Path) {
			continue // a script of another machine
		}
		if c.There {
			return Decision{Path: c.Path, From: c.From, Keep: true, Warning: p.elsewhere(c)}
		}
	}
	for _, c := range slices.Concat(p.Active, p.Below) {
		if c.There {
			d := Decision{Path: c.Path, From: c.From, Keep: true}
			if slices.ContainsFunc(p.Active, func(a Candidate) bool { return a.Path == c.Path }) && !within(p.Dir, c.Path) {
				d.Warning = c.From + " names an environment outside of this folder: " + c.Path
			}
			return d
		}
	}
	return p.global()
}

// fixed is what the configuration names: it, or a problem.
func (p Places) fixed(c Candidate) Decision {
	if !c.There {
		return p.gone(c)
	}
	return Decision{Path: c.Path, From: c.From}
}

func (p Places) gone(c Candidate) Decision {
	problem := "the environment is gone: " + c.Path
	if !isEnvironment(c.Path) {
		return Decision{From: c.From, Problem: "the Python is gone: " + c.Path, Remedy: "install it again, or name another one"}
	}
	return Decision{From: c.From, Problem: problem, Remedy: p.makeAgain(c.Path)}
}

// isEnvironment: the path is a folder's, or that of an interpreter in one.
func isEnvironment(path string) bool {
	env := envOf(path)
	return !slices.Contains([]string{"/usr", "/usr/local", "/opt/homebrew", "/"}, env)
}

// makeAgain is the command that brings an environment back.
func (p Places) makeAgain(path string) string {
	env := envOf(path)
	if p.Make != "" {
		command := p.Make
		if rel, err := filepath.Rel(p.Dir, env); err == nil && filepath.IsLocal(rel) {
			command = strings.ReplaceAll(command, ".venv", rel)
		}
		return "cd " + quote(p.Dir) + " && " + command
	}
	return "python3 -m venv " + quote(env) + ", and install its packages again"
}

// envOf is the environment's folder of an interpreter in it.
func envOf(path string) string {
	if base := filepath.Base(filepath.Dir(path)); base == "bin" {
		return filepath.Dir(filepath.Dir(path))
	}
	return path
}

// NoEnvironment is how it is said that a project declares its packages and has no environment for them.
const NoEnvironment = "the project has no environment yet"

// global is the case without an environment. A Python of the system has packages of its own accord only by chance.
func (p Places) global() Decision {
	if p.Make != "" {
		d := Decision{Problem: NoEnvironment, Remedy: "cd " + quote(p.Dir) + " && " + p.Make}
		if p.Global.There {
			d.Path, d.From = p.Global.Path, p.Global.From
			d.Warning, d.Problem = d.Problem, ""
		}
		return d
	}
	if p.Global.There {
		return Decision{Path: p.Global.Path, From: p.Global.From}
	}
	return Decision{Problem: "no Python was found for this backend", Remedy: "cd " + quote(p.Dir) + " && python3 -m venv .venv"}
}

// elsewhere warns of an active environment that is not the one taken.
func (p Places) elsewhere(taken Candidate) string {
	for _, a := range p.Active {
		if a.There && envOf(a.Path) != envOf(taken.Path) {
			return a.From + " names another environment (" + a.Path + "); the one of " + cmp.Or(taken.From, "the folder") + " is used"
		}
	}
	return ""
}

// byItself: a start without any hint finds it.
func (p Places) byItself(path string) bool {
	return slices.ContainsFunc(p.Own, func(c Candidate) bool { return envOf(c.Path) == envOf(path) })
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// quote makes a path one word of a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

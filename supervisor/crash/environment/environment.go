// Package environment is the crash environment: the variables with which Python does not die on a Mac, each with its reason, what becomes
// of them beside those that a person set, and torch's copy of OpenMP, which one of them names. It reads files at most; it knows no run and no
// verdict. Begin with Of.
package environment

import (
	"slices"
	"strings"
)

// The places a variable's value can come from, the later ones win.
const (
	FromInherited   = "inherited"
	FromVivarium    = "vivarium"
	FromEnvFile     = "env_file"
	FromEnvironment = "[environment]"
)

// runVariable marks the processes of one run; the keeper alone sets it. It is spelled out here because this package
// knows nothing of the keeper.
const runVariable = "VIVARIUM_RUN"

// The two variables that are lists: what a person or a shell put there is kept beside ours.
const (
	nameInsert   = "DYLD_INSERT_LIBRARIES"
	nameWarnings = "PYTHONWARNINGS"
)

// libompPlace stands in Table for the path that depends on the backend.
const libompPlace = "<site-packages>/torch/lib/libomp.dylib"

// The crash environment. Each reason is what is known, also where that is little: a variable that is set by default has to be
// honest about what it buys.
var table = []Var{
	{Name: "KMP_DUPLICATE_LIB_OK", Value: "TRUE", Why: "Two copies of OpenMP in one process (PyTorch's and FAISS's, for instance) no longer end it with " +
		"\"OMP: Error #15\". It allows the conflict and does not remove it: LLVM calls it unsafe, and a segmentation fault can still follow later."},
	{Name: nameInsert, Value: libompPlace, Only: "darwin", Why: "PyTorch's copy of OpenMP is loaded before any other. It does not merge the copies: a library that brings " +
		"its own still loads it. Set on the Python process only, and only if the file is there and fits the architecture, because Python would not start otherwise."},
	{Name: "OMP_NUM_THREADS", Value: "4", Why: "Limits OpenMP to four threads, so that several pools do not fight for the cores. 1 never builds a pool of threads " +
		"at all, and so avoids the crash, at the price of speed."},
	{Name: "KMP_AFFINITY", Value: "disabled", Why: "Keeps OpenMP from pinning threads to cores. It has no effect on macOS, where OpenMP cannot pin threads."},
	{Name: "MKL_THREADING_LAYER", Value: "GNU", Why: "Makes Intel's MKL use GNU's OpenMP instead of bringing Intel's own. It matters where MKL is used, mostly on " +
		"Linux; there is no MKL for Apple silicon."},
	{Name: "OBJC_DISABLE_INITIALIZE_FORK_SAFETY", Value: "YES", Only: "darwin", Why: "Objective-C no longer ends a process that was forked while threads were running. " +
		"On macOS 15.4 and later it is not enough: the process can die of a segmentation fault instead. The cure is multiprocessing's start method \"spawn\"."},
	{Name: nameWarnings, Value: "ignore::UserWarning:multiprocessing.resource_tracker", Why: "Hides the warning about leaked semaphores, which a helper prints after " +
		"a crash and which is never its cause. It cleans nothing up; Vivarium counts what is left."},
	{Name: "PYTHONFAULTHANDLER", Value: "1", Why: "Added by Vivarium: Python prints its stack when it dies of a segmentation fault or an abort, so that the log says where."},
	{Name: "PYTHONUNBUFFERED", Value: "1", Why: "Added by Vivarium: every line reaches the log at once, so that the last ones are not lost in a buffer when Python dies."},
}

// Var is one variable of the crash environment, with the reason for it.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why"` // one or two sentences of plain truth, also where the variable does little
	// From says where the value comes from: "vivarium", "inherited", "env_file" or "[environment]"; of a list that was joined
	// all of them, as in "inherited + vivarium".
	From  string `json:"from,omitempty"`
	Only  string `json:"only,omitempty"`  // the one system it is set on, as in GOOS; "" for all
	Unset bool   `json:"unset,omitempty"` // it is left unset: switched off, or there is nothing to set it to
}

// Table is the crash environment as Vivarium sets it by default, with the reason for each variable; where the value depends on
// the backend it holds a placeholder. The README and `vivarium env` print from it.
func Table() []Var {
	vars := slices.Clone(table)
	for i := range vars {
		vars[i].From = FromVivarium
	}
	return vars
}

// Options is what the environment of a run depends on, besides what it inherits.
type Options struct {
	GOOS     string
	Libomp   string            // path to torch's OpenMP library, "" for none; macOS only
	NoLibomp string            // why there is none, one sentence for a person
	EnvFile  map[string]string // what env_file sets
	Own      map[string]string // what [environment] sets; "" leaves the variable unset
}

// Env is the environment of a run: inherited < crash environment < env_file < [environment], the later wins. The two lists,
// PYTHONWARNINGS and DYLD_INSERT_LIBRARIES, are joined. env is sorted; applied says of each variable of the crash environment what
// became of it.
//
// What a person's shell set for macOS's loader (DYLD_LIBRARY_PATH and its kin) stays: Homebrew's libraries are often found by it
// alone. An inherited VIVARIUM_RUN never stays: this run gets a mark of its own.
func Of(parent []string, o Options) (env []string, applied []Var) {
	values := inherited(parent)
	for _, v := range defaults(o) {
		v := settle(v, values, o)
		if v.Unset {
			delete(values, v.Name)
		} else {
			values[v.Name] = v.Value
		}
		applied = append(applied, v)
	}
	crash := make(map[string]bool, len(applied))
	for _, v := range applied {
		crash[v.Name] = true
	}
	for name, value := range o.EnvFile {
		if !crash[name] && isName(name) {
			values[name] = value
		}
	}
	for name, value := range o.Own {
		switch {
		case crash[name] || !isName(name):
		case value == "":
			delete(values, name)
		default:
			values[name] = value
		}
	}
	delete(values, runVariable)
	env = make([]string, 0, len(values))
	for name, value := range values {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env, applied
}

// isName reports whether an environment can hold the name: with an equals sign in it it would set another variable.
func isName(name string) bool { return name != "" && !strings.ContainsAny(name, "=\x00") }

// inherited reads "NAME=value" entries. Of a name that stands there twice the last counts, as in os/exec.
func inherited(parent []string) map[string]string {
	values := make(map[string]string, len(parent)+len(table))
	for _, e := range parent {
		if name, value, ok := strings.Cut(e, "="); ok && name != "" {
			values[name] = value
		}
	}
	return values
}

// defaults is the table for this system and this backend.
func defaults(o Options) []Var {
	vars := make([]Var, 0, len(table))
	for _, v := range table {
		if v.Only != "" && v.Only != o.GOOS {
			continue
		}
		if v.Name == nameInsert {
			v.Value = o.Libomp
			if o.Libomp == "" && o.NoLibomp != "" {
				v.Why += " Not set here: " + o.NoLibomp + "."
			}
		}
		v.From = FromVivarium
		vars = append(vars, v)
	}
	return vars
}

// settle decides the value of one variable of the crash environment.
func settle(v Var, values map[string]string, o Options) Var {
	file, inFile := o.EnvFile[v.Name]
	own, isOwn := o.Own[v.Name]
	if isOwn && own == "" {
		v.Value, v.From, v.Unset = "", FromEnvironment, true
		return v
	}
	if sep := separator(v.Name); sep != "" {
		lists := []struct{ value, from string }{{values[v.Name], FromInherited}, {v.Value, FromVivarium}, {file, FromEnvFile}, {own, FromEnvironment}}
		if v.Name == nameInsert {
			slices.Reverse(lists)
		}
		joined, from := []string(nil), []string(nil)
		for _, l := range lists {
			if l.value != "" {
				joined, from = append(joined, l.value), append(from, l.from)
			}
		}
		v.Value, v.From, v.Unset = join(joined, sep), strings.Join(from, " + "), len(joined) == 0
		return v
	}
	if inFile {
		v.Value, v.From = file, FromEnvFile
	}
	if isOwn {
		v.Value, v.From = own, FromEnvironment
	}
	return v
}

// separator of a variable that is a list, else "". Of Python's filters the last that matches wins; of the inserted libraries the
// first is loaded first. So the one list is joined in the order of rank and the other against it.
func separator(name string) string {
	switch name {
	case nameWarnings:
		return ","
	case nameInsert:
		return ":"
	}
	return ""
}

// join puts the lists together; what stands there twice stays where it has the greater effect: the last of Python's filters,
// the first of the libraries.
func join(lists []string, sep string) string {
	entries := strings.Split(strings.Join(lists, sep), sep)
	last := sep == ","
	if last {
		slices.Reverse(entries)
	}
	kept := make([]string, 0, len(entries))
	for _, e := range entries {
		if e != "" && !slices.Contains(kept, e) {
			kept = append(kept, e)
		}
	}
	if last {
		slices.Reverse(kept)
	}
	return strings.Join(kept, sep)
}

// InList reports whether value, as a process carries it, holds all that want says: for a list every entry, else the same text.
func InList(name, value, want string) bool {
	sep := separator(name)
	if sep == "" {
		return value == want
	}
	have := strings.Split(value, sep)
	for _, w := range strings.Split(want, sep) {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

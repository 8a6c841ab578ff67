// Package cure makes one OpenMP runtime of many in an environment of Python: it plans, carries the plan out so that it can be interrupted
// anywhere, and takes it back to the byte. It changes nothing but the copies, and reads of openmp what is there; it must not know who asks.
// Begin with Of, then Plan.Apply.
package cure

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// Plan is how one runtime is made of many: one file stays, and the other copies become links to it, so that the loader finds one and
// the same image behind every name. Nothing but these copies is changed, and each is kept, see Apply.
type Plan struct {
	Root   string           `json:"root"`             // of the environment, absolute
	Keep   openmp.Runtime   `json:"keep"`             // the file that stays; zero: there is none
	Why    string           `json:"why"`              // why this one, in words
	Links  []Relink         `json:"links"`            // what becomes a link, by path; none: there is nothing to cure
	Static []openmp.Runtime `json:"static,omitempty"` // inside other files, where no link can be put: they stay
}

// Relink is a copy that becomes a link.
type Relink struct {
	Path    string `json:"path"`    // absolute, its folder's links resolved
	Target  string `json:"target"`  // of the link, relative to its folder
	Hash    string `json:"hash"`    // SHA-256 of the copy, hex
	Package string `json:"package"` // its owner, "" none
}

// Error is why an environment cannot be cured, told so that a person knows what to do instead.
type Error struct{ Problem, Remedy string }

// Error is one line: "problem; remedy".
func (e *Error) Error() string { return e.Problem + "; " + e.Remedy }

// otherCures are what helps where no link can be put. One thread needs no pool of threads, and a conflict is about those.
const otherCures = "set OMP_NUM_THREADS = \"1\" under [environment], or upgrade the packages until they share one"

// Of plans the cure of an environment. A copy is linked only if that is proven to fit: of the same family, for all architectures of the copy, and with every symbol
// that somebody takes from it. Copies of GNU's runtime are left alone: they abort nobody, and LLVM's does not stand in for all of them.
// An error is an *Error.
func Of(e openmp.Environment, read openmp.Symbols) (Plan, error) {
	c := Plan{Root: e.Root}
	var copies []openmp.Runtime
	for _, r := range e.Runtimes {
		switch {
		case r.Flavor != openmp.LLVM && r.Flavor != openmp.Intel:
		case r.Static:
			c.Static = append(c.Static, r)
		case !slices.ContainsFunc(copies, r.Same):
			copies = append(copies, r)
		default: // another name of an image that is there already: whoever asks by that name is a user of it, too
			i := slices.IndexFunc(copies, r.Same)
			users := slices.Concat(copies[i].Users, r.Users)
			if copies[i].Link && !r.Link || rank(r) > rank(copies[i]) {
				copies[i] = r // the file itself, under its owner's name
			}
			copies[i].Users = users
		}
	}
	if len(copies) < 2 {
		return c.alone(copies, read)
	}
	slices.SortStableFunc(copies, func(a, b openmp.Runtime) int {
		return cmp.Or(-cmp.Compare(rank(a), rank(b)), -compareVersions(a.Version, b.Version), strings.Compare(a.Path, b.Path))
	})
	var first error
	for i, keep := range copies {
		others := slices.Delete(slices.Clone(copies), i, i+1)
		err := fits(keep, others, read)
		if err == nil {
			c.Keep, c.Why = keep, why(keep, i)
			c.Links, err = relinks(e.Root, keep, others)
			return c, err
		}
		first = cmp.Or(first, err)
	}
	return c, &Error{"no runtime of these can stand in for the others: " + first.Error(), otherCures}
}

// alone: there is at most one file. It may be what an earlier cure left, and newer than that.
func (c Plan) alone(copies []openmp.Runtime, read openmp.Symbols) (Plan, error) {
	if len(c.Static) > 0 && len(copies)+len(c.Static) > 1 {
		return c, &Error{"the runtimes in " + owners(c.Static) + " are part of larger files, where no link can be put", otherCures}
	}
	if len(copies) == 0 {
		return c, nil
	}
	c.Keep = copies[0]
	for _, s := range c.Keep.Slices {
		for _, u := range c.Keep.Users {
			needs, err := read.Needs(u, s.Arch)
			if err != nil || u.Via != "" {
				continue // made for another architecture: it does not run beside this one
			}
			missing, err := read.Lacks(c.Keep.Path, s.Arch, needs)
			if err != nil {
				return c, &Error{err.Error(), "reinstall " + owners(copies)}
			}
			if len(missing) > 0 && cured(c.Root) {
				return c, &Error{fmt.Sprintf("%s lacks %s, which %s needs", c.Keep.Path, shortList(missing), u.Path), "bring every package's own copy back with `vivarium doctor --undo`"}
			}
		}
	}
	return c, nil
}

// rank puts torch's copy first: torch loads it by its path, and the crash environment inserts it.
func rank(r openmp.Runtime) int {
	if openmp.Normal(r.Package) == "torch" || r.Package == "" && slices.Contains(strings.Split(filepath.ToSlash(r.Path), "/"), "torch") {
		return 1
	}
	return 0
}

func why(keep openmp.Runtime, i int) string {
	switch {
	case rank(keep) == 1:
		return "it is torch's, which torch loads by its path, and it has every symbol that the others' users need"
	case i == 0:
		return "it is the newest, and it has every symbol that the others' users need"
	}
	return "it has every symbol that the others' users need, and no better one has"
}

// fits says why the others cannot become links to keep; nil: they can.
func fits(keep openmp.Runtime, others []openmp.Runtime, read openmp.Symbols) error {
	for _, o := range others {
		if o.Hash != "" && o.Hash == keep.Hash {
			continue
		}
		for _, s := range o.Slices {
			if _, ok := keep.Arch(s.Arch); !ok {
				return fmt.Errorf("%s is not made for %s", keep.Path, s.Arch)
			}
			missing, err := lacks(keep, o, s.Arch, read)
			if err != nil {
				return err
			}
			if len(missing) > 0 {
				return fmt.Errorf("%s lacks %s, which users of %s need", keep.Path, shortList(missing), o.Path)
			}
		}
		if len(o.Slices) == 0 {
			return fmt.Errorf("%s could not be read", o.Path)
		}
	}
	return nil
}

// lacks are the symbols that somebody takes from the copy and would not find in keep. Of a copy that no file asks for, because it is
// loaded by hand or not at all, the core must be there: who does that calls the standard's oldest functions.
func lacks(keep, o openmp.Runtime, arch string, read openmp.Symbols) ([]string, error) {
	missing := map[string]bool{}
	note := func(symbols []string) error {
		without, err := read.Lacks(keep.Path, arch, symbols)
		if err != nil || len(without) == 0 {
			return err
		}
		anyway, err := read.Lacks(o.Path, arch, without) // what its users live without today
		lacking := map[string]bool{}
		for _, name := range anyway {
			lacking[name] = true
		}
		for _, name := range without {
			if !lacking[name] {
				missing[name] = true
			}
		}
		return err
	}
	asked := false
	for _, u := range o.Users {
		if u.Via != "" { // it takes what it needs from that library
			continue
		}
		asked = true
		needs, err := read.Needs(u, arch)
		if err == nil {
			err = note(needs)
		}
		if err != nil {
			return nil, err
		}
	}
	if !asked {
		if err := note(core); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(missing)), nil
}

// core is what every runtime of the family has.
var core = []string{"omp_get_max_threads", "omp_get_num_threads", "omp_get_thread_num", "omp_get_wtime", "omp_set_num_threads", "__kmpc_barrier", "__kmpc_fork_call"}

func shortList(names []string) string {
	const most = 3
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more symbols", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

func owners(all []openmp.Runtime) string {
	var names []string
	for _, r := range all {
		name := cmp.Or(r.Package, filepath.Base(r.Path))
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func relinks(root string, keep openmp.Runtime, others []openmp.Runtime) ([]Relink, error) {
	var all []Relink
	for _, o := range others {
		path := o.Real // what has several names is linked once, where the file is
		target, err := filepath.Rel(filepath.Dir(path), keep.Real)
		if err != nil || !inside(root, path) || !inside(root, keep.Real) {
			return nil, &Error{fmt.Sprintf("%s and %s do not both lie in %s", path, keep.Real, root), otherCures}
		}
		all = append(all, Relink{Path: path, Target: target, Hash: o.Hash, Package: o.Package})
	}
	slices.SortFunc(all, func(a, b Relink) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func inside(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// compareVersions compares the numbers in two versions, one by one.
func compareVersions(a, b string) int {
	x, y := numbers(a), numbers(b)
	return slices.CompareFunc(x, y, func(a, b string) int {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
}

func numbers(version string) []string {
	return strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
}

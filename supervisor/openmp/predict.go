package openmp

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Outcome is what comes of the runtimes that meet in one process.
type Outcome string

// The outcomes, from the best to the worst.
const (
	Harmless Outcome = "harmless"
	Degrades Outcome = "degrades" // each runtime has its own threads: slower, and on a Mac a crash cannot be ruled out
	Aborts   Outcome = "aborts"   // OMP: Error #15; with KMP_DUPLICATE_LIB_OK a segmentation fault can follow later
)

// Prediction is what would happen in a process that imports what the backend imports.
type Prediction struct {
	Together []Runtime `json:"together"` // the images that would meet, each once
	Packages []string  `json:"packages"` // that are imported, directly or because another one needs them, and use a runtime
	Outcome  Outcome   `json:"outcome"`
	Summary  string    `json:"summary"`          // one sentence
	Remedy   string    `json:"remedy,omitempty"` // what cures it; "" where nothing has to be

	env Environment
}

// Predict says which runtimes meet in a process that imports these modules, and what comes of that. It follows the packages' own
// requirements, because a package imports what it needs. Two of LLVM's family, which Intel's is of, abort with their own words "Error #15"; by
// threadpoolctl's multiple_openmp.md (https://github.com/joblib/threadpoolctl) LLVM's with Intel's crash or hang on Linux even where they start,
// while GNU's bears every other.
func Predict(env Environment, imports []string, goos string) Prediction {
	used := env.closure(imports)
	p := Prediction{env: env}
	packages := map[string]bool{}
	for _, r := range env.Runtimes {
		by := users(r, used)
		if m := env.module(r.Path); r.Package == "" && len(r.Users) == 0 && slices.Contains(imports, m) { // installed without a record
			by = append(by, m)
		}
		if len(by) == 0 {
			continue
		}
		for _, name := range by {
			packages[name] = true
		}
		if !slices.ContainsFunc(p.Together, func(o Runtime) bool { return r.Same(o) || goos != "darwin" && r.servedBy(o) }) {
			p.Together = append(p.Together, r)
		}
	}
	p.Packages = slices.Sorted(maps.Keys(packages))
	p.judge(goos)
	return p
}

// servedBy reports whether ld.so, asked for r, takes o that is loaded already: it goes by the SONAME. Who loads r by its path gets r.
func (r Runtime) servedBy(o Runtime) bool {
	return r.Name != "" && r.Name == o.Name && !r.Static && !o.Static && len(r.Users) > 0 && !slices.ContainsFunc(r.Users, func(u User) bool { return u.Via == "" && u.Asks != r.Name })
}

// Judge says what comes of the runtimes that are loaded already, by their paths.
func Judge(env Environment, loaded []string, goos string) Prediction {
	p := Prediction{env: env}
	for _, path := range loaded {
		r := Runtime{Path: path, Real: path, Flavor: flavorByName(filepath.Base(path))}
		if i := slices.IndexFunc(env.Runtimes, func(e Runtime) bool { return e.Path == path || e.Real == path }); i >= 0 {
			r = env.Runtimes[i]
		}
		if !slices.ContainsFunc(p.Together, r.Same) {
			p.Together = append(p.Together, r)
		}
	}
	p.judge(goos)
	return p
}

// closure are the packages that are imported, and those that they need, by normal name.
func (e Environment) closure(imports []string) map[string]bool {
	used := map[string]bool{}
	var queue []string
	imported, requires := setOf(imports), map[string][]string{}
	for _, p := range e.Packages {
		name := Normal(p.Name)
		if _, there := requires[name]; !there { // as Environment.Package: the first one counts
			requires[name] = p.Requires
		}
		if slices.ContainsFunc(p.Modules, func(m string) bool { return imported[m] }) {
			queue = append(queue, name)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		if used[queue[0]] {
			continue
		}
		used[queue[0]] = true
		for _, name := range requires[queue[0]] {
			if !used[name] {
				queue = append(queue, name)
			}
		}
	}
	return used
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// users are the packages among these that load the runtime. Its owner counts if nobody is known to ask for it, because it is loaded by hand
// then.
func users(r Runtime, used map[string]bool) []string {
	var names []string
	told := map[string]bool{}
	for _, u := range r.Users {
		if used[Normal(u.Package)] && !told[u.Package] {
			told[u.Package] = true
			names = append(names, u.Package)
		}
	}
	if len(r.Users) == 0 && used[Normal(r.Package)] {
		names = append(names, r.Package)
	}
	return names
}

// module is the top-level name below site-packages that a file belongs to.
func (e Environment) module(path string) string {
	for _, site := range e.Sites {
		if rel, err := filepath.Rel(site, path); err == nil && filepath.IsLocal(rel) {
			top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
			return top
		}
	}
	return ""
}

// Owner names who brought a runtime, for a person: its package, else the folder it lies in.
func (e Environment) Owner(r Runtime) string {
	return cmp.Or(r.Package, e.module(r.Path), filepath.Base(r.Path))
}

func (p *Prediction) judge(goos string) {
	var family, gnu []Runtime
	for _, r := range p.Together {
		if r.Flavor == GNU {
			gnu = append(gnu, r)
		} else {
			family = append(family, r)
		}
	}
	switch {
	case len(family) > 1:
		p.Outcome = Aborts
		p.Summary = fmt.Sprintf("%d OpenMP runtimes meet in one process (%s): the second one aborts it with OMP: Error #15 unless KMP_DUPLICATE_LIB_OK allows it, and then it may crash later", len(family), p.brought(family))
		p.Remedy = "Make one of them with `vivarium doctor --fix` (--dry-run shows the plan). Until then OMP_NUM_THREADS = \"1\" under [environment] avoids most crashes."
		if slices.ContainsFunc(family, func(r Runtime) bool { return r.Static }) {
			p.Remedy = "One of them is part of a larger file, where no link can be put: upgrade that package, or set OMP_NUM_THREADS = \"1\" under [environment]."
		}
	case len(family) == 1 && len(gnu) > 0:
		p.Outcome = Degrades
		p.Summary = fmt.Sprintf("LLVM's and GNU's OpenMP meet in one process (%s): they bear each other, with a pool of threads each", p.brought(p.Together))
		if goos == "darwin" {
			p.Remedy = "Import the package with LLVM's first. If it is slow, set OMP_NUM_THREADS lower under [environment]."
		} else {
			p.Remedy = "If it is slow, set OMP_NUM_THREADS lower under [environment]."
		}
	case len(gnu) > 1:
		p.Outcome = Degrades
		p.Summary = fmt.Sprintf("%d copies of GNU's OpenMP meet in one process (%s): they bear each other, with a pool of threads each", len(gnu), p.brought(gnu))
		p.Remedy = "If it is slow, set OMP_NUM_THREADS lower under [environment]."
	case len(p.Together) == 1:
		p.Outcome, p.Summary = Harmless, "one OpenMP runtime ("+p.brought(p.Together)+")"
	default:
		p.Outcome, p.Summary = Harmless, "no OpenMP runtime"
	}
}

func (p *Prediction) brought(all []Runtime) string {
	var names []string
	for _, r := range all {
		name := p.env.Owner(r)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// flavorByName is for a runtime of which no more is known: one of the system, outside of the environment.
func flavorByName(name string) Flavor {
	switch {
	case strings.HasPrefix(name, "libgomp"):
		return GNU
	case strings.HasPrefix(name, "libiomp5"):
		return Intel
	}
	return LLVM
}

package openmp

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// graph is who asks for whom among the files of an environment.
type graph struct {
	*walk
	root       string
	executable string              // folder of the interpreter, "" unknown
	askers     map[string][]asking // by the path that is asked for
	links      map[string][]string // paths of links, by the file they lead to
	names      map[string][]string // paths by install name or SONAME
	owners     map[string]int      // by path, from the RECORDs
	folders    map[string]int      // by the path of a module or of a folder of bundled libraries; sharedFolder: of several
	sites      []string            // where the packages are, each once
	conda      map[string]distribution
	gone       map[string]bool // paths outside of the walk that are not there, or no library
	missing    []User
}

// asking is one edge: an image, and the name it asks for.
type asking struct {
	by   *image
	name string
}

func newGraph(w *walk, root string) *graph {
	g := &graph{walk: w, root: root, askers: map[string][]asking{}, links: map[string][]string{}, names: map[string][]string{}, owners: map[string]int{}, folders: map[string]int{}, gone: map[string]bool{}}
	for _, name := range []string{"python", "python3"} {
		if real, err := filepath.EvalSymlinks(filepath.Join(root, "bin", name)); err == nil {
			g.executable = filepath.Dir(real)
			break
		}
	}
	g.own()
	for _, path := range slices.Sorted(maps.Keys(w.images)) {
		i := w.images[path]
		g.know(i)
	}
	return g
}

// know makes an image known by its names.
func (g *graph) know(i *image) {
	i.owner = g.owner(i)
	if i.link {
		g.links[i.real] = append(g.links[i.real], i.path)
	} else if name := i.name(); name != "" {
		g.names[name] = append(g.names[name], i.path)
	}
}

// owner is the distribution that recorded a file or, where none did, the one whose module's folder it is in: pip's cache and repair tools
// leave files that no RECORD has.
func (g *graph) owner(i *image) int {
	if n, ok := g.owners[i.path]; ok {
		return n
	}
	found := -1
	for _, site := range g.sites {
		rel, ok := strings.CutPrefix(i.path, site+"/")
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(rel, "/")
		folders := []string{site + "/" + first}
		if libs, bundled := strings.CutSuffix(first, ".libs"); bundled {
			folders = append(folders, libsOf(site, libs))
		}
		for _, folder := range folders {
			n, ok := g.folders[folder]
			if ok && (n == sharedFolder || found >= 0 && n != found) {
				return -1
			}
			if ok {
				found = n
			}
		}
	}
	return found
}

const sharedFolder = -1

// libsOf is the folder in which repair tools put the libraries of a package. The zero byte keeps it apart from a module of that name.
func libsOf(site, name string) string { return site + "/" + Normal(name) + "\x00libs" }

// own notes what belongs to which distribution.
func (g *graph) own() {
	for n, r := range g.packages {
		if !slices.Contains(g.sites, r.site) {
			g.sites = append(g.sites, r.site)
		}
		for _, file := range r.files {
			g.owners[file] = n
		}
		folders := []string{libsOf(r.site, r.Name)}
		for _, m := range r.Modules {
			folders = append(folders, r.site+"/"+m)
		}
		for _, folder := range folders {
			if _, taken := g.folders[folder]; taken {
				g.folders[folder] = sharedFolder
			} else {
				g.folders[folder] = n
			}
		}
	}
}

// link resolves what every image asks for, and reads what lies outside of the walk as far as somebody asks for it.
func (g *graph) link() {
	var unresolved []asking
	todo := slices.Sorted(maps.Keys(g.images))
	for len(todo) > 0 && g.ctx.Err() == nil {
		i := g.images[todo[0]]
		todo = todo[1:]
		if i.link && g.images[i.real] != nil {
			continue // its file is there under its own name
		}
		for _, name := range asks(i) {
			if strings.HasPrefix(name, "/usr/lib/") && i.mac() || strings.HasPrefix(name, "/System/") {
				continue // the system's, which has no OpenMP
			}
			if path, fresh := g.resolve(i, name, nil); path != "" {
				g.askers[path] = append(g.askers[path], asking{i, name})
				if fresh {
					todo = append(todo, path)
				}
			} else {
				unresolved = append(unresolved, asking{i, name})
			}
		}
	}
	for _, u := range unresolved {
		path, _ := g.resolve(u.by, u.name, g.inherited(u.by))
		if path == "" && len(g.names[u.name]) > 0 {
			path = g.names[u.name][0] // loaded already: both dyld and ld.so take an image that has the very name
		}
		switch {
		case path != "":
			g.askers[path] = append(g.askers[path], u)
		case isRuntimeName(filepath.Base(u.name)):
			g.missing = append(g.missing, g.user(u, ""))
			g.tell(u.by.path + " asks for " + u.name + ", which is nowhere")
		}
	}
}

// asks are the names that the slices of an image ask for, each once.
func asks(i *image) []string {
	if len(i.parts) == 1 {
		return i.parts[0].asks
	}
	var all []string
	for _, p := range i.parts {
		for _, name := range p.asks {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// inherited are the rpaths of all that load an image, nearest first.
func (g *graph) inherited(i *image) []string {
	var paths []string
	seen := map[string]bool{i.path: true}
	for level := []*image{i}; len(level) > 0; {
		var next []*image
		for _, below := range level {
			for _, a := range g.asked(below.path) {
				if seen[a.by.path] {
					continue
				}
				seen[a.by.path] = true
				next = append(next, a.by)
				for _, p := range a.by.parts {
					if p.inherit {
						paths = append(paths, g.expandAll(a.by, p.rpaths)...)
					}
				}
			}
		}
		level = next
	}
	return paths
}

// user describes an edge.
func (g *graph) user(a asking, via string) User {
	u := User{Path: a.by.path, Asks: a.name, Via: via}
	if a.by.owner >= 0 {
		u.Package = g.packages[a.by.owner].Name
	}
	return u
}

// runtimes are the images that are or have one, each with everybody who comes to it.
func (g *graph) runtimes() []Runtime {
	var all []Runtime
	for _, path := range slices.Sorted(maps.Keys(g.images)) {
		i := g.images[path]
		if i.runtime == nil {
			continue
		}
		r := *i.runtime
		if real, err := filepath.EvalSymlinks(path); err == nil {
			r.Real = real
		}
		if i.owner >= 0 {
			r.Package, r.PackageVersion = g.packages[i.owner].Name, g.packages[i.owner].Version
		} else {
			r.Package, r.PackageVersion = g.condaOwner(path)
		}
		if r.Static {
			r.Users = append(r.Users, g.user(asking{i, ""}, ""))
		}
		r.Users = append(r.Users, g.users(path)...)
		all = append(all, r)
	}
	return all
}

// asked are those who ask for a file, by its own path or by a link to it.
func (g *graph) asked(path string) []asking {
	all := g.askers[path]
	for _, link := range g.links[path] {
		all = append(slices.Clip(all), g.askers[link]...)
	}
	return all
}

// users are those who ask for a file themselves, then those who come to it through others, nearest first.
func (g *graph) users(path string) []User {
	var all []User
	seen := map[string]bool{path: true}
	for level := []string{path}; len(level) > 0; {
		var next []string
		for _, below := range level {
			via := below
			if below == path {
				via = ""
			}
			for _, a := range g.asked(below) {
				if seen[a.by.path] {
					continue
				}
				seen[a.by.path] = true
				next = append(next, a.by.path)
				all = append(all, g.user(a, via))
			}
		}
		slices.Sort(next)
		level = next
	}
	slices.SortStableFunc(all, func(a, b User) int {
		direct := func(u User) int { return min(len(u.Via), 1) }
		return cmp.Or(cmp.Compare(direct(a), direct(b)), cmp.Compare(a.Path, b.Path))
	})
	return all
}

// exists says whether an image is there, and reads it if the walk did not. fresh is true for one that was just read.
func (g *graph) exists(path string, like *image) (found string, fresh bool) {
	clean := filepath.Clean(path)
	if _, ok := g.images[clean]; ok {
		return clean, false
	}
	if g.gone[clean] {
		return "", false
	}
	st, err := os.Lstat(path)
	if err == nil {
		var i *image
		if i, err = readImage(clean, st.Mode()&os.ModeSymlink != 0, g.may); err == nil && i.fits(like) {
			g.images[clean] = i
			g.know(i)
			return clean, true
		}
	}
	g.gone[clean] = true
	return "", false
}

// fits reports whether two images can be in one process.
func (a *image) fits(b *image) bool {
	for _, p := range a.parts {
		for _, q := range b.parts {
			if p.arch == q.arch && a.mac() == b.mac() {
				return true
			}
		}
	}
	return false
}

package openmp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// Scan walks an environment: its site-packages folders whole, and the libraries beside them in root/lib, where conda keeps its own. What
// they ask for elsewhere, as in Homebrew's folders, is followed. Links in the paths of root and sites are resolved. progress, which may be
// nil, is told how many files were seen, from any goroutine. An error means that there is no environment, or that ctx ended; what cannot be
// read inside of it is counted in Skipped and told in Problems.
func Scan(ctx context.Context, root string, sites []string, progress func(done int)) (Environment, error) {
	env := Environment{Root: root, Sites: sites}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return env, fmt.Errorf("scanning the environment: %w", err)
	}
	if st, err := os.Stat(real); err != nil || !st.IsDir() {
		return env, fmt.Errorf("scanning the environment: %s is not a folder", root)
	}
	w := &walk{ctx: ctx, progress: progress, may: &allowance{}, seen: map[string]bool{}, above: map[string]bool{}, images: map[string]*image{}}
	env.Root, env.Sites = real, nil
	for _, site := range sites {
		folder, err := filepath.EvalSymlinks(site)
		if err != nil {
			w.problem(site, err)
			continue
		}
		if !slices.Contains(env.Sites, folder) {
			env.Sites = append(env.Sites, folder)
			w.begin(task{path: folder, site: true})
		}
	}
	root = real
	w.begin(task{path: filepath.Join(root, "lib"), flat: true})
	if err := w.run(); err != nil {
		return env, fmt.Errorf("scanning the environment: %w", err)
	}
	g := newGraph(w, root)
	g.link()
	if err := ctx.Err(); err != nil {
		return env, fmt.Errorf("scanning the environment: %w", err)
	}
	env.Runtimes, env.Missing = g.runtimes(), g.missing
	env.Packages = g.distributions()
	env.Files, env.Skipped, env.Problems = w.files, w.skipped, w.problems
	slices.Sort(env.Problems)
	return env, nil
}

// image is a file that was read: a library, an extension module or a runtime.
type image struct {
	path    string
	real    string // set for links, and for what the graph needs it for
	link    bool
	parts   []part
	runtime *Runtime // what it is or has in it; nil for most
	owner   int      // index of the distribution that it belongs to, -1 none
}

// name is the install name or SONAME.
func (i *image) name() string {
	for _, p := range i.parts {
		if p.name != "" {
			return p.name
		}
	}
	return ""
}

func (i *image) mac() bool {
	_, ok := i.parts[0].symbols.(*machO)
	return ok
}

// read is the work on one file of the walk.
func (w *walk) read(t task) {
	i, err := readImage(t.path, t.link, w.may)
	if err != nil {
		w.problem(t.path, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.images[t.path] = i
}

// readImage reads the headers of a file and, if it has a runtime in it, all of it.
func readImage(path string, link bool, may *allowance) (*image, error) {
	o, err := open(path)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	i := &image{path: path, real: path, link: link, parts: o.parts, owner: -1}
	if link {
		if i.real, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	}
	i.runtime, err = o.runtime(i, may)
	return i, err
}

// problemText names the file first: errors of package os do so in a form of their own.
func problemText(path string, err error) string {
	var p *fs.PathError
	var kind *safefile.TypeError
	var size *safefile.SizeError
	switch {
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &kind) && kind.Path == path, errors.As(err, &size) && size.Path == path:
		return err.Error()
	}
	return path + ": " + err.Error()
}

// distributions are the packages by name, with the architectures that all of their extension modules have.
func (g *graph) distributions() []Package {
	archs := map[int][]string{}
	for _, i := range g.images {
		if i.owner < 0 || i.link || !strings.HasSuffix(i.path, ".so") {
			continue
		}
		var own []string
		for _, p := range i.parts {
			own = append(own, p.arch)
		}
		if all, ok := archs[i.owner]; ok {
			own = slices.DeleteFunc(slices.Clone(all), func(a string) bool { return !slices.Contains(own, a) })
		}
		archs[i.owner] = own
	}
	var all []Package
	for i, r := range g.packages {
		r.Archs = archs[i]
		slices.Sort(r.Archs)
		all = append(all, r.Package)
	}
	slices.SortFunc(all, func(a, b Package) int {
		return cmp.Or(cmp.Compare(Normal(a.Name), Normal(b.Name)), cmp.Compare(a.Version, b.Version))
	})
	return all
}

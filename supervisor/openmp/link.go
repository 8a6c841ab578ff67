package openmp

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// link finds out who asks for which runtime, and who owns what.
func (w *walk) link() {
	slices.SortFunc(w.found, func(a, b *native) int { return strings.Compare(a.path, b.path) })
	byPath, byName := map[string]*native{}, map[string]*native{}
	for _, b := range w.found {
		byName[b.part.name], w.known[b.path] = b, true
		byPath[b.path], byPath[b.real] = b, b
		if p, ok := w.index.of(b.path); ok {
			b.package_ = p.Name
		}
	}
	asked := map[*native][]ask{} // by the file that is asked for
	for _, b := range w.found {
		for _, name := range b.part.asks {
			path := w.resolve(b, name)
			if same := byName[name]; path == "" && same != nil && !strings.Contains(name, "/") { // ld.so takes what is loaded by that name already
				path = same.path
			}
			if path == "" {
				if flavorOf(filepath.Base(name)) != "" {
					w.problem("%s asks for %s, which is nowhere in the environment", b.path, name)
				}
				continue
			}
			target := byPath[path]
			if target == nil {
				if target = w.outside(path); target != nil {
					byPath[path], byPath[target.real] = target, target
				}
			}
			if target != nil && target != b {
				asked[target] = append(asked[target], ask{b, name})
			}
		}
	}
	for _, b := range byPath {
		w.describe(b, asked)
	}
	slices.SortFunc(w.env.Runtimes, func(a, b Runtime) int { return strings.Compare(a.Path, b.Path) })
	w.env.Packages = w.index.all
	w.architectures()
}

// ask is a file that names another.
type ask struct {
	by   *native
	name string
}

func (w *walk) describe(b *native, asked map[*native][]ask) {
	if b.runtime == nil || slices.ContainsFunc(w.env.Runtimes, func(r Runtime) bool { return r.Path == b.path }) {
		return
	}
	r := *b.runtime
	r.Real, r.File, r.Link, r.Slices = b.real, b.file, b.link, b.slices
	if p, ok := w.index.of(b.path); ok {
		r.Package, r.PackageVersion = p.Name, p.Version
	}
	if r.Static {
		r.Users = append(r.Users, User{Path: b.path, Package: b.package_})
	}
	seen := map[*native]bool{b: true}
	type step struct {
		to  *native
		via string
	}
	for queue := []step{{b, ""}}; len(queue) > 0; queue = queue[1:] {
		for _, a := range asked[queue[0].to] {
			if !seen[a.by] {
				seen[a.by] = true
				r.Users = append(r.Users, User{a.by.path, a.by.package_, a.name, queue[0].via})
				queue = append(queue, step{a.by, filepath.Base(a.by.path)})
			}
		}
	}
	slices.SortFunc(r.Users, func(a, b User) int { return strings.Compare(a.Path, b.Path) })
	w.env.Runtimes = append(w.env.Runtimes, r)
}

// resolve finds the file behind a name as the loader of the asking file's kind does; "" if it is not there. Names of the system are
// not looked for, except for a runtime.
func (w *walk) resolve(b *native, name string) string {
	if strings.HasPrefix(name, "/usr/lib/") || strings.HasPrefix(name, "/System/") { // a Mac's own
		return ""
	}
	dir := filepath.Dir(b.real)
	mach := strings.HasPrefix(name, "@") || strings.HasSuffix(name, ".dylib") || strings.HasPrefix(name, "/")
	var tried []string
	switch rest, _ := strings.CutPrefix(name, "@rpath/"); {
	case rest != name:
		for _, r := range b.part.rpaths {
			tried = append(tried, filepath.Join(w.expand(r, dir), rest))
		}
	case strings.HasPrefix(name, "@"):
		tried = []string{w.expand(name, dir)}
	case filepath.IsAbs(name):
		tried = []string{name}
	case !mach:
		for _, r := range b.part.rpaths {
			tried = append(tried, filepath.Join(w.expand(r, dir), name))
		}
		if flavorOf(name) != "" {
			for _, lib := range systemFolders {
				tried = append(tried, filepath.Join(lib, name))
			}
		}
	}
	for _, path := range tried {
		folder := w.real(filepath.Dir(path))
		if folder == "" {
			continue
		}
		path = filepath.Join(folder, filepath.Base(path))
		if w.known[path] {
			return path
		}
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return ""
}

// real resolves the links in a folder's path; "" if it is not there.
func (w *walk) real(folder string) string {
	real, ok := w.reals[folder]
	if !ok {
		real, _ = filepath.EvalSymlinks(folder)
		w.reals[folder] = real
	}
	return real
}

// systemFolders are where ld.so looks last, on the distributions that people have.
var systemFolders = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib"}

// expand replaces the words that stand for folders, in dyld's and in ld.so's language.
func (w *walk) expand(path, dir string) string {
	for word, value := range map[string]string{"@loader_path": dir, "$ORIGIN": dir, "${ORIGIN}": dir, "@executable_path": filepath.Join(w.env.Root, "bin")} {
		if rest, ok := strings.CutPrefix(path, word); ok {
			return filepath.Join(value, rest)
		}
	}
	return filepath.Clean(path)
}

// outside describes a runtime of the system that somebody asks for.
func (w *walk) outside(path string) *native {
	if flavorOf(filepath.Base(path)) == "" {
		return nil
	}
	before := len(w.found)
	st, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	w.look(path, st.Mode()&os.ModeSymlink != 0)
	if len(w.found) == before {
		return nil
	}
	b := w.found[before]
	w.found = w.found[:before]
	return b
}

// architectures are those that all extension modules of a package have.
func (w *walk) architectures() {
	for _, b := range w.found {
		i, ok := w.index.owner[b.path]
		if !ok {
			continue
		}
		var archs []string
		for _, s := range b.slices {
			archs = append(archs, s.Arch)
		}
		p := &w.env.Packages[i]
		if p.Archs == nil {
			p.Archs = archs
			continue
		}
		p.Archs = slices.DeleteFunc(slices.Clone(p.Archs), func(a string) bool { return !slices.Contains(archs, a) })
	}
}

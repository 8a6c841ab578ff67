package process

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// image is a file that is mapped into a process.
type image struct {
	path string // as the kernel says it
	file inode
}

// inode is what a loader takes for one image, whatever its paths are.
type inode struct{ device, number string }

// maxLooked bounds how many processes of a tree are looked into: reading the maps of one that has torch loaded costs the kernel about a
// millisecond.
const maxLooked = 32

// Loaded gives the OpenMP runtimes that are mapped into the run below the process with that PID: their paths, sorted, each image once. Two
// runtimes meet in one process or not at all, so it tells of that process of the tree which has the most. static are the paths of extension
// modules and libraries that have a runtime inside, which their names do not show. Zombies and what ended meanwhile have none; an error means
// that nobody could look.
func Loaded(pid int, static ...string) ([]string, error) {
	tree, err := family(pid)
	if err != nil {
		return nil, fmt.Errorf("looking into process %d: %w", pid, err)
	}
	var pids []int
	for _, m := range tree {
		if !m.Zombie && len(pids) < maxLooked {
			pids = append(pids, m.PID)
		}
	}
	all, err := mapped(pids)
	if err != nil {
		return nil, fmt.Errorf("looking into process %d: %w", pid, err)
	}
	var most []string
	for _, p := range pids {
		if found := runtimesAmong(all[p], static); len(found) > len(most) {
			most = found
		}
	}
	return most, nil
}

// runtimesAmong picks the runtimes out of what is mapped.
func runtimesAmong(images []image, static []string) []string {
	seen := map[inode]bool{}
	var paths []string
	for _, i := range images {
		if !seen[i.file] && (isRuntime(i.path) || slices.Contains(static, i.path)) {
			seen[i.file] = true
			paths = append(paths, i.path)
		}
	}
	slices.Sort(paths)
	return paths
}

// isRuntime knows an OpenMP runtime by its name: "libomp.dylib", "libiomp5.so", and "libgomp-a34b3233.so.1.0.0" as auditwheel renames it. Its
// relatives, libomptarget and libompd, are none.
func isRuntime(file string) bool {
	name := path.Base(file)
	for _, stem := range []string{"libomp", "libiomp5", "libgomp"} {
		rest, ok := strings.CutPrefix(name, stem)
		if ok && rest != "" && (rest[0] == '.' || rest[0] == '-') && (strings.HasSuffix(rest, ".dylib") || strings.HasSuffix(rest, ".so") || strings.Contains(rest, ".so.")) {
			return true
		}
	}
	return false
}

// BroughtBy names who brought a library, for a person: the package's folder below site-packages, else the library itself. auditwheel puts
// a package's libraries beside it, in "faiss_cpu.libs".
func BroughtBy(file string) string {
	for _, site := range []string{"/site-packages/", "/dist-packages/"} {
		if _, inside, ok := cutLast(file, site); ok {
			name, _, _ := strings.Cut(inside, "/")
			return strings.TrimSuffix(name, ".libs")
		}
	}
	name, _, _ := strings.Cut(path.Base(file), ".")
	return name
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

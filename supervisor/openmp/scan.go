package openmp

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Scan walks an environment: its site-packages folders whole, and the libraries beside them in root/lib. Links to these folders are
// resolved, in the paths that it gives, too: a loader knows files by what they are. progress, which may be nil, is
// told how many files were seen, from any goroutine. An error means that there is no environment, or that ctx ended; what cannot be
// read inside of it is counted in Skipped and told in Problems.
func Scan(ctx context.Context, root string, sites []string, progress func(done int)) (Environment, error) {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return Environment{Root: root, Sites: sites}, fmt.Errorf("scanning the environment: %w", err)
	}
	root, sites = real, slices.Clone(sites)
	for i, s := range sites {
		if real, err := filepath.EvalSymlinks(s); err == nil {
			sites[i] = real
		}
	}
	slices.Sort(sites)
	sites = slices.Compact(sites)
	w := &walk{env: Environment{Root: root, Sites: sites}, progress: progress, ctx: ctx, known: map[string]bool{}, reals: map[string]string{}}
	w.all(sites)
	if err := ctx.Err(); err != nil {
		return w.env, fmt.Errorf("scanning the environment: %w", err)
	}
	w.link()
	return w.env, nil
}

// maxProblems is how many are told: more are counted.
const maxProblems = 100

// walk is a scan under way. Its workers share the folders that are still to be read.
type walk struct {
	ctx      context.Context
	progress func(int)

	mu      sync.Mutex
	more    sync.Cond
	folders []folder
	busy    int
	env     Environment
	found   []*native
	infos   []string // of packages: their .dist-info folders
	index   *index
	known   map[string]bool   // paths in found
	reals   map[string]string // folders with their links resolved
}

// folder is one that is still to be read.
type folder struct {
	path string
	deep bool // with the folders in it
}

// native is a file of interest, as its headers describe it.
type native struct {
	path, real string
	link       bool
	file       string // device and inode
	part       part   // the first architecture: what it asks for is alike in all
	slices     []Slice
	runtime    *Runtime // it is one
	package_   string
}

// all reads everything with as many workers as there are processors: most of it is waiting for the kernel.
func (w *walk) all(sites []string) {
	w.more.L = &w.mu
	for _, s := range sites {
		w.folders = append(w.folders, folder{s, true})
	}
	lib := filepath.Join(w.env.Root, "lib")
	if !slices.Contains(sites, lib) {
		w.folders = append(w.folders, folder{lib, false})
	}
	var workers sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		workers.Go(w.work)
	}
	workers.Wait()
	w.index = w.packages()
}

func (w *walk) work() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.folders) == 0 && w.busy > 0 {
			w.more.Wait()
		}
		if len(w.folders) == 0 || w.ctx.Err() != nil {
			w.more.Broadcast()
			return
		}
		last := len(w.folders) - 1
		f := w.folders[last]
		w.folders, w.busy = w.folders[:last], w.busy+1
		w.mu.Unlock()
		w.read(f)
		w.mu.Lock()
		w.busy--
		w.more.Broadcast()
	}
}

// read takes one folder. Links to folders are not followed: what they lead to is in the environment under its own name, or not at all.
func (w *walk) read(f folder) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		if f.deep {
			w.skip(f.path, err)
		}
		return
	}
	var inside []folder
	var infos []string
	files := 0
	for _, e := range entries {
		name := e.Name()
		switch {
		case e.IsDir() && strings.HasSuffix(name, ".dist-info"):
			infos = append(infos, filepath.Join(f.path, name))
		case e.IsDir():
			if f.deep && name != "__pycache__" {
				inside = append(inside, folder{filepath.Join(f.path, name), true})
			}
		default:
			files++
			if isBinary(name) {
				w.look(filepath.Join(f.path, name), e.Type()&fs.ModeSymlink != 0)
			}
		}
	}
	w.mu.Lock()
	w.folders, w.infos = append(w.folders, inside...), append(w.infos, infos...)
	w.env.Files += files
	if w.progress != nil {
		w.progress(w.env.Files)
	}
	w.mu.Unlock()
	w.more.Broadcast()
}

// isBinary tells by its name whether a file can be a library or an extension module.
func isBinary(name string) bool {
	return strings.HasSuffix(name, ".so") || strings.HasSuffix(name, ".dylib") || strings.Contains(name, ".so.")
}

func (w *walk) skip(path string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.env.Skipped++
	w.problem("%s: %v", path, err)
}

// problem is told under mu.
func (w *walk) problem(format string, args ...any) {
	if len(w.env.Problems) < maxProblems {
		w.env.Problems = append(w.env.Problems, fmt.Sprintf(format, args...))
	}
}

// look reads the headers of one file, and of a runtime all of it.
func (w *walk) look(path string, link bool) {
	o, err := open(path)
	if err != nil {
		w.skip(path, err)
		return
	}
	defer o.Close()
	if len(o.parts) == 0 {
		return
	}
	b := &native{path: path, real: path, link: link, file: fileID(o.info), part: o.parts[0]}
	if real, err := filepath.EvalSymlinks(path); link && err == nil {
		b.real = real
	}
	for _, p := range o.parts {
		b.slices = append(b.slices, Slice{p.arch, p.id})
	}
	if b.runtime, err = o.runtime(path); err != nil {
		w.skip(path, err)
		return
	}
	b.part.symbols = nil // it reads a file that is closed by then
	w.mu.Lock()
	w.found = append(w.found, b)
	w.mu.Unlock()
}

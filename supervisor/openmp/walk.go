package openmp

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
)

const (
	maxFiles    = 2_000_000 // of one environment; the largest real ones have a tenth of it
	maxProblems = 100
	maxDepth    = 64 // folders below a site
)

// task is one folder to list or one file to read.
type task struct {
	path  string
	depth int  // of a folder: how far below where the walk began
	flat  bool // of a folder: the folders in it are left alone
	site  bool // of a folder: distributions are recorded in it
	file  bool
	link  bool
}

// walk is the state of one scan. Everything below mu belongs to whoever holds it.
type walk struct {
	ctx      context.Context
	progress func(int)
	may      *allowance

	mu       sync.Mutex
	wake     *sync.Cond
	tasks    []task
	busy     int
	roots    []string        // real paths where the walk began
	seen     map[string]bool // real paths of folders that were reached by a link
	above    map[string]bool // the folders in which those lie
	images   map[string]*image
	packages []record
	files    int
	skipped  int
	problems []string
}

// run works until nothing is left to do, on every core.
func (w *walk) run() error {
	w.wake = sync.NewCond(&w.mu)
	stop := context.AfterFunc(w.ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.wake.Broadcast()
	})
	defer stop()
	var all sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		all.Go(w.work)
	}
	all.Wait()
	return w.ctx.Err()
}

func (w *walk) work() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.tasks) == 0 && w.busy > 0 && w.ctx.Err() == nil {
			w.wake.Wait()
		}
		if len(w.tasks) == 0 || w.ctx.Err() != nil {
			w.wake.Broadcast()
			return
		}
		t := w.tasks[len(w.tasks)-1]
		w.tasks = w.tasks[:len(w.tasks)-1]
		w.busy++
		w.mu.Unlock()
		if t.file {
			w.read(t)
		} else {
			w.list(t)
		}
		w.mu.Lock()
		w.busy--
		if w.busy == 0 && len(w.tasks) == 0 {
			w.wake.Broadcast()
		}
	}
}

// problem counts what could not be read.
func (w *walk) problem(path string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skipped++
	w.tell(problemText(path, err))
}

func (w *walk) tell(text string) {
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, text)
	}
}

// list reads a folder: types come with the names, so that nothing but links is looked at one by one.
func (w *walk) list(t task) {
	f, err := os.OpenFile(t.path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		w.problem(t.path, err)
		return
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil {
		w.problem(t.path, err)
	}
	var more []task
	files := 0
	for _, e := range entries {
		path := t.path + string(filepath.Separator) + e.Name()
		kind := e.Type()
		link := kind&fs.ModeSymlink != 0
		if link {
			st, err := os.Stat(path)
			if err != nil {
				if isLibrary(e.Name()) {
					w.problem(path, err)
				}
				files++
				continue
			}
			kind = st.Mode().Type()
		}
		switch {
		case kind.IsDir():
			if t.site && isRecord(e.Name()) {
				w.record(t.path, e.Name())
			}
			if !t.flat && t.depth < maxDepth && e.Name() != "__pycache__" && (!link || w.enter(path)) {
				more = append(more, task{path: path, depth: t.depth + 1})
			}
		case kind.IsRegular():
			files++
			if t.site && strings.HasSuffix(e.Name(), ".egg-info") {
				w.record(t.path, e.Name())
			}
			if isLibrary(e.Name()) {
				more = append(more, task{path: path, file: true, link: link})
			}
		}
	}
	w.add(files, more)
}

func (w *walk) add(files int, more []task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.files
	w.files += files
	if w.files > maxFiles {
		if before <= maxFiles {
			w.skipped++
			w.tell("more files than any environment has: the rest was left out")
		}
		return
	}
	if w.progress != nil && w.files/1024 > before/1024 {
		w.progress(w.files)
	}
	w.tasks = append(w.tasks, more...)
	if len(more) > 1 {
		w.wake.Broadcast()
	}
}

// enter decides about a link to a folder. It is followed once, and not to where the walk is or goes anyway: that ends every loop.
func (w *walk) enter(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, root := range w.roots {
		if within(root, real) || within(real, root) {
			return false
		}
	}
	if w.above[real] || w.seen[real] {
		return false
	}
	for up := filepath.Dir(real); up != filepath.Dir(up); up = filepath.Dir(up) {
		if w.seen[up] {
			return false
		}
	}
	w.seen[real] = true
	for up := filepath.Dir(real); !w.above[up]; up = filepath.Dir(up) {
		w.above[up] = true
	}
	return true
}

// within reports whether a path is a folder or below it.
func within(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// isLibrary tells by the name what may be a library or an extension module.
func isLibrary(name string) bool {
	return strings.HasSuffix(name, ".so") || strings.HasSuffix(name, ".dylib") || strings.Contains(name, ".so.")
}

// begin adds where the walk begins. A folder that was added already, perhaps by another name, is not walked twice.
func (w *walk) begin(t task) {
	real, err := filepath.EvalSymlinks(t.path)
	if err != nil || slices.ContainsFunc(w.roots, func(r string) bool { return within(r, real) && !t.flat || r == real }) {
		return
	}
	w.tasks = append(w.tasks, t)
	w.roots = append(w.roots, real)
}

// Package project reads what a folder says of itself: which environment its Python code needs, how it is started, which applications are in
// it, on which port and with which health route. Nothing of it is ever run.
// It must not know of Vivarium's configuration, of processes, or of what is installed: callers say that. What it takes over and what
// it leaves out it lists, each with file and line.
// Begin with Read, then apps.go for the Python code, scripts.go for shell scripts, python.go for the choice of an interpreter.
package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

const (
	maxFile  = 1 << 20 // a file that a person wrote is smaller
	maxFiles = 600     // files looked at in all
	maxBytes = 24 << 20
	maxDepth = 6
)

// Open is the folder dir as Read wants it: nothing outside of it can be reached, not even through a link, and no FIFO or device blocks
// whoever opens it.
func Open(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the project's folder: %w", err)
	}
	return &Folder{root}, nil
}

// Folder is an fs.FS of a real folder.
type Folder struct{ root *os.Root }

// Open opens a file or folder without waiting for a writer.
func (f *Folder) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Stat follows links as far as they stay inside.
func (f *Folder) Stat(name string) (fs.FileInfo, error) { return f.root.Stat(name) }

// Close ends the use of the folder.
func (f *Folder) Close() error { return f.root.Close() }

var errTooMuch = errors.New("the folder has more to read than a project of a person")

// reader reads files within bounds, each once.
type reader struct {
	fsys  fs.FS
	seen  map[string]string
	files int
	bytes int
}

func newReader(fsys fs.FS) *reader { return &reader{fsys: fsys, seen: map[string]string{}} }

// text is a regular file's text, "" if there is none, it is too large, or it is no file.
func (r *reader) text(name string) string {
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return ""
	}
	if text, ok := r.seen[name]; ok {
		return text
	}
	text, err := r.read(name)
	if err != nil {
		text = ""
	}
	if len(r.seen) < 8*maxFiles {
		r.seen[name] = text
	}
	return text
}

func (r *reader) read(name string) (string, error) {
	if r.files >= maxFiles || r.bytes >= maxBytes {
		return "", errTooMuch
	}
	st, err := fs.Stat(r.fsys, name)
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return "", fs.ErrInvalid
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if st, err = f.Stat(); err != nil || !st.Mode().IsRegular() { // it may be another one by now
		return "", fs.ErrInvalid
	}
	r.files++
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	r.bytes += len(b)
	if err != nil || len(b) > maxFile {
		return "", fs.ErrInvalid
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), nil
}

func (r *reader) has(name string) bool {
	st, err := fs.Stat(r.fsys, path.Clean(name))
	return err == nil && st.Mode().IsRegular()
}

func (r *reader) isFolder(name string) bool {
	st, err := fs.Stat(r.fsys, path.Clean(name))
	return err == nil && st.IsDir()
}

// notSource are folders whose Python is not the project's own.
var notSource = []string{"venv", "env", "node_modules", "site-packages", "tests", "test", "docs", "doc", "examples", "example", "migrations", "alembic", "__pycache__", "build", "dist", "vendor", "notebooks", "benchmarks"}

// python gives the project's own Python files, those higher up first.
func (r *reader) python() []string {
	var all []string
	level := []string{"."}
	for depth := 0; depth < maxDepth && len(level) > 0 && len(all) < maxFiles; depth++ {
		var below []string
		for _, dir := range level {
			entries, err := readDir(r.fsys, dir)
			if err != nil {
				continue
			}
			for _, e := range entries {
				name := path.Join(dir, e.Name())
				switch {
				case strings.HasPrefix(e.Name(), "."):
				case r.isPackageFolder(e, name):
					below = append(below, name)
				case strings.HasSuffix(e.Name(), ".py") && !e.IsDir():
					all = append(all, name)
				}
			}
		}
		level = below
	}
	return all[:min(len(all), maxFiles)]
}

// readDir reads a folder's entries, of a folder with very many only the first.
func readDir(fsys fs.FS, dir string) ([]fs.DirEntry, error) {
	f, err := fsys.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, fs.ErrInvalid
	}
	entries, err := d.ReadDir(4096)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	if len(entries) > 0 {
		err = nil
	}
	return entries, err
}

// isPackageFolder: an environment under any name has a pyvenv.cfg, and is not the project's own code.
func (r *reader) isPackageFolder(e fs.DirEntry, name string) bool {
	return e.IsDir() && !slices.Contains(notSource, e.Name()) && !r.has(path.Join(name, "pyvenv.cfg")) && !r.isFolder(path.Join(name, "conda-meta"))
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// room is one package of the module, without its tests.
type room struct {
	path                   string // below the module, "." for its root
	files, lines, exported int
	uses                   map[string]map[string]bool // other packages of the module, and the names that are used of them
}

// listed is a package as `go list` describes it.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, CgoFiles       []string
	Standard                bool
	Module                  *struct {
		Path string
		Main bool
	}
	Error *struct{ Err string }
}

// measure type-checks the packages of the module in folder as this system builds them without cgo.
func measure(folder string) ([]room, error) {
	all, err := list(folder)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	read := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("%s has no export data", path)
		}
		return os.Open(exports[path])
	})
	var rooms []room
	for _, p := range all {
		if p.Module == nil || !p.Module.Main || len(p.GoFiles) == 0 {
			continue
		}
		r, err := p.measure(fset, read)
		if err != nil {
			return nil, fmt.Errorf("measuring %s: %w", p.ImportPath, err)
		}
		rooms = append(rooms, r)
	}
	return rooms, nil
}

// list asks the go command for the module's packages, and for the export data of all that they import.
func list(folder string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,CgoFiles,Standard,Module,Error", "./...")
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages: %w\n%s", err, complaint.String())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading the list of packages: %w", err)
		}
		all = append(all, p)
	}
}

func (p listed) measure(fset *token.FileSet, read types.Importer) (room, error) {
	r := room{path: below(p.Module.Path, p.ImportPath), files: len(p.GoFiles), uses: map[string]map[string]bool{}}
	var files []*ast.File
	for _, name := range p.GoFiles {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return r, err
		}
		r.lines += bytes.Count(text, []byte("\n"))
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return r, err
		}
		files = append(files, f)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	var first error
	c := types.Config{Importer: read, FakeImportC: true, Error: func(err error) {
		if first == nil {
			first = err
		}
	}}
	pkg, _ := c.Check(p.ImportPath, fset, files, &info)
	if first != nil {
		return r, first
	}
	for _, name := range pkg.Scope().Names() {
		if token.IsExported(name) {
			r.exported++
		}
	}
	for _, used := range info.Uses {
		from := used.Pkg()
		if from == nil || from == pkg || used.Parent() != from.Scope() || !strings.HasPrefix(from.Path(), p.Module.Path+"/") {
			continue // only names of a package's own scope are its door; methods and fields come with them
		}
		to := below(p.Module.Path, from.Path())
		if r.uses[to] == nil {
			r.uses[to] = map[string]bool{}
		}
		r.uses[to][used.Name()] = true
	}
	return r, nil
}

// below is an import path as seen from the module's root.
func below(module, path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

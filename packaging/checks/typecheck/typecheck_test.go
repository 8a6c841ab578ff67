// Package typecheck holds a test: the code behind cgo, which only a Mac's compiler sees, has correct types for macOS. A
// cross build without cgo leaves these files out, and a build with cgo needs Apple's headers; go/types needs neither,
// because it can take every name of the pseudo package "C" on trust.
package typecheck

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
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/vivarium-app/vivarium"

// listed is a package as `go list -json` describes it.
type listed struct {
	ImportPath, Dir, Export string
	Standard                bool
	GoFiles, CgoFiles       []string
	Imports                 []string
	ImportMap               map[string]string
}

// list runs `go list -deps` for macOS; the packages come in an order in which every import stands before its importer.
func list(t *testing.T, arch, cgo string, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-deps", "-json=ImportPath,Dir,Export,Standard,GoFiles,CgoFiles,Imports,ImportMap"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED="+cgo)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	require.NoError(t, err, complaint.String())
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		all = append(all, p)
	}
}

// mac type-checks packages for macOS: those that cgo touches from their source, all others from what the compiler exports.
type mac struct {
	arch    string
	fset    *token.FileSet
	export  map[string]string         // import path → file
	source  map[string]*types.Package // those checked here
	imports types.Importer
}

func newMac(t *testing.T, arch string, packages ...string) *mac {
	m := &mac{arch: arch, fset: token.NewFileSet(), export: map[string]string{}, source: map[string]*types.Package{}}
	for _, p := range list(t, arch, "0", append([]string{"-export"}, packages...)...) {
		if p.Export != "" {
			m.export[p.ImportPath] = p.Export
		}
	}
	m.imports = importer.ForCompiler(m.fset, "gc", func(path string) (io.ReadCloser, error) {
		file, ok := m.export[path]
		if !ok {
			return nil, fmt.Errorf("%s has no export data for darwin/%s", path, arch)
		}
		return os.Open(file)
	})
	return m
}

// check type-checks one package with its cgo files.
func (m *mac) check(p listed) error {
	var files []*ast.File
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
		f, err := parser.ParseFile(m.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	var all []error
	c := types.Config{
		FakeImportC: true,
		Sizes:       types.SizesFor("gc", m.arch),
		Error:       func(err error) { all = append(all, err) },
		Importer: importing(func(path string) (*types.Package, error) {
			if real, ok := p.ImportMap[path]; ok {
				path = real
			}
			if done, ok := m.source[path]; ok {
				return done, nil
			}
			return m.imports.Import(path)
		}),
	}
	done, _ := c.Check(p.ImportPath, m.fset, files, nil) // every error is in all
	m.source[p.ImportPath] = done
	return errors.Join(all...)
}

type importing func(string) (*types.Package, error)

func (f importing) Import(path string) (*types.Package, error) { return f(path) }

// touched are the packages that cgo touches: with cgo files, or importing one that has; not those of the standard library,
// which export the same without cgo.
func touched(all []listed) []listed {
	var found []listed
	names := map[string]bool{"C": true}
	for _, p := range all {
		if !p.Standard && (len(p.CgoFiles) > 0 || slices.ContainsFunc(p.Imports, func(i string) bool { return names[i] })) {
			names[p.ImportPath] = true
			found = append(found, p)
		}
	}
	return found
}

// importsOf are what packages import: what only files behind cgo import is no dependency of a build without it.
func importsOf(packages []listed) []string {
	var found []string
	for _, p := range packages {
		for _, i := range p.Imports {
			if i != "C" && !slices.Contains(found, i) {
				found = append(found, i)
			}
		}
	}
	return found
}

func TestTheCodeBehindCgoHasCorrectTypesOnAMac(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			programs := []string{module + "/app/tray", module + "/cmd/vivarium-menubar"}
			behind := touched(list(t, arch, "1", programs...))
			m := newMac(t, arch, append(importsOf(behind), programs...)...)
			var checked []string
			for _, p := range behind {
				require.NoError(t, m.check(p), p.ImportPath)
				checked = append(checked, p.ImportPath)
			}
			require.Contains(t, checked, "github.com/getlantern/systray")
			require.Subset(t, checked, programs)
		})
	}
}

func TestAWrongTypeBehindCgoIsSeen(t *testing.T) {
	dir := t.TempDir()
	code := "package wrong\n\n// int answer(void);\nimport \"C\"\n\nfunc f() string { _ = C.answer(); return 7 }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wrong.go"), []byte(code), 0o644))
	m := &mac{arch: "arm64", fset: token.NewFileSet(), source: map[string]*types.Package{}}
	err := m.check(listed{ImportPath: "wrong", Dir: dir, CgoFiles: []string{"wrong.go"}})
	require.ErrorContains(t, err, "cannot use 7")
}

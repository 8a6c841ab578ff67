// Package project holds tests of the project as a whole: what may import what, and that the README tells the truth.
package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/vivarium-app/vivarium"

// listed is a package as `go list -json` describes it.
type listed struct {
	ImportPath                                   string
	Standard                                     bool
	CgoFiles, Imports, TestImports, XTestImports []string
}

// list runs `go list` with cgo on or off; cgo is never run by it.
func list(t *testing.T, goos, cgo string, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Standard,CgoFiles,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED="+cgo)
	cmd.Dir = top(t)
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

func top(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	require.NoError(t, err)
	return dir
}

// outside are the import paths of what a package pulls in from beyond the standard library.
func outside(t *testing.T, goos, cgo, path string) (paths []string, withCgo []string) {
	t.Helper()
	for _, p := range list(t, goos, cgo, "-deps", module+path) {
		if p.Standard {
			continue
		}
		paths = append(paths, p.ImportPath)
		if len(p.CgoFiles) > 0 {
			withCgo = append(withCgo, p.ImportPath)
		}
	}
	return paths, withCgo
}

func TestTheWallsStand(t *testing.T) {
	for _, goos := range []string{"linux", "darwin"} {
		t.Run(goos, func(t *testing.T) {
			t.Run("a keeper is the standard library and x/sys", func(t *testing.T) {
				paths, _ := outside(t, goos, "1", "/cmd/vivarium-keeper")
				for _, p := range paths {
					require.True(t, strings.HasPrefix(p, "golang.org/x/sys/") || slices.Contains([]string{module + "/supervisor/keeper", module + "/supervisor/proc", module + "/supervisor/safefile"}, p) || p == module+"/cmd/vivarium-keeper", p)
				}
			})
			t.Run("what is known of crashes and of OpenMP starts nothing and reaches no network", func(t *testing.T) {
				own := map[string][]string{
					"/supervisor/crash":       {module + "/supervisor/crash", module + "/supervisor/crash/environment", module + "/supervisor/crash/mask", module + "/supervisor/crash/paste", module + "/supervisor/crash/report", module + "/supervisor/crash/traceback", module + "/supervisor/openmp", module + "/supervisor/safefile"},
					"/supervisor/openmp/cure": {module + "/supervisor/openmp/cure", module + "/supervisor/openmp", module + "/supervisor/safefile"},
					"/supervisor/openmp":      {module + "/supervisor/openmp", module + "/supervisor/safefile"},
					"/supervisor/safefile":    {module + "/supervisor/safefile"},
				}
				for pure, allowed := range own {
					for _, p := range list(t, goos, "1", "-deps", module+pure) {
						require.NotContains(t, []string{"os/exec", "net", "net/http"}, p.ImportPath)
						require.True(t, p.Standard || slices.Contains(allowed, p.ImportPath), "%s in %s", p.ImportPath, pure)
					}
				}
			})
			t.Run("only the menu-bar program has cgo and a tray", func(t *testing.T) {
				for _, program := range []string{"/cmd/vivarium", "/cmd/vivarium-keeper", "/supervisor", "/app", "/app/terminal", "/assets"} {
					paths, withCgo := outside(t, goos, "1", program)
					require.Empty(t, withCgo, program)
					require.NotContains(t, paths, "github.com/getlantern/systray", program)
					require.NotContains(t, paths, module+"/app/tray", program)
				}
			})
			t.Run("only the command line links the protocol of coding agents", func(t *testing.T) {
				for _, program := range []string{"/cmd/vivarium-menubar", "/cmd/vivarium-keeper", "/app", "/supervisor"} {
					paths, _ := outside(t, goos, "1", program)
					for _, p := range paths {
						require.False(t, strings.HasPrefix(p, "github.com/modelcontextprotocol/") || p == module+"/app/mcp", "%s in %s", p, program)
					}
				}
			})
			t.Run("a supervisor knows nothing of the app", func(t *testing.T) {
				for _, inner := range []string{"/supervisor", "/supervisor/keeper", "/supervisor/crash", "/supervisor/openmp", "/assets"} {
					paths, _ := outside(t, goos, "1", inner)
					for _, p := range paths {
						require.False(t, strings.HasPrefix(p, module+"/app") || strings.HasPrefix(p, module+"/cmd"), "%s imports %s", inner, p)
					}
				}
			})
		})
	}
}

func TestOneWayToEachOfTheOutsideWorld(t *testing.T) {
	only := map[string][]string{
		"github.com/getlantern/systray": {"/app/tray"},
		"github.com/gen2brain/beeep":    {"/app/notice"},
		"github.com/ncruces/zenity":     {"/app/tray"},
	}
	for _, p := range list(t, "linux", "1", "./...") {
		for _, i := range p.Imports {
			if allowed, ok := only[i]; ok {
				require.Contains(t, allowed, strings.TrimPrefix(p.ImportPath, module), "%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// The top level is fixed: nothing else may come to stand there.
func TestTheTopLevelHoldsWhatItShould(t *testing.T) {
	allowed := []string{"cmd", "app", "assets", "supervisor", "packaging", "go.mod", "go.sum", "Makefile", "README.md", "CHANGELOG.md", "LICENSE"}
	cmd := exec.Command("git", "ls-files")
	cmd.Dir = top(t)
	out, err := cmd.Output()
	if err != nil {
		t.Skip("not a git checkout: what belongs to the project cannot be told from what lies about")
	}
	for file := range strings.Lines(string(out)) {
		first, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		if !strings.HasPrefix(first, ".") {
			require.Contains(t, allowed, first)
		}
	}
}

func TestNoFileIsTooLongToRead(t *testing.T) {
	for _, dir := range []string{"cmd", "app", "assets", "supervisor", "packaging"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(top(t), dir), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			require.LessOrEqual(t, bytes.Count(text, []byte("\n")), 500, path)
			return err
		}))
	}
}

// direct are the modules that the project's own code imports.
func direct(t *testing.T) []string {
	t.Helper()
	required := modules(t)
	var found []string
	for _, goos := range []string{"linux", "darwin"} {
		for _, p := range list(t, goos, "1", "-tags=e2e,bench,wheels", "./...") {
			for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				for _, m := range required {
					if (i == m || strings.HasPrefix(i, m+"/")) && !slices.Contains(found, m) {
						found = append(found, m)
					}
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

func modules(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = top(t)
	out, err := cmd.Output()
	require.NoError(t, err)
	var file struct{ Require []struct{ Path string } }
	require.NoError(t, json.Unmarshal(out, &file))
	var paths []string
	for _, r := range file.Require {
		paths = append(paths, r.Path)
	}
	return paths
}

func TestTheFourNamedModulesAreUsed(t *testing.T) {
	require.Subset(t, direct(t), []string{"github.com/getlantern/systray", "github.com/gen2brain/beeep", "github.com/shirou/gopsutil/v4", "github.com/stretchr/testify"})
}

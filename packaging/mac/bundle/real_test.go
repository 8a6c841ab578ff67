//go:build app

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/packaging/mac/bundle/verify"
)

// maker builds the app as it is published from the checkout in root. ZIG is set by `make app-test`, which fetches it.
func maker(root, out, cache string, env ...string) app {
	return app{
		builder: builder{root: root, cache: cache, zig: os.Getenv("ZIG"), version: "v0.0.1", environ: append(os.Environ(), env...)},
		out:     out, arches: arches, commits: 1, identity: "-", mac: theMac(),
	}
}

// builtOnce is the app, built from this checkout with the caches that are there.
var builtOnce = sync.OnceValues(func() (string, error) {
	if os.Getenv("ZIG") == "" && theMac() == nil {
		return "", fmt.Errorf("run make app-test, which fetches zig")
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		return "", err
	}
	dir, err := slicesOnce() // a folder that is removed at the end
	if err != nil {
		return "", err
	}
	a := maker(root, filepath.Join(dir, "built", "Vivarium.app"), filepath.Join(root, ".cache", "zig-cache"))
	return a.out, a.make(io.Discard)
})

func built(t *testing.T) string {
	t.Helper()
	bundle, err := builtOnce()
	require.NoError(t, err)
	return bundle
}

func TestTheAppIsSoundAndSmall(t *testing.T) {
	bundle := built(t)
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	report, err := verify.App(bundle, want(buildPaths(root), arches))
	require.NoError(t, err)
	t.Logf("\n%s", report)

	var said bytes.Buffer
	require.NoError(t, pack(root, filepath.Dir(bundle), "v0.0.1", time.Unix(0, 0), theMac(), &said), "it also looks at the size of the zip")
	t.Logf("\n%s", said.String())
	text, err := os.ReadFile(filepath.Join(filepath.Dir(bundle), "Vivarium-0.0.1.cdx.json"))
	require.NoError(t, err)
	var bom struct{ Components []component }
	require.NoError(t, json.Unmarshal(text, &bom))
	has := func(name string) bool {
		return slices.ContainsFunc(bom.Components, func(c component) bool { return c.Name == name })
	}
	require.True(t, has("github.com/getlantern/systray"))
	require.False(t, has("github.com/blacktop/go-macho"), "what signs the app is not in it")
}

func TestTheListOfImportsNamesNothingThatIsNotImported(t *testing.T) {
	if theMac() != nil {
		t.Skip("the list is of what zig links; a Mac's compiler calls other helpers")
	}
	unused, err := verify.Unused(built(t))
	require.NoError(t, err)
	require.Empty(t, unused, "take it off packaging/mac/bundle/verify/imports.txt and the stubs in packaging/mac/darwin")
}

// copied is this checkout, without what git ignores, in another folder.
func copied(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	to := filepath.Join(t.TempDir(), "a folder with another name")
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		from := filepath.Join("../../..", name)
		st, err := os.Lstat(from)
		if os.IsNotExist(err) {
			continue // deleted and not committed
		}
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755))
		if st.Mode()&os.ModeSymlink != 0 {
			target, err := os.Readlink(from)
			require.NoError(t, err)
			require.NoError(t, os.Symlink(target, filepath.Join(to, name)))
			continue
		}
		content, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, name), content, st.Mode().Perm()))
	}
	return to
}

// Another folder, with a space in its name, and nothing in any cache.
func TestBuiltElsewhereItHasTheSameBytes(t *testing.T) {
	bundle := built(t)
	root := copied(t)
	caches := t.TempDir()
	other := maker(root, filepath.Join(t.TempDir(), "Vivarium.app"), filepath.Join(caches, "zig"), "GOCACHE="+filepath.Join(caches, "go"))
	require.NoError(t, other.make(io.Discard))
	want, got := tree(t, bundle), tree(t, other.out)
	require.Equal(t, len(want), len(got))
	for name := range want {
		require.True(t, want[name] == got[name], "%s differs", name)
	}
}

// The bytes of a program do not show a folder that an object names, but Go makes its build ID of them.
func TestAnObjectNamesNoFolderOfThisComputer(t *testing.T) {
	if theMac() != nil {
		t.Skip("it is about zig")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	dir := t.TempDir()
	env, err := maker(root, "", filepath.Join(root, ".cache", "zig-cache")).env("arm64", "aarch64", true)
	require.NoError(t, err)
	text := "#import <Foundation/Foundation.h>\n#include <pthread.h>\nint f(pthread_t *t, id o) { return pthread_equal(*t, *t) + (o != nil); }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "in.m"), []byte(text), 0o600))
	cmd := exec.Command(filepath.Join(root, "packaging", "mac", "darwin", "macos-cc"), "aarch64-macos."+minMacOS, "-g", "-c", "-o", "out.o", "in.m")
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	object, err := os.ReadFile(filepath.Join(dir, "out.o"))
	require.NoError(t, err)
	require.True(t, bytes.Contains(object, []byte("zig/lib")), "it has names of folders at all")
	zig, err := filepath.EvalSymlinks(os.Getenv("ZIG"))
	require.NoError(t, err)
	for _, here := range []string{root, filepath.Dir(zig)} {
		require.False(t, bytes.Contains(object, []byte(here)), here)
	}
}

func TestVetReadsTheMacsCodeWithItsCgo(t *testing.T) {
	b := maker("../../..", "", filepath.Join(t.TempDir(), "zig")).builder
	root, err := filepath.Abs(b.root)
	require.NoError(t, err)
	b.root = root
	for _, arch := range arches {
		env, err := b.env(arch.name, arch.zig, true)
		require.NoError(t, err)
		cmd := exec.Command("go", "vet", "./app/tray", "./cmd/vivarium-menubar")
		cmd.Dir, cmd.Env = root, env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", arch.name, out)
	}
}

func TestOurObjectiveCHasNoWarnings(t *testing.T) {
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	var files []string
	for _, pattern := range []string{"app/*/*.m", "cmd/*/*.m"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.NotEmpty(t, files)
	b := maker(root, "", filepath.Join(t.TempDir(), "zig")).builder
	for _, arch := range arches {
		env, err := b.env(arch.name, arch.zig, true)
		require.NoError(t, err)
		compiler := "clang"
		if b.zig != "" {
			compiler = filepath.Join(root, "packaging", "mac", "darwin", "macos-cc")
		}
		for _, file := range files {
			args := []string{"-c", "-o", filepath.Join(t.TempDir(), "out.o"), "-fobjc-arc", "-Wall", "-Wextra", "-Werror", file}
			if b.zig != "" {
				args = append([]string{arch.zig + "-macos." + minMacOS}, args...)
			}
			cmd := exec.Command(compiler, args...)
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s, %s: %s", file, arch.name, out)
		}
	}
}

func TestWhatIsNotDeclaredDoesNotLink(t *testing.T) {
	if theMac() != nil {
		t.Skip("a Mac has all declarations")
	}
	dir := t.TempDir()
	text := `package main

// #cgo LDFLAGS: -framework AppKit
// extern void NSBeep(void);
import "C"

func main() { C.NSBeep() }
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module beep\n\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(text), 0o600))
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	env, err := maker(root, "", filepath.Join(root, ".cache", "zig-cache")).env("arm64", "aarch64", true)
	require.NoError(t, err)
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "beep"), ".")
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "undefined symbol: _NSBeep")
}

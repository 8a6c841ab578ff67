package main

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

func value(env []string, name string) string {
	found := ""
	for _, v := range env {
		if n, text, _ := strings.Cut(v, "="); n == name {
			found = text
		}
	}
	return found
}

func TestWhatAPersonSetForOtherBuildsChangesNothing(t *testing.T) {
	b := builder{root: "../../..", cache: "/cache", zig: "/zig", environ: []string{"PATH=/bin", "HOME=/home/me", "CC=gcc", "CGO_CFLAGS=-g",
		"CGO_LDFLAGS=-L/mine", "GOFLAGS=-tags=mine", "GOARCH=wasm", "GOAMD64=v4", "GOEXPERIMENT=x", "SDKROOT=/sdk", "MACOSX_DEPLOYMENT_TARGET=26.0"}}
	env, err := b.env("arm64", "aarch64", true)
	require.NoError(t, err)
	require.Equal(t, "/home/me", value(env, "HOME"))
	require.Equal(t, "macos-cc aarch64-macos.12.0", value(env, "CC"), "by its name: a path would be part of Go's build IDs")
	require.Equal(t, "arm64", value(env, "GOARCH"))
	require.Equal(t, minMacOS, value(env, "MACOSX_DEPLOYMENT_TARGET"))
	require.Equal(t, filepath.Join("../../..", "packaging", "mac", "darwin")+":/bin", value(env, "PATH"))
	for _, v := range env {
		for _, mine := range []string{"-L/mine", "-tags=mine", "GOAMD64=v4", "GOEXPERIMENT", "SDKROOT", "CC=gcc"} {
			require.NotContains(t, v, mine)
		}
	}

	env, err = b.env("amd64", "x86_64", false)
	require.NoError(t, err)
	require.Equal(t, "0", value(env, "CGO_ENABLED"))
	require.Empty(t, value(env, "CC"))

	b.zig = ""
	env, err = b.env("amd64", "x86_64", true)
	require.NoError(t, err)
	require.Empty(t, value(env, "CC"), "a Mac has its clang")
	require.Contains(t, value(env, "CGO_LDFLAGS"), "-mmacosx-version-min=12.0")
	require.Contains(t, value(env, "CGO_CFLAGS"), "-mmacosx-version-min=12.0")
}

func TestANewHeaderIsANewBuild(t *testing.T) {
	root := t.TempDir()
	sdk := filepath.Join(root, "packaging", "mac", "darwin")
	require.NoError(t, os.MkdirAll(sdk, 0o755))
	flags := func() string {
		env, err := builder{root: root, zig: "/zig"}.env("arm64", "aarch64", true)
		require.NoError(t, err)
		return value(env, "CGO_CFLAGS")
	}
	require.NoError(t, os.WriteFile(filepath.Join(sdk, "a.h"), []byte("one"), 0o600))
	one := flags()
	require.Equal(t, one, flags())
	require.NoError(t, os.WriteFile(filepath.Join(sdk, "a.h"), []byte("two"), 0o600))
	require.NotEqual(t, one, flags())

	_, err := builder{root: filepath.Join(root, "none"), zig: "/zig"}.env("arm64", "aarch64", true)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestABuildThatFailsNamesItsProgram(t *testing.T) {
	b := builder{root: t.TempDir(), environ: os.Environ()}
	err := b.build(programs[0], "arm64", "aarch64", filepath.Join(t.TempDir(), "out"))
	require.ErrorContains(t, err, "building vivarium-keeper for arm64")
}

func TestTheCommandLine(t *testing.T) {
	for args, says := range map[string]string{
		"":                 "app, check or pack?",
		"paint":            `unknown command "paint"`,
		"check":            "check which bundle?",
		"check /nowhere":   "no such file",
		"app -commits few": "invalid value",
		"app":              "-zig is missing",
		"app -arch ppc":    "universal, amd64 or arm64?",
	} {
		if args == "app" && theMac() != nil {
			continue // it would build
		}
		require.ErrorContains(t, run(strings.Fields(args), io.Discard), says, args)
	}
	var out bytes.Buffer
	require.NoError(t, run([]string{"check", sample(t)}, &out))
	require.Contains(t, out.String(), "MacOS/Vivarium")
	require.Equal(t, 7, strings.Count(out.String(), "\n"), "a line for the bundle and one for each architecture of each program")
}

// deps are the import paths a package pulls in.
func deps(t *testing.T, path string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath", path)
	cmd.Env = append(os.Environ(), "GOOS=darwin", "CGO_ENABLED=1")
	out, err := cmd.Output()
	require.NoError(t, err, path)
	var all []string
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		all = append(all, p.ImportPath)
	}
}

func TestWhoSignsDoesNotVerify(t *testing.T) {
	pulls := func(path, module string) bool {
		return slices.ContainsFunc(deps(t, path), func(p string) bool { return strings.HasPrefix(p, module) })
	}
	const signs, reads = "github.com/blacktop/go-macho", "github.com/anchore/quill"
	require.True(t, pulls("./seal", signs))
	require.False(t, pulls("./seal", reads))
	require.True(t, pulls("./verify", reads))
	require.False(t, pulls("./verify", signs))
	require.False(t, pulls("./verify", module+"/packaging/mac/bundle/seal"))
	for _, program := range programs {
		for _, heavy := range []string{signs, reads, "howett.net/plist", module + "/packaging"} {
			require.False(t, pulls("../../../cmd/"+program.name, heavy), "%s has %s in it", program.name, heavy)
		}
	}
}

package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	module   = "github.com/vivarium-app/vivarium"
	minMacOS = "12.0" // what Go 1.26 itself targets; Info.plist says the same
)

// program is one of the three, and its place in the bundle.
type program struct {
	name     string // in cmd and in bin
	place    string // below Contents
	bundle   string // below Contents: the bundle of its own that it is the main program of, or ""
	id       string // appended to the app's identifier
	cgo      bool
	entitled bool // it can be responsible for a backend
}

const keeperBundle = "Helpers/Vivarium Keeper.app"

var programs = []program{
	{name: "vivarium-keeper", place: keeperBundle + "/Contents/MacOS/vivarium-keeper", bundle: keeperBundle, id: ".keeper", entitled: true},
	{name: "vivarium", place: "Helpers/vivarium", id: ".command"},
	{name: "vivarium-menubar", place: "MacOS/Vivarium", cgo: true, entitled: true},
}

// arch is a processor, and zig's name for it.
type arch struct{ name, zig string }

// arches in the order in which they stand in a universal file.
var arches = []arch{{"amd64", "x86_64"}, {"arm64", "aarch64"}}

// archesOf are those that -arch names: "universal" for all.
func archesOf(name string) ([]arch, error) {
	if name == "universal" {
		return arches, nil
	}
	for _, a := range arches {
		if a.name == name {
			return []arch{a}, nil
		}
	}
	return nil, fmt.Errorf("-arch %s: universal, amd64 or arm64?", name)
}

// builder compiles programs for macOS.
type builder struct {
	root    string // of the checkout
	cache   string // folder for zig's cache
	zig     string // path of zig; "" on a Mac, where the system's clang is used
	version string
	environ []string // usually os.Environ()
}

// build compiles one architecture of a program.
func (b builder) build(p program, arch, zigArch, out string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", out,
		"-ldflags", fmt.Sprintf("-s -w -X %s/supervisor/keeper.Version=%s", module, b.version)}
	if p.name != "vivarium-keeper" { // the keeper is small, and carries every line of the log
		// Nothing is inlined: these programs wait for most of their lives, and so the download is an eighth smaller.
		args = append(args, "-gcflags=all=-l")
	}
	cmd := exec.Command("go", append(args, "./cmd/"+p.name)...)
	cmd.Dir = b.root
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	env, err := b.env(arch, zigArch, p.cgo)
	if err != nil {
		return err
	}
	cmd.Env = env
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s for %s: %w", p.name, arch, err)
	}
	return nil
}

// env is the environment of a build. Nothing that a person or a CI set for other builds may change the bytes.
func (b builder) env(arch, zigArch string, cgo bool) ([]string, error) {
	var env []string
	path := ""
	for _, v := range b.environ {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case name == "PATH":
			path = value
		case strings.HasPrefix(name, "CGO_"), name == "CC", name == "CXX", name == "GOFLAGS", name == "GOOS", name == "GOARCH",
			name == "GOAMD64", name == "GOARM64", name == "GOEXPERIMENT", name == "SDKROOT", name == "MACOSX_DEPLOYMENT_TARGET":
		default:
			env = append(env, v)
		}
	}
	env = append(env, "GOOS=darwin", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off", "MACOSX_DEPLOYMENT_TARGET="+minMacOS)
	if !cgo {
		return append(env, "PATH="+path, "CGO_ENABLED=0"), nil
	}
	env = append(env, "CGO_ENABLED=1")
	if b.zig == "" {
		flag := "-mmacosx-version-min=" + minMacOS
		return append(env, "PATH="+path, "CGO_CFLAGS=-O2 "+flag, "CGO_LDFLAGS="+flag+" -Wl,-dead_strip_dylibs"), nil
	}
	sdk := filepath.Join(b.root, "packaging", "mac", "darwin")
	sum, err := digest(sdk)
	if err != nil {
		return nil, err
	}
	return append(env,
		// The compiler goes by its name: a path would be part of what Go derives build IDs from.
		"PATH="+sdk+string(os.PathListSeparator)+path, "CC=macos-cc "+zigArch+"-macos."+minMacOS,
		// Go does not know that our headers are an input: the define has it compile again when they change.
		"CGO_CFLAGS=-O2 -DVIVARIUM_SDK="+sum,
		"ZIG="+b.zig, "ZIG_GLOBAL_CACHE_DIR="+b.cache, "ZIG_LOCAL_CACHE_DIR="+b.cache,
	), nil
}

// digest is a short sum over the content of a folder.
func digest(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, path)
		fmt.Fprintf(sum, "%s %d\n%s", below, len(content), content)
		return err
	})
	return fmt.Sprintf("%x", sum.Sum(nil)[:6]), err
}

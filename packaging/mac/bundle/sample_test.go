package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/packaging/mac/bundle/verify"
)

// secret stands in the sample programs as a folder of the building computer would.
const secret = "/srv/builder/of/the/sample/"

// slicesOnce are the programs of the sample, compiled once for all tests.
var slicesOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "slices")
	if err != nil {
		return "", err
	}
	os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module sample\n\ngo 1.26\n"), 0o600)
	text := "package main\n\nvar name string\n\nfunc main() { println(name, %q) }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), fmt.Appendf(nil, text, secret), 0o600); err != nil {
		return "", err
	}
	for _, p := range programs {
		for _, arch := range arches {
			cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.name="+p.name, "-o", slice(dir, p, arch.name), ".")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch.name, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("%w\n%s", err, out)
			}
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := slicesOnce(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// copySlices copies the sample's programs, still unsigned.
func copySlices(to string) error {
	from, err := slicesOnce()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, p := range programs {
		for _, arch := range arches {
			content, err := os.ReadFile(slice(from, p, arch.name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(slice(to, p, arch.name), content, 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

// slicesOf is a folder of its own with the sample's programs.
func slicesOf(t *testing.T) string {
	t.Helper()
	work := t.TempDir()
	require.NoError(t, copySlices(work))
	return work
}

// sampleOnce is a whole bundle, made as the real one is but for its small programs.
var sampleOnce = sync.OnceValues(func() (string, error) {
	work, err := slicesOnce()
	if err != nil {
		return "", err
	}
	unsigned := filepath.Join(work, "to-be-signed")
	if err := copySlices(unsigned); err != nil {
		return "", err
	}
	out := filepath.Join(work, "Vivarium.app")
	a := app{builder: builder{root: "../../..", version: "v1.2.3-4-gabc"}, out: out, arches: arches, commits: 56, identity: "-"}
	return out, a.assemble(unsigned, io.Discard)
})

// sample is a copy of it.
func sample(t *testing.T) string {
	t.Helper()
	whole, err := sampleOnce()
	require.NoError(t, err)
	bundle := filepath.Join(t.TempDir(), "Vivarium.app")
	require.NoError(t, os.CopyFS(bundle, os.DirFS(whole)))
	return bundle
}

func verified(bundle string) error {
	_, err := verify.App(bundle, want(nil, arches))
	return err
}

//go:build e2e

// Package e2e shows the promises of the README with the real programs, real Python servers, real sockets and real kill -9.
// It looks from the outside: the rows of `vivarium run --json`, the files and processes on the machine, and HTTP.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Programs under test: those of VIVARIUM_BIN, else built here once.
var vivarium, binaries string

func TestMain(m *testing.M) {
	code, err := within(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func within(m *testing.M) (int, error) {
	binaries = os.Getenv("VIVARIUM_BIN")
	if binaries == "" {
		dir, err := os.MkdirTemp("", "vivarium-e2e-")
		if err != nil {
			return 1, err
		}
		defer os.RemoveAll(dir)
		binaries = dir
		if err := os.Chmod(dir, 0o755); err != nil { // some tests run them as another user
			return 1, err
		}
		for _, name := range []string{"vivarium", "vivarium-keeper"} {
			cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, name), "../../../cmd/"+name)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				return 1, fmt.Errorf("building %s: %w\n%s", name, err, out)
			}
		}
	}
	vivarium = filepath.Join(binaries, "vivarium")
	return m.Run(), nil
}

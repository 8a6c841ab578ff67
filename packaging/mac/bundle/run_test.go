package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dry is what `make run` would do on a Mac with these tools, line by line.
func dry(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("make", append([]string{"-n", "--no-print-directory", "run", "os=Darwin", "version=v1.2.3"}, args...)...)
	cmd.Dir = "../../.."
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func TestOnAMacMakeRunMakesAnAppForItsChipAndRunsItsProgram(t *testing.T) {
	said := dry(t, "tray=yes", "chip=arm64")
	app := strings.Index(said, "go run ./packaging/mac/bundle app -o dist -arch 'arm64' -version 'v1.2.3'")
	program := strings.Index(said, "dist/arm64/Vivarium.app/Contents/MacOS/Vivarium --demo")
	require.Positive(t, app, said)
	require.Greater(t, program, app, said)
	require.NotContains(t, said, "-zig", "a Mac has its own compiler")
	require.NotContains(t, said, "bin/vivarium-menubar")
	require.Equal(t, bundleFor("dist", "arm64")+"/Contents/MacOS/Vivarium", "dist/arm64/Vivarium.app/Contents/"+programs[2].place)
}

// What an installer put where a shell does not look is found for the name of the chip, too: the make that macOS has gives $(shell) no exported PATH.
func TestTheChipIsAskedOfTheGoThatIsUsed(t *testing.T) {
	elsewhere := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "go"), []byte("#!/bin/sh\necho chip-of-$2\n"), 0o755))
	text, err := os.ReadFile("../../../Makefile")
	require.NoError(t, err)
	changed := strings.Replace(string(text), "/usr/local/go/bin:/opt/homebrew/bin:/usr/local/bin", elsewhere, 1)
	require.NotEqual(t, string(text), changed)
	file := filepath.Join(t.TempDir(), "Makefile")
	require.NoError(t, os.WriteFile(file, []byte(changed+"\ntold:\n\t@echo $(chip)\n"), 0o600))
	cmd := exec.Command("make", "-s", "-f", file, "told", "os=Darwin", "tray=yes")
	cmd.Dir, cmd.Env = "../../..", []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "chip-of-GOARCH\n", string(out))
}

func TestOnAMacWithoutToolsMakeRunSaysSoAndRunsInTheTerminal(t *testing.T) {
	said := dry(t, "tray=install the command line tools: xcode-select --install")
	require.Contains(t, said, "Without the menu-bar program, which needs more to be built: install the command line tools: xcode-select --install")
	require.Contains(t, said, "bin/vivarium run --demo")
	require.NotContains(t, said, "packaging/mac/bundle")
}

// needed runs a target of the Makefile where only these tools are, and returns what it says.
func needed(t *testing.T, target string, tools map[string]string, args ...string) (string, error) {
	t.Helper()
	bin := t.TempDir()
	for name, text := range tools {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o755))
	}
	for _, name := range []string{"sh", "uname", "find", "sed", "git", "test", "make"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(bin, name)))
	}
	// The Makefile looks for Go where installers put it; here it is not to find it.
	text, err := os.ReadFile("../../../Makefile")
	require.NoError(t, err)
	changed := strings.Replace(string(text), "$(PATH):/usr/local/go/bin:/opt/homebrew/bin:/usr/local/bin", "$(PATH)", 1)
	require.NotEqual(t, string(text), changed)
	file := filepath.Join(t.TempDir(), "Makefile")
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	cmd := exec.Command("make", append([]string{"-s", "-f", file, target, "os=Darwin", "tray=yes"}, args...)...)
	cmd.Dir = "../../.."
	cmd.Env = []string{"PATH=" + bin, "HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestEachMissingToolIsOneLine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: a Mac has these tools")
	}
	said, err := needed(t, "go", nil)
	require.Error(t, err)
	require.Contains(t, said, "Vivarium is written in Go: install 1.26 or newer from https://go.dev/dl (on a Mac: brew install go)")
	require.NotContains(t, said, "not found")

	said, err = needed(t, "go", map[string]string{"go": `[ "$1" != list ] && echo go version go1.19 darwin/arm64`})
	require.Error(t, err)
	require.Contains(t, said, "go version go1.19 darwin/arm64 is too old: install 1.26 or newer")

	const line = "The demo needs a Python: brew install python, or https://www.python.org/downloads\n"
	said, err = needed(t, "python-or-line", nil)
	require.NoError(t, err)
	require.Equal(t, line, said)
	said, err = needed(t, "python-or-line", map[string]string{"python3": ""})
	require.NoError(t, err)
	require.Empty(t, said)
}

// Apple's python3 without the command line tools is a shim: it is never run, or it would open a dialog.
func TestApplesShimIsNoPythonWithoutTheToolsBehindIt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: a Mac has these tools")
	}
	const shim = "shim=$(shell command -v python3)" // as on a Mac, where /usr/bin/python3 is the first one
	dialog := map[string]string{"python3": "echo a dialog opens"}
	said, err := needed(t, "python-or-line", dialog, shim)
	require.NoError(t, err)
	require.Equal(t, "The demo needs a Python: brew install python, or https://www.python.org/downloads\n", said)

	dialog["xcode-select"] = "exit 2"
	said, err = needed(t, "python-or-line", dialog, shim)
	require.NoError(t, err)
	require.Contains(t, said, "The demo needs a Python")
	require.NotContains(t, said, "dialog")

	dialog["xcode-select"] = "echo /Library/Developer/CommandLineTools"
	said, err = needed(t, "python-or-line", dialog, shim)
	require.NoError(t, err)
	require.Empty(t, said)
}

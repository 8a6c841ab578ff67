//go:build e2e

package dashboard

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The exact versions that are fetched for the tests. None is part of what is shipped.
const (
	axeCore    = "axe-core@4.11.0"
	typescript = "typescript@5.9.3"
	eslint     = "eslint@9.9.1"
)

// npm fetches a package into the user's cache, once, and returns its folder; "" where there is no npm, or nothing can be fetched.
func npm(name, pkg string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	at := filepath.Join(cache, "vivarium-checks", pkg)
	folder := filepath.Join(at, "node_modules", name)
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if os.MkdirAll(at, 0o755) != nil || exec.Command("npm", "install", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", at, pkg).Run() != nil {
		return ""
	}
	return folder
}

var axeScript = sync.OnceValue(func() string {
	text, err := os.ReadFile(filepath.Join(npm("axe-core", axeCore), "axe.min.js"))
	if err != nil {
		return ""
	}
	return string(text)
})

// axe asserts that the page can be used by everyone, as far as https://github.com/dequelabs/axe-core can tell.
func axe(t *testing.T, b *tab) {
	t.Helper()
	script := axeScript()
	if script == "" {
		return // TestAccessibilityIsChecked says so
	}
	var violations []struct {
		ID, Help string
		Nodes    []struct {
			HTML           string
			FailureSummary string
		}
	}
	b.eval(script+"; true", nil)
	b.eval(`axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations)`, &violations)
	text, err := json.MarshalIndent(violations, "", " ")
	require.NoError(t, err)
	require.Empty(t, violations, string(text))
}

func TestAccessibilityIsChecked(t *testing.T) {
	needs(t, axeScript() != "", "axe-core cannot be fetched from npm: whether everyone can use the pages is not checked")
}

func TestTheScriptsAreTyped(t *testing.T) {
	folder := npm("typescript", typescript)
	needs(t, folder != "", "typescript cannot be fetched from npm")
	out, err := exec.Command("node", filepath.Join(folder, "bin", "tsc"), "-p", "tsconfig.json").CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestTheScriptsAreLinted(t *testing.T) {
	folder := npm("eslint", eslint)
	needs(t, folder != "", "eslint cannot be fetched from npm")
	cmd := exec.Command("node", filepath.Join(folder, "bin", "eslint.js"), "-c", "packaging/checks/dashboard/eslint.config.mjs", "app/dashboard/static")
	cmd.Dir = "../../.." // what lies outside is not looked at
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestTheScriptsAreSmall(t *testing.T) {
	files, err := filepath.Glob("../../../app/dashboard/static/*.js")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	size := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		size += len(text)
		require.NotContains(t, string(text), "eval(")
	}
	require.Less(t, size, 60_000)
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.com/house\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func TestTheNamesThatCrossAnImportAreCountedOnce(t *testing.T) {
	rooms, err := measure(module(t, map[string]string{
		"low/low.go":           "package low\n\ntype Kind string\n\nconst A Kind = \"a\"\n\nfunc hidden() {}\n\nfunc (Kind) Method() { hidden() }\n",
		"low/low_test.go":      "package low\n\nvar OnlyForTests = 1\n",
		"high/high.go":         "package high\n\nimport \"example.com/house/low\"\n\nfunc F() low.Kind { low.A.Method(); return low.A }\n",
		"high/high_windows.go": "package high\n\nvar OnlyElsewhere = 1\n",
	}))
	require.NoError(t, err)
	require.Equal(t, []room{
		{path: "low", files: 1, lines: 9, exported: 2, uses: map[string]map[string]bool{}},
		{path: "high", files: 1, lines: 5, exported: 1, uses: map[string]map[string]bool{"low": {"Kind": true, "A": true}}},
	}, rooms)
	var out strings.Builder
	print(&out, rooms)
	require.Contains(t, out.String(), "2 packages, 1 arrows, 2 names cross them")
}

func TestCodeThatDoesNotCompileIsAnErrorThatNamesIt(t *testing.T) {
	_, err := measure(module(t, map[string]string{"bad/bad.go": "package bad\n\nvar X = missing\n"}))
	require.ErrorContains(t, err, "example.com/house/bad")
	require.ErrorContains(t, err, "missing")
}

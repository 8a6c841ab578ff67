package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// withPython gives the backend in dir a virtual environment of its own, without a package in it.
func withPython(t *testing.T, dir string) (root string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	root = filepath.Join(root, ".venv")
	write(t, filepath.Join(dir, "main.py"), "app = None\n")
	write(t, filepath.Join(root, "pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.2\n")
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "bin"), 0o755))
	require.NoError(t, os.Symlink(self, filepath.Join(root, "bin", "python"))) // it is looked at, and never started
	require.NoError(t, os.MkdirAll(filepath.Join(root, "lib", "python3.11", "site-packages"), 0o755))
	return root
}

func TestAnEnvironmentWithoutTwoRuntimesHasNothingToCureAndNothingToUndo(t *testing.T) {
	_, dir := atHome(t)
	root := withPython(t, dir)
	for _, args := range [][]string{{"doctor", "--fix", "."}, {"doctor", "--fix", "--dry-run", "."}, {"doctor", "--fix", "--yes", "."}} {
		out, told, code := do(t, args...)
		require.Zero(t, code, "%q: %s", args, told)
		require.Contains(t, out, "There is nothing to cure", "%q", args)
	}
	out, told, code := do(t, "doctor", "--fix", "--json", ".")
	require.Zero(t, code, told)
	var row cureRow
	require.NoError(t, json.Unmarshal([]byte(out), &row), out)
	require.Equal(t, "fix", row.Action)
	require.Equal(t, root, row.Root)
	require.False(t, row.Done)
	require.Empty(t, row.Links)

	_, told, code = do(t, "doctor", "--undo", "--yes", ".")
	require.Equal(t, codeFailed, code)
	require.Contains(t, told, "was not changed by Vivarium")
	require.NoDirExists(t, filepath.Join(root, ".vivarium-openmp"), "nothing is left in it")
}

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

func TestACureAsksBeforeItRemovesWhatAnEarlierOneLeft(t *testing.T) {
	_, dir := atHome(t)
	left := filepath.Join(withPython(t, dir), ".vivarium-openmp")
	require.NoError(t, os.Mkdir(left, 0o700))
	write(t, filepath.Join(left, "lock"), "")
	out, told, code := do(t, "doctor", "--fix", ".")
	require.Equal(t, codeUsage, code, told)
	require.Contains(t, out, "This would be done:\n  remove "+left)
	require.Contains(t, told, "say --yes")
	out, _, code = do(t, "doctor", "--fix", "--dry-run", ".")
	require.Zero(t, code)
	require.Contains(t, out, "remove "+left)
	require.FileExists(t, filepath.Join(left, "lock"))
	_, told, code = do(t, "doctor", "--fix", "--yes", ".")
	require.Zero(t, code, told)
	require.NoDirExists(t, left)
}

func TestACureNeverFollowsALinkOutOfTheEnvironment(t *testing.T) {
	_, dir := atHome(t)
	root := withPython(t, dir)
	victim := filepath.Join(dir, "victim")
	write(t, filepath.Join(victim, "precious"), "mine")
	require.NoError(t, os.Symlink(victim, filepath.Join(root, ".vivarium-openmp")))
	for _, args := range [][]string{{"--fix"}, {"--fix", "--yes"}, {"--fix", "--dry-run"}, {"--undo", "--yes"}} {
		_, told, code := do(t, append([]string{"doctor", "."}, args...)...)
		require.Equal(t, codeFailed, code, "%q", args)
		require.Contains(t, told, "nothing was changed: "+filepath.Join(root, ".vivarium-openmp")+" is not a folder", "%q", args)
		files, err := os.ReadDir(victim)
		require.NoError(t, err)
		require.Len(t, files, 1, "%q", args)
	}
}

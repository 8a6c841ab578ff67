package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoCommandTrustsAStateFolderThatOthersCanWriteInto(t *testing.T) {
	for _, folder := range []string{".", "b", "bin"} {
		state, dir := atHome(t)
		write(t, filepath.Join(dir, "vivarium.toml"), "command = [\"true\"]\n")
		require.NoError(t, os.MkdirAll(filepath.Join(state, "b"), 0o700))
		require.NoError(t, os.MkdirAll(filepath.Join(state, "bin"), 0o700))
		require.NoError(t, os.Chmod(filepath.Join(state, folder), 0o777))
		for _, args := range [][]string{{"status"}, {"run"}, {"start"}, {"stop"}, {"crashes"}, {"doctor"}} {
			out, told, code := do(t, args...)
			require.Equal(t, codeFailed, code, "%q: %s%s", args, out, told)
			require.Contains(t, told, filepath.Join(state, folder)+" can be written by other users", "%q", args)
			require.Contains(t, told, "chmod go-w", "%q", args)
		}
		files, err := os.ReadDir(filepath.Join(state, "b"))
		require.NoError(t, err)
		require.Empty(t, files)
	}
}

func TestAPageNeverWritesThroughALink(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "page.html"), filepath.Join(dir, "victim")
	write(t, victim, "precious")
	require.NoError(t, os.Symlink(victim, path+".new"))
	require.NoError(t, replaceFile(path, []byte("page")))
	text, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
}

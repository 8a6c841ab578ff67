package testkit

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// RealTemp is a folder as the kernel names it.
func RealTemp(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	return dir
}

// Folder makes a backend's folder of files.
func Folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(ShortDir(t), "my backend")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
	}
	return dir
}

func Contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Type().IsRegular() {
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(t, err)
			all[e.Name()] = string(text)
		}
	}
	return all
}

const FastAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get('/health')\ndef health(): return 'ok'\n"

const IsMac = runtime.GOOS == "darwin"

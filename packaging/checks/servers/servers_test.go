//go:build servers

// Package servers tries the table of servers on real ones: each from PyPI in an environment of its own, found by `init`, kept by `run`, with kills
// of the server and of a worker, a stop, and a copy that was started by hand. With -short only the small ones. -update writes the outcome into
// packaging/docs/servers.md. The environments are kept in the user's cache folder. Begin with testdata/servers.txt, then TestRealServers.
package servers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// backend is one case: a folder, what is installed, and the row that it must be.
type backend struct {
	row      string // of what the application is made with
	packages []string
	small    bool
	workers  bool   // it has workers, of which one is killed
	ready    string // what a program without a port says in its log when it is up
	files    map[string]string
}

// readBackends reads "=== row", "packages: …", "small", "workers", "ready: …", and "-- name --" with a file's text.
func readBackends(t *testing.T) []backend {
	t.Helper()
	text, err := os.ReadFile("testdata/servers.txt")
	require.NoError(t, err)
	var all []backend
	name := ""
	for line := range strings.Lines(string(text)) {
		if row, ok := strings.CutPrefix(line, "=== "); ok {
			all = append(all, backend{row: strings.TrimSpace(row), files: map[string]string{}})
			name = ""
			continue
		}
		b := &all[len(all)-1]
		switch {
		case strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --\n"):
			name = line[3 : len(line)-4]
			b.files[name] = ""
		case name != "":
			b.files[name] += line
		case strings.HasPrefix(line, "packages:"):
			b.packages = strings.Fields(strings.TrimPrefix(line, "packages:"))
		case strings.HasPrefix(line, "ready: "):
			b.ready = strings.TrimSpace(strings.TrimPrefix(line, "ready: "))
		case line == "small\n":
			b.small = true
		case line == "workers\n":
			b.workers = true
		}
	}
	return all
}

// userCache is looked for once: some tests change the home folder.
var userCache = sync.OnceValues(os.UserCacheDir)

// cache is where environments are kept between runs.
func cache(t *testing.T) string {
	t.Helper()
	dir, err := userCache()
	require.NoError(t, err)
	dir = filepath.Join(dir, "vivarium", "servers")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}

func command(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", program, args, out)
	return string(out)
}

// uv is uv, which makes environments in seconds.
func uv(t *testing.T) string {
	t.Helper()
	if program, err := exec.LookPath("uv"); err == nil {
		return program
	}
	dir := filepath.Join(cache(t), "uv-tool")
	program := filepath.Join(dir, "bin", "uv")
	if _, err := os.Stat(program); err != nil {
		command(t, cache(t), "python3", "-m", "venv", dir)
		command(t, cache(t), filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "uv")
	}
	return program
}

// environment is an environment with the packages in it.
func environment(t *testing.T, name string, packages []string) string {
	t.Helper()
	dir := filepath.Join(cache(t), name)
	mark := filepath.Join(dir, ".ready")
	want := strings.Join(packages, "\n")
	if have, err := os.ReadFile(mark); err == nil && string(have) == want {
		return dir
	}
	command(t, cache(t), uv(t), "venv", "--quiet", "--clear", dir)
	if len(packages) > 0 {
		command(t, cache(t), uv(t), append([]string{"pip", "install", "--quiet", "--compile-bytecode", "--python", filepath.Join(dir, "bin", "python")}, packages...)...)
	}
	require.NoError(t, os.WriteFile(mark, []byte(want), 0o644))
	return dir
}

// installed tells what is in an environment, as the metadata folders say it.
func installed(t *testing.T, env string) func(string) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(env, "lib", "python3*", "site-packages", "*.dist-info"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, f := range found {
		name, _, _ := strings.Cut(filepath.Base(f), "-")
		names[strings.ToLower(strings.ReplaceAll(name, "_", "-"))] = true
	}
	return func(name string) bool { return names[name] }
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mac is a made-up computer: folders and files below a temporary root, the backend and a home among them.
type mac struct {
	t                *testing.T
	root, home, dir  string
	goos             string
	env              map[string]string
	interactive, own bool
}

func newMac(t *testing.T) *mac {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	m := &mac{t: t, root: root, goos: "darwin", home: filepath.Join(root, "Users/ada"), dir: filepath.Join(root, "Users/ada/backend"),
		env: map[string]string{"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}}
	require.NoError(t, os.MkdirAll(m.dir, 0o755))
	return m
}

// put writes an executable file below the root and returns its path.
func (m *mac) put(path, text string) string {
	m.t.Helper()
	path = m.at(path)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(m.t, os.WriteFile(path, []byte(text), 0o755))
	return path
}

func (m *mac) at(path string) string {
	if strings.HasPrefix(path, m.root) {
		return path
	}
	return filepath.Join(m.root, path)
}

const machine64 = "\xcf\xfa\xed\xfe not really, but no script"

// python puts an interpreter: lib/pythonX.Y/site-packages beside the binary.
func (m *mac) python(prefix, minor string) string {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(m.at(prefix+"/lib/python"+minor+"/site-packages"), 0o755))
	p := m.put(prefix+"/bin/python"+minor, machine64)
	m.link("python"+minor, prefix+"/bin/python3")
	return p
}

func (m *mac) link(to, path string) {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(filepath.Dir(m.at(path)), 0o755))
	require.NoError(m.t, os.Symlink(to, m.at(path)))
}

// venv puts a virtual environment whose python links to the interpreter.
func (m *mac) venv(dir, interpreter, cfg string) string {
	m.t.Helper()
	m.link(interpreter, dir+"/bin/python3")
	m.link("python3", dir+"/bin/python")
	require.NoError(m.t, os.MkdirAll(m.at(dir+"/lib/python3.11/site-packages"), 0o755))
	require.NoError(m.t, os.WriteFile(m.at(dir+"/pyvenv.cfg"), []byte(cfg), 0o644))
	return m.at(dir + "/bin/python")
}

const cfg311 = "home = /opt/homebrew/opt/python@3.11/bin\ninclude-system-site-packages = false\nversion = 3.11.9\n"

const shim = "#!/usr/bin/env bash\nset -e\nprogram=\"${0##*/}\"\nexport PYENV_ROOT=\"/x\"\nexec \"pyenv\" exec \"$program\" \"$@\"\n"

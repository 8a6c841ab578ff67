package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mac is a made-up computer: folders and files below a temporary root, the backend and a home among them.
type Mac struct {
	T                *testing.T
	Root, Home, Dir  string
	GOOS             string
	Env              map[string]string
	Interactive, Own bool
}

func NewMac(t *testing.T) *Mac {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	m := &Mac{T: t, Root: root, GOOS: "darwin", Home: filepath.Join(root, "Users/ada"), Dir: filepath.Join(root, "Users/ada/backend"),
		Env: map[string]string{"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}}
	require.NoError(t, os.MkdirAll(m.Dir, 0o755))
	return m
}

// Put writes an executable file below the root and returns its path.
func (m *Mac) Put(path, text string) string {
	m.T.Helper()
	path = m.At(path)
	require.NoError(m.T, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(m.T, os.WriteFile(path, []byte(text), 0o755))
	return path
}

func (m *Mac) At(path string) string {
	if strings.HasPrefix(path, m.Root) {
		return path
	}
	return filepath.Join(m.Root, path)
}

const Binary = "\xcf\xfa\xed\xfe not really, but no script"

// Python puts an interpreter: lib/pythonX.Y/site-packages beside the binary.
func (m *Mac) Python(prefix, minor string) string {
	m.T.Helper()
	require.NoError(m.T, os.MkdirAll(m.At(prefix+"/lib/python"+minor+"/site-packages"), 0o755))
	p := m.Put(prefix+"/bin/python"+minor, Binary)
	m.Link("python"+minor, prefix+"/bin/python3")
	return p
}

func (m *Mac) Link(to, path string) {
	m.T.Helper()
	require.NoError(m.T, os.MkdirAll(filepath.Dir(m.At(path)), 0o755))
	require.NoError(m.T, os.Symlink(to, m.At(path)))
}

// Venv puts a virtual environment whose python links to the interpreter.
func (m *Mac) Venv(dir, interpreter, cfg string) string {
	m.T.Helper()
	m.Link(interpreter, dir+"/bin/python3")
	m.Link("python3", dir+"/bin/python")
	require.NoError(m.T, os.MkdirAll(m.At(dir+"/lib/python3.11/site-packages"), 0o755))
	require.NoError(m.T, os.WriteFile(m.At(dir+"/pyvenv.cfg"), []byte(cfg), 0o644))
	return m.At(dir + "/bin/python")
}

const VenvConfig = "home = /opt/homebrew/opt/python@3.11/bin\ninclude-system-site-packages = false\nversion = 3.11.9\n"

const Shim = "#!/usr/bin/env bash\nset -e\nprogram=\"${0##*/}\"\nexport PYENV_ROOT=\"/x\"\nexec \"pyenv\" exec \"$program\" \"$@\"\n"

//go:build servers

package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/setup"
)

// tooled is a folder as a tool makes it.
type tooled struct {
	tool  string   // the package of the tool
	make  []string // what is run in an empty folder; the first word is a program of the tool
	dir   string   // the folder that it makes, "." if it fills the one in which it is run
	files map[string]string
	tests string // the row whose environment has what the project needs

	app, port string
	mends     string   // what makes the environment, as it is told while there is none
	makes     []string // makes an environment with the tool itself, in a place of the tool's own; nil if it is .venv
	finds     []string // says where that is
}

const packaged = "from fastapi import FastAPI\n\n\ndef create_app() -> FastAPI:\n    app = FastAPI()\n\n    @app.get(\"/healthz\")\n    def healthz():\n        return {}\n\n    return app\n\n\napp = create_app()\n"

var tools = map[string]tooled{
	"uv init --app":     {tool: "uv", make: []string{"uv", "init", "--app", "--no-workspace", "shop"}, dir: "shop", files: map[string]string{"main.py": fastapi}, tests: "fastapi", app: "main:app", port: "8000", mends: "uv sync"},
	"uv init --package": {tool: "uv", make: []string{"uv", "init", "--package", "--no-workspace", "my-shop"}, dir: "my-shop", files: map[string]string{"src/my_shop/web.py": packaged}, tests: "fastapi", app: "my_shop.web:app", port: "8000", mends: "uv sync"},
	"poetry new 1.8": {tool: "poetry<2", make: []string{"poetry", "new", "shop"}, dir: "shop", files: map[string]string{"shop/main.py": fastapi}, tests: "fastapi", app: "shop.main:app", port: "8000", mends: "poetry install",
		makes: []string{"poetry", "env", "use", "python3"}, finds: []string{"poetry", "env", "info", "--path"}},
	"poetry new 2": {tool: "poetry>=2", make: []string{"poetry", "new", "my-shop"}, dir: "my-shop", files: map[string]string{"src/my_shop/api.py": packaged}, tests: "fastapi", app: "my_shop.api:app", port: "8000", mends: "poetry install",
		makes: []string{"poetry", "env", "use", "python3"}, finds: []string{"poetry", "env", "info", "--path"}},
	"pdm init": {tool: "pdm", make: []string{"pdm", "init", "--non-interactive", "--python", "python3"}, dir: ".", files: map[string]string{"src/shop/__init__.py": "", "src/shop/main.py": fastapi}, tests: "fastapi", app: "shop.main:app", port: "8000", mends: "pdm install"},
	"hatch new": {tool: "hatch", make: []string{"hatch", "new", "My Shop"}, dir: "my-shop", files: map[string]string{"src/my_shop/app.py": packaged}, tests: "fastapi", app: "my_shop.app:app", port: "8000", mends: "hatch env create",
		makes: []string{"hatch", "env", "create"}, finds: []string{"hatch", "env", "find"}},
	"pipenv": {tool: "pipenv", make: []string{"pipenv", "--python", "python3", "install", "--skip-lock"}, dir: ".", files: map[string]string{"app.py": "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/health')\ndef health():\n    return 'ok'\n"}, tests: "flask", app: "app:app", port: "5000", mends: "pipenv install",
		makes: []string{"pipenv", "--python", "python3"}, finds: []string{"pipenv", "--venv"}},
	"django-admin":       {tool: "django", make: []string{"django-admin", "startproject", "site1"}, dir: "site1", files: map[string]string{"requirements.txt": "django\ndaphne\n"}, tests: "django", app: "site1.asgi:application", port: "8000", mends: "python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt"},
	"django-admin, flat": {tool: "django", make: []string{"django-admin", "startproject", "config", "."}, dir: ".", files: map[string]string{"requirements/base.txt": "django\ndaphne\n"}, tests: "django", app: "config.asgi:application", port: "8000", mends: "-r requirements/base.txt"},
}

// Folders as their tools make them, with an application added: the right one is found, with and without an environment, and it comes up.
func TestFoldersOfToolsAreUnderstood(t *testing.T) {
	if testing.Short() {
		t.Skip("the tools are many, and not small")
	}
	programs := built(t)
	cache(t) // before the home folder is another one
	for name, c := range tools {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			home := t.TempDir()
			in := func(dir string, words []string) string {
				cmd := exec.Command(filepath.Join(toolEnvironment(t, c.tool), "bin", words[0]), words[1:]...)
				cmd.Dir, cmd.Env = dir, toolEnviron(home)
				out, err := cmd.Output()
				require.NoError(t, err, "%v: %s", words, out)
				return strings.TrimSpace(string(out))
			}
			in(top, c.make)
			dir, err := filepath.EvalSymlinks(filepath.Join(top, c.dir))
			require.NoError(t, err)
			for file, text := range c.files {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644))
			}
			for _, e := range toolEnviron(home) {
				name, value, _ := strings.Cut(e, "=")
				if strings.HasPrefix(name, "XDG_") || name == "HOME" || name == "WORKON_HOME" {
					t.Setenv(name, value)
				}
			}
			forget(t, dir, home)
			f, err := setup.Inspect(dir, true)
			require.NoError(t, err)
			require.Equal(t, c.app, f.App)
			require.Contains(t, f.Mend+f.PythonProblem, c.mends, "without an environment")
			if c.makes != nil {
				in(dir, c.makes)
				f, err = setup.Inspect(dir, true)
				require.NoError(t, err)
				require.Equal(t, in(dir, c.finds), f.PythonValue, "the tool's own")
			}
			comesUp(t, programs, dir, c)
		})
	}
}

// comesUp sets the folder up as a person without a terminal would, and starts it.
func comesUp(t *testing.T, programs, dir string, c tooled) {
	t.Helper()
	r := newRig(t, programs, backend{row: c.tests, packages: packagesOf(t, c.tests), files: nil})
	r.dir = dir
	require.NoError(t, os.RemoveAll(filepath.Join(dir, ".venv"))) // pdm's own, without packages
	require.NoError(t, os.Symlink(r.env, filepath.Join(dir, ".venv")))
	r.port = freePort(t)
	require.Contains(t, r.do("init", "--dry-run"), "Port: "+c.port)
	said := r.do("init", "--dry-run", "--port", strconv.Itoa(r.port))
	require.Contains(t, said, "Server: "+c.app)
	require.NotContains(t, said, "would not start")
	r.do("init", "--port", strconv.Itoa(r.port))
	f := r.run()
	f.healthy()
	r.do("stop")
	<-f.done
	r.nothing()
}

// forget takes away what the tool has made of an environment while it made the folder.
func forget(t *testing.T, dir, home string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(filepath.Join(dir, ".venv")))
	for _, place := range []string{".local/share/virtualenvs", ".cache/pypoetry/virtualenvs", ".local/share/hatch/env"} {
		require.NoError(t, os.RemoveAll(filepath.Join(home, place)))
	}
}

func packagesOf(t *testing.T, row string) []string {
	t.Helper()
	for _, b := range readBackends(t) {
		if b.row == row {
			return b.packages
		}
	}
	t.Fatalf("there is no row %s", row)
	return nil
}

func toolEnvironment(t *testing.T, tool string) string {
	t.Helper()
	name := strings.NewReplacer("<2", "-1", ">=2", "-2").Replace(tool)
	return environment(t, "tool-"+name, []string{tool})
}

// toolEnviron keeps a tool away from what the person has, and from the environment in which the tests run.
func toolEnviron(home string) []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if name != "VIRTUAL_ENV" && name != "CONDA_PREFIX" && name != "HOME" && !strings.HasPrefix(name, "XDG_") && !strings.HasPrefix(name, "POETRY_") && !strings.HasPrefix(name, "HATCH_") && !strings.HasPrefix(name, "PIPENV_") {
			env = append(env, e)
		}
	}
	return append(env, "HOME="+home, "XDG_CACHE_HOME="+home+"/.cache", "XDG_DATA_HOME="+home+"/.local/share", "XDG_CONFIG_HOME="+home+"/.config", "WORKON_HOME="+home+"/.local/share/virtualenvs", "PIPENV_IGNORE_VIRTUALENVS=1", "PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring", "GIT_CONFIG_GLOBAL=/dev/null")
}

package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestTheEnvironmentOfTheInterpreterIsTheActiveOne(t *testing.T) {
	m := ready(t)
	m.Env["PATH"] = "/other/bin:/usr/bin:" + m.Dir + "/.venv/bin:/bin"
	m.Env["VIRTUAL_ENV"], m.Env["CONDA_PREFIX"], m.Env["CONDA_DEFAULT_ENV"] = "/other", "/conda", "base"
	p := planOf(m, nil)
	env := m.Dir + "/.venv"
	got, _ := envOf(p, "VIRTUAL_ENV")
	require.Equal(t, env, got)
	got, _ = envOf(p, "PATH")
	require.Equal(t, env+"/bin:/usr/bin:/bin", got, "another environment's programs are not found by name")
	for _, name := range []string{"CONDA_PREFIX", "CONDA_DEFAULT_ENV"} {
		_, ok := envOf(p, name)
		require.False(t, ok, name)
	}
	p = planOf(m, func(c *config.Config) { c.Environment = map[string]string{"PATH": "/mine", "VIRTUAL_ENV": ""} })
	got, _ = envOf(p, "PATH")
	require.Equal(t, "/mine", got, "what a person sets counts")
	_, ok := envOf(p, "VIRTUAL_ENV")
	require.False(t, ok)
}

func TestACondaEnvironmentIsNamedAsOne(t *testing.T) {
	m := ready(t)
	m.Put(m.Dir+"/.venv/conda-meta/history", "")
	m.Env["VIRTUAL_ENV"] = "/other"
	p := planOf(m, nil)
	got, _ := envOf(p, "CONDA_PREFIX")
	require.Equal(t, m.Dir+"/.venv", got)
	_, ok := envOf(p, "VIRTUAL_ENV")
	require.False(t, ok)
}

func TestAPythonOutsideOfEveryEnvironmentActivatesNone(t *testing.T) {
	m := testkit.NewMac(t)
	m.Python("/opt/homebrew", "3.11")
	m.Env["VIRTUAL_ENV"] = "/other"
	p := planOf(m, nil)
	_, ok := envOf(p, "VIRTUAL_ENV")
	require.False(t, ok, "another project's is not this server's")
}

func TestAnEnvironmentThatIsGoneIsAnErrorAndNotAnotherPython(t *testing.T) {
	m := ready(t)
	m.Put(m.Dir+"/requirements.txt", "uvicorn\n")
	for name, c := range map[string]struct {
		python, says string
	}{
		"named":           {python: "venv2", says: ""},
		"named by folder": {python: "envs/ml", says: "the environment is gone"},
		"its interpreter": {python: "envs/ml/bin/python", says: "the environment is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Make(backendOf(m, func(k *config.Config) { k.Python = c.python }), planOptionsOf(m))
			var problem *python.Error
			require.ErrorAs(t, err, &problem)
			require.Contains(t, problem.Problem, c.says)
			if c.says != "" {
				require.Contains(t, problem.Remedy, "requirements.txt", "the whole command is told")
			}
		})
	}
	o := planOptionsOf(m)
	for _, recorded := range []string{m.Dir + "/.venv", m.Dir + "/venv"} { // in place of a gone one the folder has another
		o.Recorded = recorded
		_, err := Make(backendOf(m, nil), o)
		require.NoError(t, err)
	}
}

func TestTheSystemsPythonDoesNotTakeTheEnvironmentsPlace(t *testing.T) {
	m := testkit.NewMac(t)
	m.Python("/opt/homebrew", "3.11")
	o := planOptionsOf(m)
	_, err := Make(backendOf(m, nil), o)
	require.NoError(t, err, "it never had an environment")
	o.Recorded = m.Dir + "/.venv"
	_, err = Make(backendOf(m, nil), o)
	require.ErrorContains(t, err, "the environment is gone")
	_, err = Make(backendOf(m, func(c *config.Config) { c.Python = "python3" }), o)
	require.NoError(t, err, "a person says so")
}

func TestALauncherIsReplacedByThePythonThatItWouldStart(t *testing.T) {
	m := ready(t)
	python := m.Dir + "/.venv/bin/python"
	program := m.Put(m.Dir+"/.venv/bin/uvicorn", "#!"+python+"\nprint()\n")
	require.NoError(t, os.Chmod(program, 0o755))
	uv := m.Put("/usr/local/bin/uv", "binary")
	require.NoError(t, os.Chmod(uv, 0o755))
	bin := filepath.Dir(uv)
	m.Put(siteOf(m)+"/rich-13.9.dist-info/METADATA", "")
	for _, env := range []string{"other/.venv", ".pixi/envs/default", ".pixi/envs/gpu"} {
		m.Put(m.Dir+"/"+env+"/pyvenv.cfg", "home = /usr/bin\nversion = 3.12.1\n")
		require.NoError(t, os.Chmod(m.Put(m.Dir+"/"+env+"/bin/python", "binary"), 0o755))
	}
	for command, want := range map[string]string{
		"uv run uvicorn main:app --port {port}":      python + " " + program + " main:app --port 8000",
		"uv run --frozen python server.py":           python + " server.py",
		"uv run server.py":                           python + " server.py",
		"uv run -m pkg":                              python + " -m pkg",
		"poetry run uvicorn main:app":                python + " " + program + " main:app",
		"conda run -p .venv python server.py":        python + " server.py",
		"uv run --with torch uvicorn main:app":       uv + " run --with torch uvicorn main:app",
		"uv run --python 3.12 server.py":             uv + " run --python 3.12 server.py",
		"uv run --python 3.11 server.py":             python + " server.py",
		"uv run -p python3.11 server.py":             python + " server.py",
		"uv run --with rich server.py":               python + " server.py",
		"uv run --with 'rich>=99' server.py":         uv + " run --with 'rich>=99' server.py",
		"uv run --project other server.py":           m.Dir + "/other/.venv/bin/python server.py",
		"uv run --directory other -m pkg":            m.Dir + "/other/.venv/bin/python -m pkg",
		"uv run --isolated server.py":                uv + " run --isolated server.py",
		"pdm run python server.py":                   python + " server.py",
		"rye run python server.py":                   python + " server.py",
		"pipenv run python server.py":                python + " server.py",
		"poetry -C other run python server.py":       m.Dir + "/other/.venv/bin/python server.py",
		"hatch run python server.py":                 python + " server.py",
		"pixi run python server.py":                  m.Dir + "/.pixi/envs/default/bin/python server.py",
		"pixi run -e gpu python server.py":           m.Dir + "/.pixi/envs/gpu/bin/python server.py",
		"uv run not-there":                           uv + " run not-there",
		"uv pip list":                                uv + " pip list",
		"{python} -m uvicorn main:app --port {port}": python + " -m uvicorn main:app --port 8000",
	} {
		m.Env["PATH"] = bin
		p := planOf(m, func(c *config.Config) { c.Command = strings.Fields(command) })
		require.Equal(t, want, strings.Join(p.Spec.Argv, " "), command)
	}
}

func TestALauncherStaysWhereTheEnvironmentIsNotThereYet(t *testing.T) {
	m := testkit.NewMac(t)
	uv := m.Put("/usr/local/bin/uv", "binary")
	require.NoError(t, os.Chmod(uv, 0o755))
	m.Env["PATH"] = filepath.Dir(uv)
	m.Put(m.Dir+"/pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"uvicorn\"]\n")
	m.Put(m.Dir+"/uv.lock", "version = 1\n")
	p := planOf(m, func(c *config.Config) { c.Command = []string{"uv", "run", "uvicorn", "main:app"} })
	require.Equal(t, uv, p.Spec.Argv[0])
	require.Contains(t, strings.Join(p.Warnings, "\n"), "uv sync")
}

func TestThePlanKnowsWhatInstallsEverything(t *testing.T) {
	m := ready(t)
	require.Empty(t, planOf(m, nil).InstallAll)
	m.Put(m.Dir+"/requirements.txt", "FastAPI\nuvicorn[standard]>=0.30\n")
	p := planOf(m, nil)
	require.Contains(t, p.InstallAll, "requirements.txt")
	require.Equal(t, []string{"fastapi", "uvicorn"}, p.Declares)
}

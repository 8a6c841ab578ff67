package setup

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

// environment makes something that looks like a virtual environment with packages in it.
func anEnvironment(t *testing.T, dir string, packages ...string) {
	t.Helper()
	bin, site := filepath.Join(dir, "bin"), filepath.Join(dir, "lib", "python3.12", "site-packages")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	require.NoError(t, os.MkdirAll(site, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "python"), []byte("no script"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pyvenv.cfg"), []byte("home = /usr/bin\nversion = 3.12.1\n"), 0o644))
	for _, p := range packages {
		require.NoError(t, os.Mkdir(filepath.Join(site, p+".dist-info"), 0o755))
	}
}

func TestTheEnvironmentThatIsFoundIsWrittenDown(t *testing.T) {
	outside := filepath.Join(testkit.ShortDir(t), "outside")
	anEnvironment(t, outside)
	for name, c := range map[string]struct {
		files    map[string]string
		own      string
		active   string
		terminal bool
		value    string
	}{
		"its own":                   {own: ".venv", value: ".venv"},
		"another name":              {own: "env", value: "env"},
		"in a folder below":         {own: "backend/venv", value: "backend/venv"},
		"the terminal's":            {active: outside, terminal: true, value: outside},
		"the menu has no terminal":  {active: outside, value: ""},
		"its own before the others": {own: "venv", active: outside, terminal: true, value: "venv"},
		"what a script activates":   {own: "envs/ml", files: map[string]string{"start.sh": "#!/bin/sh\n. envs/ml/bin/activate\nuvicorn main:app\n"}, value: "envs/ml"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI, "start.sh": c.files["start.sh"]})
			if c.own != "" {
				anEnvironment(t, filepath.Join(dir, c.own))
			}
			t.Setenv("CONDA_PREFIX", "")
			t.Setenv("VIRTUAL_ENV", c.active)
			f, err := Inspect(dir, c.terminal)
			require.NoError(t, err)
			require.Equal(t, c.value, f.PythonValue)
			if c.value == "" {
				return
			}
			_, err = f.Write(WriteOptions{})
			require.NoError(t, err)
			written, err := config.Load(dir)
			require.NoError(t, err)
			require.Equal(t, c.value, written.Python)
			_, p, err := Planned(dir, false)
			require.NoError(t, err)
			require.Equal(t, f.Python, p.Python.Path, "a start takes what was found")
		})
	}
}

func TestTheServerThatIsInstalledIsTaken(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"app.py": "from quart import Quart\napp = Quart(__name__)\n"})
	anEnvironment(t, filepath.Join(dir, ".venv"), "quart-0.20", "uvicorn-0.38")
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	require.Contains(t, f.Command, "uvicorn")
	require.Empty(t, f.Missing)
}

func TestAServerThatIsNotInstalledIsSaidWithTheCommandThatMendsIt(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI})
	anEnvironment(t, filepath.Join(dir, ".venv"), "fastapi-0.120")
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	require.Equal(t, []string{"uvicorn"}, f.Missing)
	require.Contains(t, f.Mend, ".venv/bin/python")
	require.Contains(t, f.Mend, "uvicorn")
	require.Contains(t, strings.Join(f.Lines(), "\n"), "It would not start: Python module uvicorn is missing. Install it: ")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "requirements.txt"), []byte("fastapi\nuvicorn\n"), 0o644))
	f, err = Inspect(dir, false)
	require.NoError(t, err)
	require.Contains(t, f.Mend, "requirements.txt", "everything at once")
}

func TestWhatWouldEndItsStartIsSaidInItsWords(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI + "app = (\n"})
	anEnvironment(t, filepath.Join(dir, ".venv"), "fastapi-0.120", "uvicorn-0.38")
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".venv/lib/python3.12/site-packages/uvicorn"), 0o755))
	out, err := exec.Command("python3", "-c", "import os, sys; print(os.path.realpath(sys.executable))").Output()
	require.NoError(t, err)
	python := strings.TrimSpace(string(out))
	bin := filepath.Join(dir, ".venv/bin/python")
	require.NoError(t, os.Remove(bin))
	require.NoError(t, os.Symlink(python, bin))
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	free := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	require.Eventually(t, func() bool { // on a busy computer Python may take too long to be waited for
		f.ListenOn(free) // the default may be taken
		return len(f.Stops) > 0
	}, time.Minute, 10*time.Millisecond)
	require.Len(t, f.Stops, 1)
	require.Contains(t, f.Stops[0], "SyntaxError")
	require.Contains(t, f.Question(), f.Stops[0], "Add Backend says what init says")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.py"), []byte("app = 1\n"), 0o644))
	require.NoError(t, f.Choose("main:app"))
	f.ListenOn(free)
	require.Empty(t, f.Stops)
}

func TestAProjectWithoutItsEnvironmentIsToldTheCommandThatMakesIt(t *testing.T) {
	f := inspect(t, map[string]string{"main.py": testkit.FastAPI, "pyproject.toml": "[project]\nname = \"x\"\ndependencies = [\"fastapi\", \"uvicorn\"]\n", "uv.lock": "version = 1\n"})
	require.Contains(t, f.Mend, "uv sync")
	require.Contains(t, f.PythonProblem, "no environment yet")
	require.Empty(t, f.Missing, "what the project declares comes with its environment")
	require.Empty(t, f.PythonValue)
}

func TestWhatIsTakenAndWhatIsLeftOutStandsInTheFileAsComments(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{
		"main.py":  testkit.FastAPI,
		"start.sh": "#!/bin/sh\nulimit -n 4096\nalembic upgrade head\nexport API_TOKEN=s3cret\nuvicorn main:app --workers 2 --root-path /api --reload --port 8100\n",
	})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	require.Equal(t, []string{"{python}", "-m", "uvicorn", "main:app", "--workers", "2", "--root-path", "/api", "--port", "{port}"}, f.Command)
	_, err = f.Write(WriteOptions{})
	require.NoError(t, err)
	text := testkit.Contents(t, dir)[config.FileName]
	for _, said := range []string{"# taken over: start.sh:5", "# left out: start.sh:2 ulimit -n 4096", "# left out: start.sh:3 alembic upgrade head", "--reload"} {
		require.Contains(t, text, said)
		require.Contains(t, f.Question(), strings.TrimPrefix(strings.TrimPrefix(said, "# taken over: "), "# left out: "), "it is shown before")
	}
	require.NotContains(t, text, "s3cret")
	_, err = config.Load(dir)
	require.NoError(t, err)
}

func TestAServerWithACertificateIsAskedByTLS(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI, "start.sh": "#!/bin/sh\nuvicorn main:app --ssl-keyfile k.pem --ssl-certfile c.pem --port 8443\n"})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	require.Contains(t, f.Lines(), "Health: https://127.0.0.1:8443/health")
	_, err = f.Write(WriteOptions{})
	require.NoError(t, err)
	c, err := config.Load(dir)
	require.NoError(t, err)
	require.Equal(t, "https://127.0.0.1:8443/health", c.Health.URL)
}

func TestWhatAServerCannotDoWithoutIsWrittenUnasked(t *testing.T) {
	files := map[string]string{
		"pyproject.toml":       "[project]\nname = \"acme\"\nversion = \"0\"\ndependencies = [\"uvicorn\"]\n[project.scripts]\nserve = \"acme.__main__:main\"\n",
		"src/acme/__init__.py": "",
		"src/acme/__main__.py": "import uvicorn\n\ndef main():\n    uvicorn.run('acme.web:app', port=8123)\n\nif __name__ == '__main__':\n    main()\n",
		"src/acme/web.py":      testkit.FastAPI,
	}
	f := inspect(t, files)
	require.Equal(t, []string{"{python}", "-m", "acme"}, f.Command)
	require.Equal(t, 8123, f.Port)
	require.Zero(t, f.Offered())
	text, _ := f.Config(false)
	c, err := config.Parse(f.Dir, text)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"PYTHONPATH": "src"}, c.Environment)
}

func TestAServerOnAUnixSocketIsAskedThere(t *testing.T) {
	for script, url := range map[string]string{
		"uvicorn main:app --uds ./run/app.sock":    "unix:./run/app.sock:/health",
		"gunicorn -b unix:app.sock main:app":       "unix:app.sock:/health",
		"hypercorn --bind unix:/x/a.sock main:app": "unix:/x/a.sock:/health",
		"granian --uds a.sock main:app":            "unix:a.sock:/health",
	} {
		f := inspect(t, map[string]string{"main.py": testkit.FastAPI, "start.sh": "#!/bin/sh\n" + script + "\n"})
		require.Zero(t, f.Port)
		require.NotContains(t, f.Command, "{port}")
		require.Contains(t, strings.Join(f.Lines(), "\n"), "Socket: ")
		text, _ := f.Config(false)
		c, err := config.Parse(f.Dir, text)
		require.NoError(t, err)
		require.Equal(t, url, c.Health.URL)
		require.Zero(t, c.Port)
	}
}

func TestADescriptorThatNobodyHandsDownBecomesAPort(t *testing.T) {
	for script, command := range map[string]string{
		"uvicorn main:app --fd 3":           "{python} -m uvicorn main:app --port {port}",
		"gunicorn -b fd://3 main:app":       "{python} -m gunicorn -b 127.0.0.1:{port} main:app",
		"daphne --fd 3 main:app":            "{python} -m daphne main:app --port {port}",
		"hypercorn main:app --bind fd://12": "{python} -m hypercorn main:app --bind 127.0.0.1:{port}",
	} {
		f := inspect(t, map[string]string{"main.py": testkit.FastAPI, "start.sh": "#!/bin/sh\n" + script + "\n"})
		require.Equal(t, command, strings.Join(f.Command, " "))
		require.Equal(t, 8000, f.Port)
		require.Empty(t, f.Socket)
	}
}

func TestAPortIsNotInventedForAScriptThatNamesNone(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"worker.py": "import time\nif __name__ == '__main__':\n    time.sleep(1)\n", "start.sh": "#!/bin/sh\npython worker.py\n"})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	require.Equal(t, []string{"{python}", "worker.py"}, f.Command)
	require.Zero(t, f.Port)
	_, err = f.Write(WriteOptions{})
	require.NoError(t, err)
	c, err := config.Load(dir)
	require.NoError(t, err)
	require.Zero(t, c.Port)
	require.Empty(t, c.Health.Path)
}

func TestOfTwoAppsAPersonIsAsked(t *testing.T) {
	f := inspect(t, map[string]string{"one.py": testkit.FastAPI, "two.py": strings.ReplaceAll(testkit.FastAPI, "/health", "/ping")})
	require.True(t, f.Ask)
	require.Equal(t, "one:app", f.App)
	require.Len(t, f.Others, 1)
	require.Contains(t, strings.Join(f.Lines(), "\n"), "Or: two:app")
	require.NoError(t, f.Choose("two:app"))
	require.Equal(t, "two:app", f.App)
	require.Equal(t, "/ping", f.Health)
	require.NoError(t, f.Choose("one.py"), "by its file")
	require.Equal(t, "one:app", f.App)
}

func TestServersOfManyKindsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		command string
		port    int
	}{
		"Streamlit":    {map[string]string{"app.py": "import streamlit as st\nst.title('x')\n"}, "-m streamlit run app.py", 8501},
		"Gradio":       {map[string]string{"app.py": "import gradio as gr\ndemo = gr.Interface(str, 'text', 'text')\ndemo.launch()\n"}, "app.py", 7860},
		"a Procfile":   {map[string]string{"Procfile": "web: gunicorn site.wsgi:app --bind 0.0.0.0:$PORT\n", "site/wsgi.py": "app = make()\n"}, "-m gunicorn site.wsgi:app --bind 0.0.0.0:{port}", 8000},
		"MLflow":       {map[string]string{"start.sh": "#!/bin/sh\nmlflow server --port 5001\n"}, "-m mlflow server --port {port}", 5001},
		"uv run":       {map[string]string{"start.sh": "#!/bin/sh\nuv run uvicorn main:app\n", "main.py": testkit.FastAPI}, "-m uvicorn main:app --port {port}", 8000},
		"the outer of": {map[string]string{"main.py": "import socketio\nfrom fastapi import FastAPI\nfast = FastAPI()\nsio = socketio.AsyncServer()\napp = socketio.ASGIApp(sio, fast)\n"}, "-m uvicorn main:app", 8000},
	} {
		t.Run(name, func(t *testing.T) {
			f := inspect(t, c.files)
			require.Contains(t, strings.Join(f.Command, " "), c.command)
			require.Equal(t, c.port, f.Port)
		})
	}
}

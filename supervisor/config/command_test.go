package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestTheHostIsReadFromTheCommand(t *testing.T) {
	for command, want := range map[string]string{
		"x":                            "127.0.0.1",
		"x --host 192.168.1.5":         "192.168.1.5",
		"x --host=192.168.1.5":         "192.168.1.5",
		"x --host 0.0.0.0":             "127.0.0.1",
		"x --host ::":                  "::1",
		"x --host [::1]":               "::1",
		"x --host localhost":           "localhost",
		"x --host":                     "127.0.0.1",
		"x --host=":                    "127.0.0.1",
		"x --bind 10.0.0.1:8000":       "10.0.0.1",
		"x --bind=0.0.0.0:{port}":      "127.0.0.1",
		"x --bind [::1]:8000":          "::1",
		"x --bind :8000":               "127.0.0.1",
		"x --bind *:8000":              "127.0.0.1",
		"x --bind unix:/tmp/x":         "127.0.0.1",
		"x --host 1.1.1.1 --host 2::3": "2::3",
		"gunicorn -b 0.0.0.0:80 m:app": "127.0.0.1",
		"gunicorn -b 10.0.0.2:80 m:a":  "10.0.0.2",
		"jupyter lab --ip 10.0.0.3":    "10.0.0.3",
	} {
		require.Equal(t, want, Config{Command: strings.Fields(command)}.Host(), command)
	}
	require.Equal(t, "http://[::1]:80", Config{Command: []string{"x", "--host", "::"}, Port: 80}.URL())
}

func TestTheAppIsReadFromTheCommandLine(t *testing.T) {
	for line, want := range map[string]string{
		"{python} -m uvicorn main:app --host 127.0.0.1 --port {port}": "main:app",
		"{python} -m uvicorn --port 8000 pkg.main:create()":           "pkg.main:create()",
		"/v/bin/python3.12 -u -m uvicorn main:app":                    "main:app",
		"python -um uvicorn main:app":                                 "main:app",
		"python -muvicorn main:app":                                   "main:app",
		"python -X dev -W error -m gunicorn -w 2 main:app":            "main:app",
		"python -Wignore -m server":                                   "server",
		"/v/bin/python /v/bin/uvicorn main:app --reload":              "main:app",
		"uvicorn main:app":                                            "main:app",
		"uv run --locked uvicorn main:app":                            "main:app",
		"poetry run python server.py":                                 "server.py",
		"{python} server.py --port 8000":                              "server.py",
		"python ./src/server.py":                                      "./src/server.py",
		"python -m pkg.main":                                          "pkg.main",
		"python -m http.server 8000":                                  "http",
		"python -m flask --app main run":                              "main",
		"flask --app=main:app run":                                    "main:app",
		"fastapi run main.py":                                         "main.py",
		"streamlit run ui.py":                                         "ui.py",
		"/opt/Python.app/Contents/MacOS/Python -m uvicorn main:app":   "main:app",
		"pypy3.10 server.py":                                          "server.py",
		"./server.py":                                                 "./server.py",
		"jupyter lab --port 8888":                                     "jupyterlab",
		"env A=1 nohup gunicorn -w 2 main:app":                        "main:app",
		"conda run -n ml python -m mlx_lm.server --model org/model":   "mlx-lm",
		"celery -A tasks worker":                                      "tasks",

		"":                                       "",
		"python":                                 "",
		"python -c import\\ main":                "",
		"python -uc x main:app":                  "",
		"python -":                               "",
		"python -m":                              "",
		"uvicorn --host localhost:80":            "",
		"grep main:app":                          "",
		"node server.js":                         "",
		"vim main.py":                            "",
		"/bin/sh ./start":                        "",
		"uv run":                                 "",
		"tail -f server.py":                      "",
		"python -c from_multiprocessing_x spawn": "",
	} {
		require.Equal(t, want, appOf(strings.Fields(line)), line)
	}
	require.Equal(t, []string{"main:app"}, Defaults("/b").App())
	require.Empty(t, Config{Command: []string{"node", "x.js"}}.App())
}

func TestACommandLineNamesThisBackendOrAnother(t *testing.T) {
	dir := testkit.BackendDir(t, "")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "pkg"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.py"), nil, 0o600))
	require.NoError(t, os.Symlink(filepath.Join(dir, "main.py"), filepath.Join(dir, "link.py")))
	elsewhere := t.TempDir()
	for _, c := range []struct {
		ours, theirs, cwd string
		want              bool
	}{
		{"{python} -m uvicorn main:app", "python3 -m uvicorn main:app --reload", dir, true},
		{"{python} -m uvicorn main:app", "python3 /v/bin/uvicorn main:app", dir, true},
		{"{python} -m uvicorn main:app", "python3 main.py", dir, true},
		{"{python} -m uvicorn main:app", "python3 link.py", dir, true},
		{"{python} -m uvicorn main:app", "python3 -m main", dir, true},
		{"{python} -m uvicorn main:app", "python3 -m uvicorn main:admin", dir, false},
		{"{python} -m uvicorn main:app", "python3 -m uvicorn other:app", dir, false},
		{"{python} -m uvicorn main:app", "python3 -m http.server 8000", dir, false},
		{"{python} -m uvicorn main:app", "python3 main.py", elsewhere, false},
		{"{python} -m uvicorn main:app", "vim main.py", dir, false},
		{"{python} -m uvicorn main:app", "", dir, false},
		{"{python} server.py", "python server.py", dir, true},
		{"{python} server.py", "python ./server.py", dir, true},
		{"{python} server.py", "python " + filepath.Join(dir, "server.py"), elsewhere, true},
		{"{python} server.py", "uvicorn server:app", dir, true},
		{"{python} server.py", "python pkg/server.py", dir, false},
		{"{python} -m pkg.main", "python pkg/main.py", dir, true},
		{"{python} -m pkg.main", "python main.py", filepath.Join(dir, "pkg"), true},
		{"{python} -m pkg", "python pkg/__main__.py", dir, true},
		{"{python} -m uvicorn main:make()", "uvicorn main:make", dir, true},
		{"node x.js", "node x.js", dir, false},
	} {
		config := Config{Dir: dir, Command: strings.Fields(c.ours)}
		require.Equal(t, c.want, config.Runs(strings.Fields(c.theirs), c.cwd), c)
	}
}

func TestTheBackendsCodeIsFoundWhereItsCommandRunsIt(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "tool"), 0o755))
	for command, want := range map[string][2]string{
		"{python} -m uvicorn main:app --port 1":               {"", "main"},
		"{python} -m uvicorn --app-dir src brain.server:app":  {"src", "brain.server"},
		"{python} -m uvicorn brain.server:app --app-dir=/abs": {"/abs", "brain.server"},
		"gunicorn --chdir src/ web:make()":                    {"src", "web"},
		"{python} server.py":                                  {"", "server"},
		"{python} src/server.py --app-dir no":                 {"src", "server"},
		"{python} /opt/servers/one.py":                        {"/opt/servers", "one"},
		"{python} ./tool":                                     {"tool", "__main__"},
		"{python} -m litellm.proxy":                           {"", "litellm.proxy"},
		"uv run fastapi dev api.py":                           {"", "api"},
		"{python} -c pass":                                    {"", ""},
		"./serve --fast":                                      {"", ""},
	} {
		folder, module := Config{Dir: dir, Command: strings.Fields(command)}.Code()
		if !filepath.IsAbs(want[0]) {
			want[0] = filepath.Join(dir, want[0])
		}
		require.Equal(t, want, [2]string{folder, module}, command)
	}
}

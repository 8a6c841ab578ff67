package servers

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheTableIsWhole(t *testing.T) {
	names, programs, modules, makes := map[string]bool{}, map[string]string{}, map[string]string{}, map[string]string{}
	unique := func(seen map[string]string, key, row string) {
		require.Empty(t, seen[key], "%s is in %s and %s", key, seen[key], row)
		seen[key] = row
	}
	for _, s := range All() {
		require.False(t, names[s.Name], s.Name)
		names[s.Name] = true
		require.NotEmpty(t, s.Title, s.Name)
		for _, p := range s.Programs {
			unique(programs, p, s.Name)
		}
		for _, m := range s.Modules {
			unique(modules, m, s.Name)
		}
		for _, m := range s.Makes {
			unique(makes, m, s.Name)
		}
		for _, p := range s.Listens {
			require.Equal(t, 1, regexp.MustCompile(p).NumSubexp(), "%s: %s", s.Name, p)
		}
		for _, f := range s.Fails {
			regexp.MustCompile(f.Pattern)
			require.NotEmpty(t, f.Means)
		}
		if s.Health != "" {
			require.True(t, strings.HasPrefix(s.Health, "/"), s.Name)
			require.NotZero(t, s.Port, s.Name)
		}
		require.True(t, s.Start != nil || s.Via != nil || s.Programs != nil, "%s can be started by nothing", s.Name)
		requireOneMeaning(t, s)
	}
	for _, s := range All() {
		for _, v := range s.Via {
			require.True(t, names[v], "%s via %s", s.Name, v)
		}
	}
}

// requireOneMeaning: an option that means two things would be read as the first.
func requireOneMeaning(t *testing.T, s Server) {
	t.Helper()
	seen := map[string]bool{}
	f := s.Flags
	for _, names := range [][]string{f.Port, f.Host, f.Bind, f.UDS, f.Workers, f.App, f.AppDir, f.Config, f.Root, f.TLS, f.Factory, f.Reload, f.NoReload, f.Drop, f.DropValue, f.Values} {
		for _, n := range names {
			require.False(t, seen[n], "%s: %s", s.Name, n)
			require.True(t, strings.HasPrefix(n, "-"), "%s: %s", s.Name, n)
			seen[n] = true
		}
	}
}

func TestEachCommandOfTheTableIsRecognisedAsItsOwnRow(t *testing.T) {
	apps := map[Shape]string{Object: "main:app", File: "app.py", Dotted: "pkg.tasks", Model: "org/model", NoApp: "main:app"}
	for _, s := range All() {
		command := s.Command(Choice{App: apps[s.App], Host: "0.0.0.0"})
		if command == nil {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			require.NotContains(t, strings.Join(command, " "), "{app}")
			require.NotContains(t, strings.Join(command, " "), "{host}")
			numbered := strings.Split(strings.ReplaceAll(strings.Join(command, "\n"), Port, "8123"), "\n")
			got, m := ByCommand(numbered)
			require.Equal(t, s.Name, got.Name)
			if s.HasPort() {
				require.Equal(t, 8123, m.Port)
				require.Equal(t, "0.0.0.0", m.Host)
			}
			require.False(t, IsReloader(numbered))
			again, left, ok := Rewrite(numbered)
			require.True(t, ok)
			require.Empty(t, left)
			require.Equal(t, command, again, "what Vivarium wrote is not written otherwise the next time")
			moved, variable, ok := WithPort(numbered, "9000")
			require.Equal(t, s.HasPort(), ok)
			if ok {
				require.Empty(t, variable)
				_, m = ByCommand(moved)
				require.Equal(t, 9000, m.Port)
			}
			require.NotEmpty(t, s.Identity(m))
		})
	}
}

func TestAPortIsSaidWhereTheServerLooksForIt(t *testing.T) {
	for _, c := range []struct{ from, to, variable string }{
		{"uvicorn main:app", "uvicorn main:app --port 9", ""},
		{"uvicorn main:app --port {port} --reload", "uvicorn main:app --port 9 --reload", ""},
		{"gunicorn -b[::1]:80 app:app", "gunicorn -b[::1]:9 app:app", ""},
		{"{python} manage.py runserver", "{python} manage.py runserver 127.0.0.1:9 --noreload", ""},
		{"python app.py --port=1", "python app.py --port=9", ""},
		{"streamlit run a.py -- --port 5", "streamlit run a.py --server.port 9 -- --port 5", ""},
		{"gradio app.py", "gradio app.py", "GRADIO_SERVER_PORT"},
		{"python app.py", "", ""},
		{"celery -A x worker", "", ""},
		{"make serve", "", ""},
	} {
		got, variable, ok := WithPort(split(c.from), "9")
		require.Equal(t, c.to != "", ok, c.from)
		if ok && c.variable == "" {
			require.Equal(t, strings.ReplaceAll(c.to, " --noreload", ""), strings.ReplaceAll(strings.Join(got, " "), " --noreload", ""))
		}
		require.Equal(t, c.variable, variable, c.from)
	}
}

func TestWorkersAndWhatAReloaderStartsAreKnown(t *testing.T) {
	spawned := split(`/v/bin/python -c "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)" --multiprocessing-fork`)
	tracker := split(`/v/bin/python -c "from multiprocessing.resource_tracker import main;main(4)"`)
	for _, c := range []struct {
		server       string
		args, leader []string
		worker       bool
	}{
		{"uvicorn", spawned, split("python -m uvicorn main:app"), true},
		{"uvicorn", tracker, split("python -m uvicorn main:app"), false},
		{"uvicorn", split("python helper.py"), split("python -m uvicorn main:app"), false},
		{"gunicorn", split("python -m gunicorn app:app"), split("python -m gunicorn app:app"), true},
		{"gunicorn", []string{"gunicorn: worker [app:app]"}, split("gunicorn: master [app:app]"), true},
		{"gunicorn", split("ffmpeg -i x"), split("python -m gunicorn app:app"), false},
		{"flask", split("/v/bin/python /v/lib/python3.11/site-packages/flask/__main__.py --app x run --debug"), split("python -m flask --app x run --debug"), true},
		{"flask", split("/v/bin/python /v/bin/flask --app x run --debug"), split("python -m flask --app x run --debug"), true},
		{"django", split("/v/bin/python manage.py runserver 8000"), split("python manage.py runserver 8000"), true},
		{"django", split("/v/bin/python manage.py migrate"), split("python manage.py runserver 8000"), false},
		{"celery", []string{"[celeryd: celery@host:ForkPoolWorker-2]"}, split("python -m celery -A x worker"), true},
		{"streamlit", spawned, split("python -m streamlit run x.py"), false},
		{"uvicorn", nil, nil, false},
		{"flask", nil, nil, false},
	} {
		s, ok := ByName(c.server)
		require.True(t, ok)
		require.Equal(t, c.worker, s.IsWorker(c.args, c.leader), "%s: %v", c.server, c.args)
	}
}

func TestWhatAServerSaysIsUnderstood(t *testing.T) {
	for _, c := range []struct {
		server, line, listens string
		means                 Meaning
	}{
		{"uvicorn", "INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)", "http://127.0.0.1:8000", ""},
		{"uvicorn", "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use", "", PortTaken},
		{"uvicorn", `ERROR:    Error loading ASGI app. Could not import module "main".`, "", AppMissing},
		{"uvicorn", "ERROR:    Application startup failed. Exiting.", "", StartupFailed},
		{"gunicorn", "[2026-11-28 10:00:00 +0000] [1] [INFO] Listening at: http://127.0.0.1:8000 (1)", "http://127.0.0.1:8000", ""},
		{"gunicorn", "[2026-11-28 10:00:00 +0000] [1] [ERROR] Worker (pid:12) was sent SIGKILL! Perhaps out of memory?", "", WorkerFailed},
		{"granian", "[ERROR] Unexpected exit from worker-2", "", WorkerFailed},
		{"flask", "Port 5000 is in use by another program. Either identify and stop that program, or start the server with a different port.", "", PortTaken},
		{"flask", " * Running on http://127.0.0.1:5000", "http://127.0.0.1:5000", ""},
		{"django", "Starting development server at http://127.0.0.1:8000/", "http://127.0.0.1:8000", ""},
		{"django", "Error: That port is already in use.", "", PortTaken},
		{"streamlit", "  URL: http://127.0.0.1:8501", "http://127.0.0.1:8501", ""},
		{"streamlit", "Port 8501 is not available", "", PortTaken},
		{"gradio", "* Running on local URL:  http://127.0.0.1:7860", "http://127.0.0.1:7860", ""},
		{"jupyter", "    http://localhost:8888/tree?token=5d3c", "http://localhost:8888/", ""},
		{"celery", "[2026-11-28 10:00:00,000: ERROR/MainProcess] consumer: Cannot connect to redis://localhost:6379/0: Error 111", "", NoBroker},
		{"rq", "redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused.", "", NoBroker},
		{"uvicorn", "INFO:     127.0.0.1:5000 - GET / 200", "", ""},
	} {
		s, _ := ByName(c.server)
		require.Equal(t, c.listens, s.ListensAt(c.line), c.line)
		require.Equal(t, c.means, s.Failure(c.line), c.line)
	}
}

// A token in the address that Jupyter prints must go nowhere else.
func TestWhereAServerListensHoldsNoSecret(t *testing.T) {
	for _, s := range All() {
		for _, line := range []string{"http://127.0.0.1:8888/lab?token=abcdef", "➜  URL: http://127.0.0.1:2718?access_token=abcdef"} {
			require.NotContains(t, s.ListensAt(line), "abcdef", s.Name)
		}
	}
}

func FuzzNoCommandLineIsTooStrange(f *testing.F) {
	f.Add("uv run --with x\npython\n-m\nuvicorn\nmain:app\n--port")
	f.Add("hatch\nrun\ndev:\n-w")
	f.Add("env\nA=1\ntimeout")
	f.Add("jupyter")
	f.Add("fastapi\ndev")
	f.Fuzz(func(t *testing.T, text string) {
		argv := strings.Split(text, "\n")
		s, m := ByCommand(argv)
		require.LessOrEqual(t, m.First, len(argv))
		require.LessOrEqual(t, m.Args, len(argv))
		if m.AppAt >= 0 {
			require.Less(t, m.AppAt, len(argv))
		}
		command, _, ok := Rewrite(argv)
		if ok {
			require.NotEmpty(t, command)
			second, _, _ := Rewrite(command)
			third, _, _ := Rewrite(second)
			require.True(t, slices.Equal(second, third), "%q, %q", second, third)
		}
		WithPort(argv, "9")
		s.IsWorker(argv, argv)
	})
}

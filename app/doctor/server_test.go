package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
)

func TestTheRecorderOfALiveServerIsSeen(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	for name, c := range map[string]struct {
		options []string
		source  string
		state   CheckState
		text    string
	}{
		"it is there":     {nil, "", Pass, "it reached the server"},
		"isolated":        {[]string{"-I"}, "", Warn, "Python is started with -I"},
		"a signal for it": {nil, "import signal; signal.signal(signal.SIGURG, signal.SIG_IGN);", Warn, "does not listen to the recorder's signal"},
	} {
		t.Run(name, func(t *testing.T) {
			state, dir := t.TempDir(), t.TempDir()
			require.NoError(t, os.Chmod(state, 0o700))
			folder, err := recorder.Place(state)
			require.NoError(t, err)
			runs := recorder.Runs(keeper.BackendFolder(state, dir))
			require.NoError(t, recorder.Prepare(runs))
			args := append(c.options, "-c", c.source+"print(1, flush=True); import time; time.sleep(100)")
			cmd := exec.Command("python3", args...)
			cmd.Env = append(recorder.Environ(os.Environ(), folder, runs), "VIVARIUM_RUN=r1")
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGKILL); _ = cmd.Wait() })
			_, err = out.Read(make([]byte, 10))
			require.NoError(t, err)
			e := &examiner{state: state, row: control.Row{PID: cmd.Process.Pid, Run: "r1"}}
			e.config.Dir, e.config.Recorder.Enabled = dir, true
			e.plan.Spec.Argv = append([]string{"/usr/bin/python3"}, args...)
			e.recorder(recorder.Real())
			got, check := stateOfCheck(e.x, "VIV023")
			require.Equal(t, c.state, got, check)
			require.Contains(t, check.Text, c.text)
		})
	}
}

func TestWhetherTheRecorderWouldReachAServerIsSaidBeforeItsStart(t *testing.T) {
	for name, c := range map[string]struct {
		off     bool
		state   string
		argv    []string
		version string
		want    CheckState
		text    string
	}{
		"well":             {argv: []string{"/v/bin/python", "-m", "uvicorn", "main:app"}, version: "3.11.7", want: Pass, text: "the next start"},
		"switched off":     {off: true, want: Pass, text: "switched off"},
		"a colon":          {state: "/a:b", want: Warn, text: "colon"},
		"-I":               {argv: []string{"python3.12", "-I", "main.py"}, want: Warn, text: "started with -I"},
		"-E among others":  {argv: []string{"python", "-uBE", "main.py"}, want: Warn, text: "started with -E"},
		"-S after a value": {argv: []string{"python", "-X", "dev", "-Wignore", "-W", "error", "-S", "-m", "x"}, want: Warn, text: "started with -S"},
		"the program's -I": {argv: []string{"python", "main.py", "-I"}, want: Pass},
		"the module's -E":  {argv: []string{"python", "-m", "x", "-E"}, want: Pass},
		"a word of code":   {argv: []string{"python", "-c", "-S"}, want: Pass},
		"no Python":        {argv: []string{"/bin/sleep", "-I"}, want: Pass},
		"an old Python":    {argv: []string{"python", "main.py"}, version: "3.7.16", want: Warn, text: "needs Python 3.8"},
		"the first one":    {argv: []string{"python", "main.py"}, version: "3.8.0", want: Pass},
	} {
		e := &examiner{state: c.state}
		e.config.Recorder.Enabled = !c.off
		e.plan.Spec.Argv, e.plan.Python = c.argv, python.Interpreter{Version: c.version}
		e.recorder(recorder.Real())
		got, check := stateOfCheck(e.x, "VIV023")
		require.Equal(t, c.want, got, "%s: %+v", name, check)
		require.Contains(t, check.Text, c.text, name)
		require.Equal(t, c.want == Warn && c.state == "", check.Remedy != "" && c.state == "", name)
	}
}

func TestAnUvloopWithKnownFaultsIsNamed(t *testing.T) {
	for version, c := range map[string]struct {
		want   CheckState
		issues []string
	}{
		"0.17.0": {Warn, []string{"645"}}, "0.21.0": {Warn, []string{"645"}}, "0.22.0": {Warn, []string{"645", "706"}}, "0.22.1": {Warn, []string{"645", "706"}},
		"0.22.1.post1": {Warn, []string{"645", "706"}}, "0.23.0": {Pass, nil}, "0.23.0rc1": {Pass, nil}, "0.24": {Pass, nil}, "1.0.0": {Pass, nil}, "unknown": {Pass, nil},
	} {
		e := &examiner{config: config.Config{Command: []string{"{python}", "-m", "uvicorn", "main:app"}}}
		env := openmp.Environment{Packages: []openmp.Package{{Name: "uvloop", Version: version}}}
		e.eventLoop(env)
		got, check := stateOfCheck(e.x, "VIV024")
		require.Equal(t, c.want, got, "%s: %+v", version, check)
		for _, issue := range c.issues {
			require.Contains(t, check.Text, "/issues/"+issue, version)
		}
		require.Equal(t, c.want == Warn, check.Remedy != "")
		for _, words := range [][]string{{"--loop", "asyncio"}, {"--loop=asyncio"}} {
			other := &examiner{config: config.Config{Command: append([]string{"uvicorn", "main:app"}, words...)}}
			other.eventLoop(env)
			got, _ = stateOfCheck(other.x, "VIV024")
			require.Equal(t, Pass, got, "the command does not use it")
		}
	}
	e := &examiner{}
	e.eventLoop(openmp.Environment{})
	require.Empty(t, e.x.Checks, "there is none")
}

func TestAReloaderIsFoundHoweverItIsSwitchedOn(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		source  string // of main.py
		env     []string
		how     string // "" means none
		remedy  string
	}{
		"uvicorn":                         {command: []string{"{python}", "-m", "uvicorn", "main:app", "--reload"}, how: "--reload", remedy: "take it out of command"},
		"uvicorn by its name":             {command: []string{"uvicorn", "main:app", "--reload", "--port", "1"}, how: "--reload"},
		"uvicorn without":                 {command: []string{"uvicorn", "main:app"}},
		"fastapi dev":                     {command: []string{"fastapi", "dev", "main.py"}, how: "fastapi dev", remedy: "fastapi run"},
		"python -m fastapi dev":           {command: []string{"{python}", "-m", "fastapi", "dev"}, how: "fastapi dev"},
		"fastapi dev --no-reload":         {command: []string{"fastapi", "dev", "--no-reload"}},
		"fastapi run":                     {command: []string{"fastapi", "run", "main.py"}},
		"flask --debug":                   {command: []string{"flask", "--app", "main", "run", "--debug"}, how: "--debug"},
		"flask --debug before run":        {command: []string{"{python}", "-m", "flask", "--app", "main", "--debug", "run"}, how: "--debug"},
		"flask in the environment":        {command: []string{"flask", "run"}, env: []string{"FLASK_DEBUG=1"}, how: "FLASK_DEBUG=1"},
		"flask, not in the environment":   {command: []string{"flask", "run"}, env: []string{"FLASK_DEBUG=0"}},
		"uvicorn takes no flask variable": {command: []string{"uvicorn", "main:app"}, env: []string{"FLASK_DEBUG=1"}},
		"runserver":                       {command: []string{"{python}", "manage.py", "runserver", "8000"}, how: "runserver", remedy: "--noreload"},
		"runserver --noreload":            {command: []string{"{python}", "manage.py", "runserver", "--noreload"}},
		"granian":                         {command: []string{"granian", "--reload", "main:app"}, how: "--reload"},
		"gunicorn":                        {command: []string{"gunicorn", "main:app", "--reload"}, how: "--reload"},
		"gunicorn in the environment":     {command: []string{"gunicorn", "main:app"}, env: []string{"GUNICORN_CMD_ARGS=-w 2 --reload"}, how: "GUNICORN_CMD_ARGS"},
		"hypercorn":                       {command: []string{"hypercorn", "--reload", "main:app"}, how: "--reload"},
		"behind a launcher":               {command: []string{"uv", "run", "uvicorn", "main:app", "--reload"}, how: "--reload"},
		"uvicorn.run":                     {command: []string{"{python}", "main.py"}, source: "import uvicorn\nuvicorn.run(\n    \"main:app\",\n    port=int(os.environ.get(\"P\", 1)),\n    reload=True,\n)\n", how: "reload=True in main.py"},
		"app.run(debug=True)":             {command: []string{"{python}", "main.py"}, source: "app.run(host='0.0.0.0', debug=True)\n", how: "debug=True in main.py"},
		"debug without its reloader":      {command: []string{"{python}", "main.py"}, source: "app.run(debug=True, use_reloader=False)\n"},
		"a comment":                       {command: []string{"{python}", "main.py"}, source: "app.run(port=1)  # debug=True\n# app.run(debug=True)\n"},
		"another call":                    {command: []string{"{python}", "main.py"}, source: "app = FastAPI(debug=True)\nuvicorn.run(app)\n"},
		"a module":                        {command: []string{"{python}", "-m", "main"}, source: "app.run(debug = True)\n", how: "debug = True in main.py"},
		"a script that nobody runs":       {command: []string{"uvicorn", "main:app"}, source: "app.run(debug=True)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.source != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "main.py"), []byte(c.source), 0o600))
			}
			e := &examiner{config: config.Config{Dir: dir, Command: c.command}, plan: plan.Plan{Spec: keeper.Spec{Env: c.env}}}
			e.reloader()
			got, check := stateOfCheck(e.x, "VIV025")
			if c.how == "" {
				require.Equal(t, Pass, got, check)
				return
			}
			require.Equal(t, Warn, got, check)
			require.Contains(t, check.Text, c.how)
			require.NotEmpty(t, check.Remedy)
			require.Contains(t, check.Remedy, c.remedy)
		})
	}
}

func TestAReloaderBehindAScriptIsSeenOnceItRuns(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "uvicorn")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nread x\n"), 0o755))
	cmd := exec.Command(program, "main:app", "--reload")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	e := &examiner{config: config.Config{Dir: dir, Command: []string{"./run.sh"}}, row: control.Row{PID: cmd.Process.Pid}}
	e.reloader()
	got, check := stateOfCheck(e.x, "VIV025")
	require.Equal(t, Warn, got, check)
	require.Contains(t, check.Text, "--reload of process "+strconv.Itoa(cmd.Process.Pid))
}

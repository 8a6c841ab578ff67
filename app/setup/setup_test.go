package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

func inspect(t *testing.T, files map[string]string) Found {
	t.Helper()
	f, err := Inspect(testkit.Folder(t, files), false)
	require.NoError(t, err)
	return f
}

func TestTheAppIsFoundWhereItUsuallyIs(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		app     string
		command string
	}{
		"main.py":                {map[string]string{"main.py": testkit.FastAPI}, "main:app", "-m uvicorn main:app --host 127.0.0.1 --port {port}"},
		"another name":           {map[string]string{"server.py": "import fastapi\napi = fastapi.FastAPI(title='x')\n"}, "server:api", "-m uvicorn server:api"},
		"with a type":            {map[string]string{"asgi.py": "from fastapi import FastAPI\napplication: FastAPI = FastAPI(\n)\n"}, "asgi:application", "-m uvicorn asgi:application"},
		"a package":              {map[string]string{"app/main.py": testkit.FastAPI, "app/__init__.py": ""}, "app.main:app", "-m uvicorn app.main:app"},
		"a package itself":       {map[string]string{"app/__init__.py": "from starlette.applications import Starlette\napp = Starlette(routes=[])\n"}, "app:app", "-m uvicorn app:app"},
		"src without a package":  {map[string]string{"src/main.py": testkit.FastAPI}, "main:app", "-m uvicorn main:app --host 127.0.0.1 --port {port} --app-dir src"},
		"src as a package":       {map[string]string{"src/main.py": testkit.FastAPI, "src/__init__.py": ""}, "src.main:app", "-m uvicorn src.main:app"},
		"a package below src":    {map[string]string{"src/brain/server.py": testkit.FastAPI}, "brain.server:app", "-m uvicorn brain.server:app --host 127.0.0.1 --port {port} --app-dir src"},
		"a folder of any name":   {map[string]string{"brain/main.py": testkit.FastAPI, "tests/main.py": testkit.FastAPI}, "brain.main:app", "-m uvicorn brain.main:app"},
		"Flask":                  {map[string]string{"app.py": "from flask import Flask\napp = Flask(__name__)\n"}, "app:app", "-m flask --app app:app run --host 127.0.0.1 --port {port}"},
		"Quart":                  {map[string]string{"app.py": "from quart import Quart\napp = Quart(__name__)\n", "requirements.txt": "quart\nhypercorn\n"}, "app:app", "-m hypercorn app:app"},
		"a factory":              {map[string]string{"main.py": "from fastapi import FastAPI\ndef create_app() -> FastAPI:\n    return FastAPI()\n"}, "main:create_app", "-m uvicorn main:create_app --host 127.0.0.1 --port {port} --factory"},
		"what the script says":   {map[string]string{"main.py": testkit.FastAPI, "other.py": "x = FastAPI()\n", "start": "#!/bin/sh\nexec uvicorn other:x --reload\n"}, "other:x", "-m uvicorn other:x"},
		"a script that is wrong": {map[string]string{"main.py": testkit.FastAPI, "start": "#!/bin/sh\nexec uvicorn gone:x\n"}, "main:app", "-m uvicorn main:app"},
		"a comment in a script":  {map[string]string{"main.py": testkit.FastAPI, "other.py": "x = 1\n", "start": "#!/bin/sh\n# uvicorn other:x\n"}, "main:app", "-m uvicorn main:app"},
		"a plain script":         {map[string]string{"server.py": "import http.server\n\nif __name__ == '__main__':\n    serve()\n"}, "server.py", "server.py"},
	} {
		t.Run(name, func(t *testing.T) {
			f := inspect(t, c.files)
			require.Equal(t, c.app, f.App)
			require.True(t, strings.HasPrefix(strings.Join(f.Command[1:], " "), c.command), "%q", f.Command)
			require.Equal(t, "{python}", f.Command[0])
		})
	}
}

func TestAnAppInsideAFunctionOrAStringIsNone(t *testing.T) {
	f := inspect(t, map[string]string{"main.py": "def f():\n    app = FastAPI()\n\ns = 'app = FastAPI()'\n# app = FastAPI()\n"})
	require.Empty(t, f.App)
	require.Nil(t, f.Command)
	_, err := f.Write(WriteOptions{})
	require.ErrorIs(t, err, ErrNoServer)
}

func TestThePortIsTheOneThatWasUsedSoFar(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		port  int
		from  string
	}{
		"the default":       {map[string]string{"main.py": testkit.FastAPI}, 8000, ""},
		"./start":           {map[string]string{"start": "#!/bin/sh\nuvicorn main:app --port 8123\n", "main.py": testkit.FastAPI}, 8123, "start"},
		"./start before":    {map[string]string{"start": "#!/bin/sh\nexec uvicorn main:app --port=8123\n", "main.py": testkit.FastAPI, ".env": "PORT=9000\n"}, 8123, "start"},
		"scripts/start.sh":  {map[string]string{"scripts/start.sh": "PORT=8200\nuvicorn --port $PORT\n"}, 8200, "scripts/start.sh"},
		"a shell's default": {map[string]string{"start.sh": "uvicorn --port ${PORT:-8300}\n"}, 8300, "start.sh"},
		".env":              {map[string]string{"main.py": testkit.FastAPI, ".env": "# PORT=1111\nexport PORT=\"8400\"\n"}, 8400, ".env"},
		"uvicorn.run":       {map[string]string{"main.py": testkit.FastAPI + "if __name__ == '__main__':\n    uvicorn.run(app, host='0.0.0.0',\n  port=8500)\n"}, 8500, "main.py"},
		"Flask's default":   {map[string]string{"app.py": "from flask import Flask\napp = Flask(__name__)\n"}, 5000, ""},
		"nonsense":          {map[string]string{"main.py": testkit.FastAPI, "start": "#!/bin/sh\nuvicorn --port 99999\n"}, 8000, ""},
		"a comment":         {map[string]string{"main.py": testkit.FastAPI, "start": "#!/bin/sh\n# uvicorn --port 8123\n"}, 8000, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := inspect(t, c.files)
			require.Equal(t, c.port, f.Port)
			require.Equal(t, c.from, f.PortFrom)
		})
	}
}

func TestTheHealthRouteIsFoundAlsoInAFileBesideTheApp(t *testing.T) {
	require.Equal(t, "/health", inspect(t, map[string]string{"main.py": testkit.FastAPI}).Health)
	require.Equal(t, "/healthz", inspect(t, map[string]string{
		"main.py":        "from fastapi import FastAPI\nfrom routes import misc\napp = FastAPI()\napp.include_router(misc.r)\n",
		"routes/misc.py": "from fastapi import APIRouter\nr = APIRouter()\n@r.get(\"/healthz\")\ndef ok(): return 1\n",
	}).Health)
	f := inspect(t, map[string]string{"main.py": "from fastapi import FastAPI\napp = FastAPI()\n", ".venv/lib/x.py": `"/health"`})
	require.Empty(t, f.Health)
	require.Contains(t, strings.Join(f.Advice, "\n"), "/health")
}

const userScript = `#!/bin/bash
# Critical fix for multiple OpenMP libraries
export KMP_DUPLICATE_LIB_OK=TRUE
export DYLD_INSERT_LIBRARIES="$VENV/torch/lib/libomp.dylib"
export OMP_NUM_THREADS=8
export KMP_AFFINITY=disabled
export PYTHONWARNINGS="ignore::UserWarning:multiprocessing.resource_tracker"
export MODEL_DIR="/models/with space" # where they are
export OPENAI_API_KEY='sk-very-secret'
export HOST_NAME=$(hostname)
export DATABASE_URL=postgres://u:pw@h/db
  export QUOTED="a \"b\" \$c"
export PORT=8001
export TWICE=1
export TWICE=2
cd backend && exec uvicorn main:app --reload --port $PORT
`

func TestTheExportsOfAStartScriptAreOffered(t *testing.T) {
	f := inspect(t, map[string]string{"backend/main.py": testkit.FastAPI, "scripts/start.sh": userScript})
	require.Equal(t, []string{"KMP_DUPLICATE_LIB_OK", "DYLD_INSERT_LIBRARIES", "KMP_AFFINITY", "PYTHONWARNINGS"}, f.Covered)
	got := map[string]string{}
	for _, e := range f.Environment {
		got[e.Name] = e.Value
		require.Equal(t, "scripts/start.sh", e.From)
	}
	require.Equal(t, map[string]string{
		"OMP_NUM_THREADS": "8", "MODEL_DIR": "/models/with space", "OPENAI_API_KEY": "sk-very-secret",
		"DATABASE_URL": "postgres://u:pw@h/db", "QUOTED": `a "b" $c`, "TWICE": "2",
	}, got)
	require.Equal(t, []string{"HOST_NAME"}, f.Skipped)
	require.Equal(t, 8001, f.Port)
	require.Contains(t, strings.Join(f.LeftOut, "\n"), "--reload")
	require.Contains(t, strings.Join(f.Advice, "\n"), "HOST_NAME")
}

func TestSecretsAreNotPrintedAndTheirFileIsForTheOwnerAlone(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"backend/main.py": testkit.FastAPI, "scripts/start.sh": userScript})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	for _, text := range []string{f.Question(), strings.Join(f.Lines(), "\n")} {
		require.NotContains(t, text, "sk-very-secret")
		require.NotContains(t, text, "u:pw")
		require.Contains(t, text, "OPENAI_API_KEY")
		require.Contains(t, text, "/models/with space")
	}
	_, err = f.Write(WriteOptions{Environment: true})
	require.NoError(t, err)
	st, err := os.Stat(filepath.Join(dir, config.FileName))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	c, err := config.Load(dir)
	require.NoError(t, err)
	require.Equal(t, "sk-very-secret", c.Environment["OPENAI_API_KEY"])
}

func TestWhatIsWrittenIsWhatWasFound(t *testing.T) {
	for _, files := range []map[string]string{
		{"main.py": testkit.FastAPI},
		{"app.py": "from flask import Flask\napp = Flask(__name__)\n"},
		{"src/brain/server.py": testkit.FastAPI},
		{"server.py": "if __name__ == '__main__':\n  pass\n"},
		{"main.py": testkit.FastAPI, "start.sh": userScript + "export ODD='quo\"te \\ ta\tb é'\n"},
	} {
		dir := testkit.Folder(t, files)
		f, err := Inspect(dir, false)
		require.NoError(t, err)
		done, err := f.Write(WriteOptions{Environment: true})
		require.NoError(t, err)
		require.Equal(t, []string{config.FileName, "start"}, done.Files)
		c, err := config.Load(dir)
		require.NoError(t, err)
		require.Equal(t, "my backend", c.Name)
		require.Equal(t, f.Command, c.Command)
		require.Equal(t, f.Port, c.Port)
		require.Equal(t, f.Health, c.Health.Path)
		for _, e := range f.Environment {
			require.Equal(t, e.Value, c.Environment[e.Name])
		}
		require.Len(t, c.Environment, len(f.Environment))
	}
}

func TestWritingTwiceChangesNothing(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	_, err = f.Write(WriteOptions{})
	require.NoError(t, err)
	before := testkit.Contents(t, dir)
	f, err = Inspect(dir, false)
	require.NoError(t, err)
	require.True(t, f.Configured)
	require.True(t, f.StartOurs)
	done, err := f.Write(WriteOptions{Force: true, Environment: true})
	require.NoError(t, err)
	require.Empty(t, done)
	require.Equal(t, before, testkit.Contents(t, dir))
}

func TestAnExistingStartIsKeptUnderAnotherNameOnlyWithConsent(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI, "start": "#!/bin/sh\necho mine\n", "start.before-vivarium": "older"})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	before := testkit.Contents(t, dir)
	var exists *StartExistsError
	_, err = f.Write(WriteOptions{})
	require.ErrorAs(t, err, &exists)
	require.Equal(t, before, testkit.Contents(t, dir), "nothing at all was written")
	done, err := f.Write(WriteOptions{Force: true})
	require.NoError(t, err)
	require.Equal(t, "start.before-vivarium-2", done.Kept)
	after := testkit.Contents(t, dir)
	require.Equal(t, "older", after["start.before-vivarium"])
	require.Equal(t, "#!/bin/sh\necho mine\n", after["start.before-vivarium-2"])
	require.Equal(t, startScript, after["start"])
}

func TestAnExistingConfigurationIsKept(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI, config.FileName: "port = 1234\n"})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	done, err := f.Write(WriteOptions{Force: true, Environment: true})
	require.NoError(t, err)
	require.Equal(t, []string{"start"}, done.Files)
	require.Equal(t, "port = 1234\n", testkit.Contents(t, dir)[config.FileName])
}

func TestALinkInPlaceOfAFileIsNeverWrittenThrough(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI})
	elsewhere := filepath.Join(filepath.Dir(dir), "elsewhere")
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, "start")))
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	require.True(t, f.Start, "a dangling link is somebody's ./start, too")
	_, err = f.Write(WriteOptions{Force: true})
	require.NoError(t, err)
	require.NoFileExists(t, elsewhere)
}

func TestOnlyAFolderCanBeLookedAt(t *testing.T) {
	file := filepath.Join(testkit.ShortDir(t), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err := Inspect(file, false)
	require.ErrorContains(t, err, "not a folder")
	_, err = Inspect(file+"-gone", false)
	require.Error(t, err)
}

func TestAPersonsChoiceOfTheAppCounts(t *testing.T) {
	f := inspect(t, map[string]string{"main.py": testkit.FastAPI, "deep/in/it.py": "svc = make()\n"})
	require.NoError(t, f.Choose("deep.in.it:svc"))
	require.Equal(t, "deep.in.it:svc", f.App)
	require.Error(t, f.Choose("gone:app"))
	require.Error(t, f.Choose("main"))
}

// installed makes a program named vivarium that says how it was called.
func installed(t *testing.T, at string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
	require.NoError(t, os.WriteFile(at, []byte("#!/bin/sh\nprintf '%s|' \"$0\" \"$@\"\n"), 0o755))
}

func TestTheStartScriptFindsItsFolderHoweverItIsCalled(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	_, err = f.Write(WriteOptions{})
	require.NoError(t, err)
	top := filepath.Dir(dir)
	bin := filepath.Join(top, "bin dir")
	installed(t, filepath.Join(bin, "vivarium"))
	links := filepath.Join(top, "links")
	require.NoError(t, os.Mkdir(links, 0o755))
	require.NoError(t, os.Symlink(filepath.Join(dir, "start"), filepath.Join(links, "absolute")))
	require.NoError(t, os.Symlink("../my backend/start", filepath.Join(links, "relative")))
	require.NoError(t, os.Symlink("relative", filepath.Join(links, "chain")))
	for name, c := range map[string]struct {
		cwd  string
		argv []string
	}{
		"from its folder":        {dir, []string{"./start"}},
		"by its whole path":      {"/", []string{filepath.Join(dir, "start")}},
		"from the folder above":  {top, []string{"my backend/start"}},
		"by sh, without a slash": {dir, []string{"sh", "start"}},
		"through a link":         {"/", []string{filepath.Join(links, "absolute")}},
		"a relative link":        {links, []string{"./relative"}},
		"a link to a link":       {top, []string{"links/chain"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := runScript(t, c.cwd, []string{"PATH=" + bin + ":/usr/bin:/bin", "CDPATH=/tmp:/"}, append(c.argv, "--json")...)
			require.Equal(t, filepath.Join(bin, "vivarium")+"|run|--json|"+dir+"|", out)
		})
	}
}

func runScript(t *testing.T, cwd string, env []string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	if !strings.Contains(argv[0], "/") {
		path, err := exec.LookPath(argv[0])
		require.NoError(t, err)
		cmd = exec.Command(path, argv[1:]...)
	}
	cmd.Dir, cmd.Env = cwd, env
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func TestTheStartScriptLooksInTheHomesApplicationsToo(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"start": startScript})
	require.NoError(t, os.Chmod(filepath.Join(dir, "start"), 0o755))
	home := filepath.Join(filepath.Dir(dir), "home")
	exe := filepath.Join(home, "Applications/Vivarium.app/Contents/Helpers/vivarium")
	installed(t, exe)
	out := runScript(t, dir, []string{"PATH=/usr/bin:/bin", "HOME=" + home}, "./start")
	require.Equal(t, exe+"|run|"+dir+"|", out)
}

func TestTheStartScriptSaysInOneLineHowToInstall(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"start": startScript})
	require.NoError(t, os.Chmod(filepath.Join(dir, "start"), 0o755))
	cmd := exec.Command("./start")
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 127, cmd.ProcessState.ExitCode())
	require.Equal(t, 1, strings.Count(string(out), "\n"))
	require.Contains(t, string(out), "https://")
}

func TestTheStartScriptIsCleanForShellcheck(t *testing.T) {
	exe, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is not installed")
	}
	cmd := exec.Command(exe, "--shell=sh", "-")
	cmd.Stdin = strings.NewReader(startScript)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestOurStartIsRecognised(t *testing.T) {
	require.True(t, isOurStart(startScript))
	require.True(t, isOurStart("#!/bin/sh\nexec vivarium run .\n"))
	require.False(t, isOurStart("#!/bin/sh\nuvicorn main:app\n# vivarium run\n"))
}

package ready

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// backend is a folder with files, and the plan of a Python that is really there.
func backend(t *testing.T, command string, files map[string]string) (config.Config, plan.Plan) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	c := config.Defaults(dir)
	c.Command = strings.Fields(command)
	in := python.Interpreter{Path: testkit.Interpreter(t), Site: []string{filepath.Join(dir, ".venv/lib/python3/site-packages")}}
	in.Real, err = filepath.EvalSymlinks(in.Path)
	require.NoError(t, err)
	return c, plan.Plan{Python: in}
}

// onBusy waits for Python as long as a busy computer needs for it.
func onBusy(t *testing.T) {
	t.Helper()
	before := patience
	patience = time.Minute
	t.Cleanup(func() { patience = before })
}

const uvicorn = "{python} -m uvicorn main:app --port {port}"

func TestWhatWouldKeepABackendFromStartingIsSeenWithoutRunningIt(t *testing.T) {
	onBusy(t)
	const trap = "import os\nopen(os.path.join(os.path.dirname(__file__), 'ran'), 'w')\n"
	installed := ".venv/lib/python3/site-packages/"
	for name, c := range map[string]struct {
		command string
		files   map[string]string
		kind    crash.Kind
		says    []string
	}{
		"nothing":                    {uvicorn, map[string]string{"main.py": "import json, os.path\napp = 1\n"}, "", nil},
		"a syntax error":             {uvicorn, map[string]string{"main.py": "app = (\n"}, crash.KindException, []string{"SyntaxError", "main.py, line 1"}},
		"one in a file below":        {uvicorn, map[string]string{"main.py": "from lib.x import y\n", "lib/x.py": "def f(:\n"}, crash.KindException, []string{"SyntaxError", "lib/x.py, line 1"}},
		"one beside a relative one":  {"{python} -m uvicorn pkg.main:app", map[string]string{"pkg/__init__.py": "", "pkg/main.py": "from . import b\n", "pkg/b.py": "if\n"}, crash.KindException, []string{"pkg/b.py"}},
		"a wrong indent":             {uvicorn, map[string]string{"main.py": "def f():\nreturn 1\n"}, "", []string{"IndentationError"}},
		"a module that is nowhere":   {uvicorn, map[string]string{"main.py": "import nowhere_at_all.x\n"}, crash.KindMissingModule, []string{"nowhere_at_all is missing", "install"}},
		"one that may be away":       {uvicorn, map[string]string{"main.py": "try:\n    import nowhere_at_all\nexcept ImportError:\n    pass\nif 0:\n    import another\ndef f():\n    import third\n"}, "", nil},
		"one that is installed":      {uvicorn, map[string]string{"main.py": "import there, space.x, single, native\n", installed + "there/__init__.py": "", installed + "space/x.py": "", installed + "single.py": "", installed + "native.abi3.so": ""}, "", nil},
		"one by a path file":         {uvicorn, map[string]string{"main.py": "import far\n", installed + "x.pth": "../../../../elsewhere\n", "elsewhere/far.py": ""}, "", nil},
		"one that only a finder has": {uvicorn, map[string]string{"main.py": "import far\n", installed + "__editable__.x.pth": "import finder; finder.install()\n"}, "", nil},
		"a model file":               {uvicorn, map[string]string{"main.py": "from llama import Llama\nllm = Llama(model_path='models/m.gguf')\n", "llama.py": ""}, crash.KindException, []string{"models/m.gguf", "main.py, line 2"}},
		"a model that is written":    {uvicorn, map[string]string{"main.py": "f = open('out.pkl', 'wb')\nm = 'a.gguf'\nsave('b.gguf')\n"}, "", nil},
		"a model that is there":      {uvicorn, map[string]string{"main.py": "f = open('m.onnx', 'rb')\n", "m.onnx": "x"}, "", nil},
		"a model of the command":     {"{python} -m llama_cpp.server --model ./m.gguf", nil, crash.KindException, []string{"./m.gguf"}},
		"a model that is fetched":    {"{python} -m mlx_lm.server --model org/model", nil, "", nil},
		"an application elsewhere":   {uvicorn, map[string]string{"backend/main.py": "app = 1\n"}, crash.KindAppNotFound, []string{`"main"`, "folder"}},
		"a script that is not there": {"{python} server.py", nil, crash.KindExitCode, []string{"server.py", "Check the command"}},
		"an installed application":   {"{python} -m chromadb.cli.cli run", nil, "", nil},
		"nothing of it is run":       {uvicorn, map[string]string{"main.py": trap + "app = (\n", "json.py": trap, "sitecustomize.py": trap, installed + "usercustomize.py": trap}, crash.KindException, []string{"SyntaxError"}},
	} {
		t.Run(name, func(t *testing.T) {
			conf, p := backend(t, c.command, c.files)
			all := Look(t.Context(), conf, p)
			require.NoFileExists(t, filepath.Join(conf.Dir, "ran"))
			if c.says == nil {
				require.Empty(t, all)
				return
			}
			require.NotEmpty(t, all)
			if c.kind != "" {
				require.Equal(t, c.kind, all[0].Kind)
			}
			for _, s := range c.says {
				require.Contains(t, Line(all[0]), s)
			}
			require.NotContains(t, Line(all[0]), "almost certainly")
		})
	}
}

func TestThePackageOfTheServerIsMissedByItsPlan(t *testing.T) {
	c, p := backend(t, uvicorn, map[string]string{"main.py": "app = 1\n"})
	p.Lacks, p.InstallAll, p.Declares = "uvicorn", "cd /x && uv sync", []string{"uvicorn"}
	all := Look(t.Context(), c, p)
	require.Len(t, all, 1)
	require.Equal(t, crash.KindMissingModule, all[0].Kind)
	require.Contains(t, all[0].Remedy, "cd /x && uv sync")
}

func TestTheWordsAreThoseOfTheEndItself(t *testing.T) {
	onBusy(t)
	c, p := backend(t, "{python} main.py", map[string]string{"main.py": "import nowhere_at_all\n"})
	before := Look(t.Context(), c, p)
	require.Len(t, before, 1)
	after := crash.Judge(crash.Evidence{Known: true, Code: 1, Python: p.Python.Path, Dir: c.Dir, Port: c.Port, Tail: []string{
		"Traceback (most recent call last):", `  File "` + c.Dir + `/main.py", line 1, in <module>`, "    import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'",
	}})
	require.Equal(t, after.Summary, before[0].Summary)
	require.Equal(t, after.Remedy, before[0].Remedy)
}

func TestAPythonOfTheFolderItselfIsNotRun(t *testing.T) {
	c, p := backend(t, uvicorn, map[string]string{"main.py": "app = (\n", ".venv/bin/python": "#!/bin/sh\ntouch ran\n"})
	p.Python.Real = filepath.Join(c.Dir, ".venv/bin/python")
	require.NoError(t, os.Chmod(p.Python.Real, 0o755))
	require.Empty(t, Look(t.Context(), c, p))
	require.NoFileExists(t, filepath.Join(c.Dir, "ran"))
}

func TestALookNeverTakesASecond(t *testing.T) {
	c, p := backend(t, uvicorn, map[string]string{"main.py": "app = (\n"})
	slow := filepath.Join(t.TempDir(), "python3")
	require.NoError(t, os.WriteFile(slow, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755))
	p.Python.Real = slow
	began := time.Now()
	require.Empty(t, Look(t.Context(), c, p))
	require.Less(t, time.Since(began), 5*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Empty(t, Look(ctx, c, p))
}

func TestATakenPortIsToldAsAStartTellsIt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, _ := backend(t, uvicorn, nil)
	_, text, _ := net.SplitHostPort(l.Addr().String())
	c.Port, err = strconv.Atoi(text)
	require.NoError(t, err)
	v, taken := Port(t.Context(), c)
	require.True(t, taken)
	require.Equal(t, crash.KindPortTaken, v.Kind)
	require.Contains(t, v.Summary, "port "+text+" is taken by ")
	require.NoError(t, l.Close())
	_, taken = Port(t.Context(), c)
	require.False(t, taken)
}

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shortLived is a rig with that environment, which dies once and stays down.
func shortLived(t *testing.T, command, health string, files map[string]string) *rig {
	t.Helper()
	dir, err := servers()
	needs(t, err == nil, fmt.Sprintf("no virtual environment with the servers: %v", err))
	r := newRig(t, "late", "command = "+command+"\n[health]\n"+health+"\n[restart]\npolicy = \"never\"\n")
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o755))
	}
	require.NoError(t, os.Symlink(dir, filepath.Join(r.dir, ".venv")))
	return r
}

// abort is a program that ends as one with two OpenMP runtimes does.
const abort = `import os, sys
print("OMP: Error #15: Initializing libomp.dylib, but found libomp.dylib already initialized.", file=sys.stderr)
print("OMP: Hint This means that multiple copies of the OpenMP runtime have been linked into the program.", file=sys.stderr, flush=True)
os.abort()
`

// What a server says of its end is not lost behind whatever stands between it and us.
func TestTheCauseIsToldThroughWhateverStandsBetween(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command       string
		files         map[string]string
		kind, summary string
	}{
		"fastapi run, in a box": {
			`["{python}", "-m", "fastapi", "run", "main.py", "--port", "{port}"]`,
			map[string]string{"main.py": "from fastapi import FastAPI\n\napp = FastAPI()\nraise ValueError('EMBEDDING_DIM must be 384, not 768')\n"},
			"uncaught-exception", "ValueError: EMBEDDING_DIM must be 384, not 768",
		},
		"uv run": {
			`[".venv/bin/uv", "run", "--no-project", "--offline", "--python", ".venv/bin/python", "python", "main.py"]`,
			map[string]string{"main.py": abort}, "openmp-duplicate", "OpenMP",
		},
		"a shell script": {
			`["./run.sh"]`, map[string]string{"run.sh": "#!/bin/sh\n.venv/bin/python main.py\n", "main.py": abort}, "openmp-duplicate", "OpenMP",
		},
		"loguru's catch": {
			`["{python}", "main.py"]`,
			map[string]string{"main.py": "import sys\nfrom loguru import logger\n\n@logger.catch(onerror=lambda _: sys.exit(1))\ndef main():\n    raise KeyError('index.faiss')\n\nmain()\n"},
			"uncaught-exception", "KeyError: 'index.faiss'",
		},
		"an exception group": {
			`["{python}", "main.py"]`,
			map[string]string{"main.py": "raise ExceptionGroup('starting', [ExceptionGroup('models', [RuntimeError('the model bge-small is not there')])])\n"},
			"uncaught-exception", "RuntimeError: the model bge-small is not there",
		},
		"Flask's reloader": {
			`["{python}", "-m", "flask", "--app", "main", "run", "--debug", "--port", "{port}"]`,
			map[string]string{"main.py": "import ctypes, flask\n\napp = flask.Flask(__name__)\nctypes.string_at(0)\n"},
			"segfault", "segmentation fault",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := shortLived(t, c.command, `path = ""`, c.files).run()
			v := f.await("crashed").Verdict
			require.Equal(t, c.kind, v.Kind, "%+v", v)
			require.Contains(t, v.Summary, c.summary)
			<-f.done
		})
	}
}

func TestOneOfTwoGunicornWorkersThatIsKilledIsToldAsThat(t *testing.T) {
	t.Parallel()
	r := shortLived(t, `["{python}", "-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "main:app"]`, "path = \"/\"\ninterval = \"300ms\"", map[string]string{
		"main.py": "import os\n\ndef app(environ, start):\n    start('200 OK', [])\n    return [str(os.getpid()).encode()]\n",
	})
	f := r.run()
	leader := f.await("healthy").PID
	eventually(t, "both workers were seen", func() bool {
		out, _ := r.do("status", "--json", r.dir)
		return strings.Contains(out, `"processes":3`)
	})
	time.Sleep(2 * time.Second) // a child is taken for a worker from its second second on
	var worker int
	_, err := fmt.Sscan(r.get("/"), &worker)
	require.NoError(t, err)
	require.NotEqual(t, leader, worker)
	require.NoError(t, syscall.Kill(worker, syscall.SIGKILL))
	died := f.await("worker-died")
	require.Equal(t, leader, died.PID, "the run goes on")
	require.Contains(t, died.Verdict.Summary, "SIGKILL", "%+v", died.Verdict)
	f.stop()
}

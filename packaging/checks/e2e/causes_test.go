//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serverWheels are the programs behind which a cause is easily lost.
var serverWheels = []string{"fastapi<1", "fastapi-cli<1", "uvicorn<1", "rich", "typer", "loguru<1", "flask<4", "gunicorn", "uv"}

// serverEnvironment is a virtual environment with them, made once and kept in the user's cache folder.
var serverEnvironment = sync.OnceValues(func() (string, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	version, err := exec.Command(python, "-c", "import sys; print(sys.version, sys.base_prefix)").Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", python, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Append(nil, serverWheels, string(version)))
	dir := filepath.Join(cache, "vivarium-e2e", "servers-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	install := append([]string{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"}, serverWheels...)
	for _, args := range [][]string{{python, "-m", "venv", dir}, install} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(args[:3], " "), err, tail(string(out), 5))
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
})

// servers is a rig with that environment, which dies once and stays down.
func servers(t *testing.T, command, health string, files map[string]string) *rig {
	t.Helper()
	dir, err := serverEnvironment()
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
			f := servers(t, c.command, `path = ""`, c.files).run()
			v := f.await("crashed").Verdict
			require.Equal(t, c.kind, v.Kind, "%+v", v)
			require.Contains(t, v.Summary, c.summary)
			<-f.done
		})
	}
}

func TestOneOfTwoGunicornWorkersThatIsKilledIsToldAsThat(t *testing.T) {
	t.Parallel()
	r := servers(t, `["{python}", "-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "main:app"]`, "path = \"/\"\ninterval = \"300ms\"", map[string]string{
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

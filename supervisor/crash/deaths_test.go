package crash

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// python is the real interpreter, not a shim in front of it.
func python(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skipf("there is no python3 here: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// die runs real Python to its end and returns what is known of it.
func die(t *testing.T, dir string, args ...string) Evidence {
	t.Helper()
	cmd := exec.Command(python(t), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYTHONFAULTHANDLER=1", "PYTHONUNBUFFERED=1", "KMP_DUPLICATE_LIB_OK=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.True(t, errors.As(err, &exit), "%v", err)
	}
	// An OpenMP runtime that aborts leaves this behind.
	_ = os.Remove(fmt.Sprintf("/dev/shm/__KMP_REGISTERED_LIB_%d_%d", cmd.Process.Pid, os.Getuid()))
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	e := Evidence{Known: true, Python: cmd.Path, Tail: strings.Split(strings.TrimRight(out.String(), "\n"), "\n")}
	if status.Signaled() {
		e.Signal = unix.SignalName(status.Signal())
	} else {
		e.Code = status.ExitStatus()
	}
	return e
}

func script(t *testing.T, name, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	return dir
}

func TestRealDeathsAreJudgedRight(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() }) // not defer: the parallel tests run after this function
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	tests := map[string]struct {
		text    string
		kind    Kind
		summary string
		remedy  string
	}{
		"a segmentation fault in C":     {"import ctypes\ndef hurt(): ctypes.string_at(0)\nhurt()", KindSegfault, "at ctypes/__init__.py, line ", "Python stack in the log"},
		"an abort":                      {"import os\ndef hurt(): os.abort()\nhurt()", KindAbort, "at main.py, line 2, in hurt", "Python stack"},
		"a division in native code":     {"import os, signal\nos.kill(os.getpid(), signal.SIGFPE)", KindArithmetic, "arithmetic error", ""},
		"an illegal instruction":        {"import os, signal\nos.kill(os.getpid(), signal.SIGILL)", KindIllegal, "illegal instruction", ""},
		"a bus error":                   {"import os, signal\nos.kill(os.getpid(), signal.SIGBUS)", KindBusError, "bus error", ""},
		"SIGKILL":                       {"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", KindKilled, "killed (SIGKILL)", ""},
		"SIGTERM":                       {"import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", KindEnded, "SIGTERM", ""},
		"SIGINT":                        {"import os, signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)", KindEnded, "SIGINT", ""},
		"an exception":                  {"def load():\n    raise ValueError('no model')\nload()", KindException, "ValueError: no model", "main.py, line 2, in load"},
		"a chain of exceptions":         {"try:\n    {}['a']\nexcept KeyError as e:\n    raise RuntimeError('worse') from e", KindException, "RuntimeError: worse", "main.py, line 4"},
		"endless recursion":             {"def f(): f()\nf()", KindStack, "RecursionError", "line 1, in f"},
		"a syntax error":                {"def f(:", KindException, "SyntaxError", "main.py, line 1"},
		"a missing module":              {"import nothing_of_this_name", KindMissingModule, "nothing_of_this_name", "-m pip install nothing_of_this_name"},
		"a module hidden by a file":     {"import main.part", KindMissingModule, "main.part", "main.py stands in the place"},
		"a port in use":                 {"import socket\ns = socket.socket()\ns.bind(('127.0.0.1', " + port + "))", KindPortTaken, "port", "another port"},
		"an exception in a thread":      {"import threading, sys\ndef f(): raise ValueError('x')\nt = threading.Thread(target=f); t.start(); t.join()\nsys.exit(1)", KindExitCode, "code 1", ""},
		"exit 3":                        {"import sys\nsys.exit(3)", KindExitCode, "code 3", ""},
		"an exception group":            {"async def f():\n    async with asyncio.TaskGroup() as g:\n        g.create_task(h())\nasync def h(): import nothing_of_this_name\nimport asyncio\nasyncio.run(f())", KindMissingModule, "nothing_of_this_name", ""},
		"an exception with a note":      {"e = ValueError('no model')\ne.add_note('in this folder')\nraise e", KindException, "ValueError: no model", "main.py, line 3"},
		"an atexit callback that fails": {"import atexit\natexit.register(lambda: {}['x'])\nraise ValueError('no model')", KindException, "ValueError: no model", "main.py, line 3"},
		"a finalizer that fails":        {"class A:\n    def __del__(self): {}['x']\na = A()\nraise ValueError('no model')", KindException, "ValueError: no model", "main.py, line 4"},
		"sys.exit with a text":          {"import sys\nsys.exit('error: MODEL_PATH is not set')", KindExitCode, "error: MODEL_PATH is not set", ""},
		"a cause that is known":         {"try:\n    import nothing_of_this_name\nexcept ImportError as e:\n    raise RuntimeError('cannot load') from e", KindMissingModule, "nothing_of_this_name", ""},
		"a child's SIGSEGV passed on":   {"import subprocess, sys\nsys.exit(subprocess.call([sys.executable, '-c', 'import ctypes; ctypes.string_at(0)']))", KindSegfault, "segmentation fault", ""},
		"a shell in between":            {"import subprocess, sys\nsys.exit(subprocess.call(['sh', '-c', sys.executable + ' -c \"import os; os.abort()\"; exit $?']))", KindAbort, "SIGABRT", ""},
		"a pool whose worker is killed": {"import os, concurrent.futures as f, multiprocessing as m\nif __name__ == '__main__':\n    with f.ProcessPoolExecutor(1, m.get_context('spawn')) as p: p.submit(os._exit, 9).result()", KindWorkerDied, "a worker process of a pool died", ""},
		"logged and left":               {"import logging, sys\ntry:\n    open('nowhere.bin')\nexcept OSError:\n    logging.exception('could not start')\n    sys.exit(1)", KindException, "FileNotFoundError", "main.py, line 3"},
		"the end of the script":         {"print('done')", KindCleanExit, "without an error", ""},
		"leaked semaphores, and gone":   {"import multiprocessing as m, os\nc = m.get_context('spawn')\nlocks = [c.Lock() for _ in range(3)]\nos._exit(7)", KindExitCode, "code 7", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := die(t, script(t, "main.py", tt.text), "main.py")
			v := Judge(e)
			require.Equal(t, tt.kind, v.Kind, "%+v\n%s", v, strings.Join(e.Tail, "\n"))
			require.Contains(t, v.Summary, tt.summary)
			require.Contains(t, v.Remedy, tt.remedy)
		})
	}
}

func TestAServerModuleThatIsNotInstalledIsNamed(t *testing.T) {
	v := Judge(die(t, t.TempDir(), "-m", "nothing_of_this_name", "main:app"))
	require.Equal(t, KindMissingModule, v.Kind)
	require.Contains(t, v.Summary, "nothing_of_this_name")
}

// Two copies of LLVM's runtime in one process abort on Linux as they do on a Mac.
func TestTwoRealOpenMPRuntimesAreNamed(t *testing.T) {
	found, err := filepath.Glob("/usr/lib/llvm-*/lib/libomp.so.5")
	require.NoError(t, err)
	if len(found) == 0 {
		t.Skip("LLVM's libomp is not installed here (Debian: libomp5-14 or libomp-dev)")
	}
	lib, err := os.ReadFile(found[0])
	require.NoError(t, err)
	dir := script(t, "main.py", `import ctypes, sys
for path in sys.argv[1:]:
    ctypes.CDLL(path).omp_get_max_threads()
print("survived")
`)
	second := filepath.Join(dir, "libomp-second.so")
	require.NoError(t, os.WriteFile(second, lib, 0o700))
	e := die(t, dir, "main.py", found[0], second)
	v := Judge(e)
	require.Equal(t, KindOpenMP, v.Kind, strings.Join(e.Tail, "\n"))
	require.Contains(t, v.Summary, "two OpenMP runtimes")
	require.Contains(t, v.Line, "OMP: Error #15")
}

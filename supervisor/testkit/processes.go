// Package testkit is for the tests of the packages beside it: real Pythons and servers, made-up computers, cgroups and crash reports. No
// code outside of tests may import it.
package testkit

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

const Patience = 30 * time.Second // for a loaded machine; nothing waits that long when all is well

// realInterpreter resolves pyenv's shim, a shell script, to the interpreter behind it.
var realInterpreter = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import os, sys; print(os.path.realpath(sys.executable))").Output()
	return strings.TrimSpace(string(out)), err
})

func Interpreter(t testing.TB) string {
	t.Helper()
	python, err := realInterpreter()
	if err != nil {
		t.Skip("no python3 on this machine: real servers cannot be started")
	}
	return python
}

// ServerScript is a server.py of the kinds that uvicorn and gunicorn are: one process, forked workers on a shared socket, workers that
// multiprocessing spawned, a worker alone that listens.
const ServerScript = `import multiprocessing, os, signal, socket, sys, time

def serve(s):
    while True:
        c, _ = s.accept()
        c.recv(4096)
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\nok")
        c.close()

def main(kind, port):
    s = socket.create_server(("127.0.0.1", port), reuse_port=False)
    if kind == "fork":
        for _ in range(2):
            if os.fork() == 0:
                serve(s)
    if kind == "spawn":
        context = multiprocessing.get_context("spawn")
        for _ in range(2):
            context.Process(target=serve, args=(s,), daemon=True).start()
    if kind == "escape" and os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        serve(s)
    if kind in ("alone", "escape"):
        if kind == "alone" and os.fork() == 0:
            serve(s)
        s.close()
    if kind in ("fork", "spawn", "alone", "escape"):
        time.sleep(3600)
    serve(s)

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
`

// LaunchIn starts a program in dir, in a process group of its own that ends with the test.
func LaunchIn(t testing.TB, dir string, env []string, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	return cmd
}

func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func AwaitAnswer(t testing.TB, port int) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, Patience, 10*time.Millisecond)
}

func ListenOn(t testing.TB, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil && strings.Contains(network, "6") {
		t.Skip("no IPv6 on this machine: ", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func PortOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// EndCarriers ends what left its process group, by the mark that this test gave it.
func EndCarriers(t *testing.T, id string) {
	t.Cleanup(func() {
		all, err := proc.Processes()
		require.NoError(t, err)
		for _, p := range all {
			if proc.RunOf(p.PID) == id {
				_ = proc.Signal(p, syscall.SIGKILL)
			}
		}
	})
}

// RealPython is the interpreter behind the python3 of this machine, not a shim in front of it.
func RealPython(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skipf("there is no python3 here: %v", err)
	}
	return strings.TrimSpace(string(out))
}

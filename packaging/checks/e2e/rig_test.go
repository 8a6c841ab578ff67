//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long anything may take here that should take much less: the machine may be slow and busy.
const patience = 60 * time.Second

// rig is one backend in a folder of its own, and a state folder of its own.
type rig struct {
	t    *testing.T
	home string // VIVARIUM_HOME; short, because a socket's path may not be long
	dir  string // the backend's folder, links resolved
	port int
}

// newRig copies testdata/fixture into a new folder and writes its vivarium.toml.
func newRig(t *testing.T, fixture, config string) *rig {
	t.Helper()
	top, err := os.MkdirTemp("", "viv")
	require.NoError(t, err)
	top, err = filepath.EvalSymlinks(top)
	require.NoError(t, err)
	r := &rig{t: t, home: filepath.Join(top, "h"), dir: filepath.Join(top, "backend"), port: freePort(t)}
	require.NoError(t, os.CopyFS(r.dir, os.DirFS(filepath.Join("testdata", fixture))))
	r.configure(config)
	t.Cleanup(func() {
		r.end()
		require.NoError(t, os.RemoveAll(top))
	})
	return r
}

// twin is a rig with the server of the standard library. environment are its TWIN_ variables as "NAME=value".
func twin(t *testing.T, config string, environment ...string) *rig {
	t.Helper()
	_, err := exec.LookPath("python3")
	needs(t, err == nil, "python3 is not installed")
	var b strings.Builder
	b.WriteString("command = [\"{python}\", \"main.py\", \"{port}\"]\n" + config + "\n[environment]\n")
	for _, e := range environment {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, "%s = %q\n", name, value)
	}
	return newRig(t, "twin", b.String())
}

func (r *rig) configure(config string) {
	r.t.Helper()
	text := fmt.Sprintf("name = \"twin\"\nport = %d\n%s\n", r.port, config)
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, "vivarium.toml"), []byte(text), 0o644))
}

// needs skips the test, aloud, on a machine that lacks something; where CI says that nothing may be lacking, it fails.
func needs(t *testing.T, met bool, what string) {
	t.Helper()
	switch {
	case met:
	case os.Getenv("VIVARIUM_CI") != "":
		t.Fatal(what)
	default:
		t.Skip(what)
	}
}

func (r *rig) environ() []string {
	return append(os.Environ(), "VIVARIUM_HOME="+r.home)
}

// do runs `vivarium args…` in the backend's folder to its end.
func (r *rig) do(args ...string) (out string, code int) {
	r.t.Helper()
	cmd := exec.Command(vivarium, args...)
	cmd.Dir, cmd.Env = r.dir, r.environ()
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(r.t, err)
	}
	return all.String(), cmd.ProcessState.ExitCode()
}

// end stops what a test left running, and kills what does not stop: only processes of this rig's own folders.
func (r *rig) end() {
	if r.t.Failed() {
		r.t.Logf("the end of the log:\n%s", tail(r.log(), 40))
		text, _ := os.ReadFile(filepath.Join(r.keeperFolder(), "keeper.log"))
		r.t.Logf("keeper.log:\n%s", text)
	}
	_, _ = r.do("stop", r.dir)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && len(r.servers()) > 0; {
		time.Sleep(20 * time.Millisecond)
	}
	for range 3 {
		for _, p := range r.processes() {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

// keeperFolder is the one backend's folder in the state folder, or "".
func (r *rig) keeperFolder() string {
	found, _ := filepath.Glob(filepath.Join(r.home, "b", "*"))
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// log is the text of the server's log, rotated files first, oldest first.
func (r *rig) log() string {
	var b strings.Builder
	for i := 9999; i > 0; i-- {
		if text, err := os.ReadFile(filepath.Join(r.dir, "logs", "server.log."+strconv.Itoa(i))); err == nil {
			b.Write(text)
		}
	}
	text, _ := os.ReadFile(filepath.Join(r.dir, "logs", "server.log"))
	b.Write(text)
	return b.String()
}

// lives are the PIDs of all servers that ever started here. It fails if two ever lived at the same time.
func (r *rig) lives() []int {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "lives"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(r.t, err)
	require.NotContains(r.t, string(text), "second", "two servers lived at the same time")
	var pids []int
	for line := range strings.Lines(string(text)) {
		first, _, _ := strings.Cut(line, " ")
		pid, err := strconv.Atoi(first)
		require.NoError(r.t, err)
		pids = append(pids, pid)
	}
	return pids
}

// free waits until the port can be bound.
func (r *rig) free() {
	r.t.Helper()
	eventually(r.t, "the port is free", func() bool {
		l, err := net.Listen("tcp", r.address())
		if err != nil {
			return false
		}
		return l.Close() == nil
	})
}

func (r *rig) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// empty waits until no process of this backend is left.
func (r *rig) empty() {
	r.t.Helper()
	var left []process
	defer func() {
		if r.t.Failed() {
			r.t.Logf("left: %+v", left)
		}
	}()
	eventually(r.t, "no process of the backend is left", func() bool {
		left = r.servers()
		return len(left) == 0
	})
}

// eventually polls until ok or until patience ends.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, "not within "+patience.String()+": "+what)
		}
	}
}

// freePort is below the range from which the kernel gives ports to clients, so that nobody gets it by chance.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10000 + rand.IntN(20000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	require.FailNow(t, "no port is free")
	return 0
}

func tail(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

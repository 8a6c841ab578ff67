//go:build servers

package servers

import (
	"bytes"
	"encoding/json"
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

// built are the programs, made once for all cases.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"vivarium", "vivarium-keeper"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/vivarium-app/vivarium/cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return dir
}

// The small servers through the whole program: init finds the server and its environment, run gets it healthy, a worker's or the server's own
// death is told, and stop leaves nothing.
func TestTheWholeProgramKeepsTheSmallServers(t *testing.T) {
	programs := built(t)
	for _, b := range readBackends(t) {
		if b.small {
			t.Run(b.row, func(t *testing.T) { whole(t, programs, b) })
		}
	}
}

func whole(t *testing.T, programs string, b backend) {
	dir := folder(t, b.files)
	require.NoError(t, os.Symlink(environment(t, b.row, b.packages), filepath.Join(dir, ".venv")))
	home, err := os.MkdirTemp("", "viv") // a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(home) })
	prepared := func(args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(programs, "vivarium"), args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "VIVARIUM_HOME="+filepath.Join(home, "h"))
		return cmd
	}
	do := func(args ...string) string {
		out, err := prepared(args...).CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
		return string(out)
	}
	init := []string{"init", "--force"}
	if strings.Contains(do("init", "--dry-run"), "{port}") {
		init = append(init, "--port", strconv.Itoa(freePort(t)))
	}
	found := do(init...)
	require.NotContains(t, found, "is not installed")
	text, err := os.ReadFile(filepath.Join(dir, "vivarium.toml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "\npython = \".venv\"\n")

	var said bytes.Buffer
	run := prepared("run")
	run.Stdout, run.Stderr = &said, &said
	require.NoError(t, run.Start())
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	t.Cleanup(func() { _, _ = prepared("stop", "--all").CombinedOutput() })
	do("wait", "--timeout", "60s")
	var row struct {
		PID    int `json:"pid"`
		Health struct{ Phase string }
	}
	require.NoError(t, json.Unmarshal([]byte(do("status", "--json")), &row))
	require.Equal(t, "ok", row.Health.Phase)
	first := row.PID
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL)) // it is this test's own
	require.Eventually(t, func() bool {
		_ = json.Unmarshal([]byte(do("wait", "--timeout", "60s", "--json")), &struct{}{})
		out, _ := prepared("status", "--json").Output()
		return json.Unmarshal(out, &row) == nil && row.PID != 0 && row.PID != first && row.Health.Phase == "ok"
	}, time.Minute, 100*time.Millisecond, "it is started again after a kill")
	require.Contains(t, do("crashes"), "SIGKILL")

	began := time.Now()
	do("stop")
	t.Logf("%s: stopped in %.2f s", b.row, time.Since(began).Seconds())
	require.NoError(t, <-ended, said.String())
	require.ErrorIs(t, syscall.Kill(row.PID, 0), syscall.ESRCH)
	require.ErrorIs(t, syscall.Kill(-row.PID, 0), syscall.ESRCH, "nothing of its group is left")
}

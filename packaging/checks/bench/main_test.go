//go:build bench

// Package bench measures what Vivarium costs, with the real programs. Nothing here passes or fails by a figure: a busy machine
// would make it a liar. `make bench` prints the table.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long anything may take before the measurement is given up.
const patience = 3 * time.Minute

// rows of the table, in the order in which they were measured.
var rows [][]string

func row(what, figure, compared string) { rows = append(rows, []string{what, figure, compared}) }

func TestMain(m *testing.M) {
	code := m.Run()
	if len(rows) > 0 {
		fmt.Printf("\n%d processors, load %s\n", cpus(), load())
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "what\tfigure\tcompared")
		for _, r := range rows {
			fmt.Fprintln(w, strings.Join(r, "\t"))
		}
		_ = w.Flush()
	}
	os.Exit(code)
}

func cpus() int {
	out, err := exec.Command("getconf", "_NPROCESSORS_ONLN").Output()
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(out)))
	return n
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// vivarium is the program under test, built by make.
func vivarium(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/vivarium")
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Skip("bin/vivarium is not built: make build")
	}
	return path
}

// child is the C program, compiled into a folder of the test's.
func child(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "child")
	out, err := exec.Command("cc", "-O2", "-o", path, "testdata/child.c").CombinedOutput()
	if err != nil {
		t.Skipf("no C compiler: a child in another language would measure its own start: %v %s", err, out)
	}
	return path
}

// home is one backend and a state folder, both new.
type home struct {
	t          *testing.T
	state, dir string
	cmd        *exec.Cmd
}

// start writes the configuration and runs `vivarium run` on it.
func start(t *testing.T, config string) *home {
	t.Helper()
	top, err := os.MkdirTemp("", "vb")
	require.NoError(t, err)
	h := &home{t: t, state: filepath.Join(top, "h"), dir: filepath.Join(top, "b")}
	require.NoError(t, os.MkdirAll(h.dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "vivarium.toml"), []byte(config), 0o644))
	h.cmd = exec.Command(vivarium(t), "run", h.dir)
	h.cmd.Env = append(os.Environ(), "VIVARIUM_HOME="+h.state)
	out, err := os.Create(filepath.Join(top, "out"))
	require.NoError(t, err)
	h.cmd.Stdout, h.cmd.Stderr = out, out
	require.NoError(t, h.cmd.Start())
	t.Cleanup(func() {
		_ = h.cmd.Process.Signal(syscall.SIGTERM)
		done := time.AfterFunc(30*time.Second, func() { _ = h.cmd.Process.Kill() })
		_ = h.cmd.Wait()
		done.Stop()
		if t.Failed() {
			text, _ := os.ReadFile(out.Name())
			t.Logf("run said:\n%s", text)
		}
		_ = out.Close()
		_ = os.RemoveAll(top)
	})
	return h
}

// keeper is the PID of this home's keeper.
func (h *home) keeper() int {
	h.t.Helper()
	out, err := exec.Command("ps", "-axww", "-o", "pid=,command=").Output()
	require.NoError(h.t, err)
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 1 && strings.Contains(line, "vivarium-keeper") && strings.Contains(line, h.state) {
			pid, err := strconv.Atoi(f[0])
			require.NoError(h.t, err)
			return pid
		}
	}
	require.FailNow(h.t, "no keeper runs")
	return 0
}

// until polls a hundred times as often as anything measured here changes.
func until[T any](t *testing.T, what string, look func() (T, bool)) T {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if v, ok := look(); ok {
			return v
		}
	}
	require.FailNow(t, "not within "+patience.String()+": "+what)
	panic("unreachable")
}

// noted are the number pairs in a file that the child writes.
func noted(file string) [][2]int64 {
	text, _ := os.ReadFile(file)
	var pairs [][2]int64
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 2 || !strings.HasSuffix(line, "\n") {
			continue
		}
		a, _ := strconv.ParseInt(f[0], 10, 64)
		b, _ := strconv.ParseInt(f[1], 10, 64)
		pairs = append(pairs, [2]int64{a, b})
	}
	return pairs
}

func median[T int64 | float64 | time.Duration](all []T) T {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

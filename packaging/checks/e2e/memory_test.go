//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// growing is a rig with a server whose memory the test decides.
func growing(t *testing.T, memory string) *rig {
	t.Helper()
	_, err := exec.LookPath("python3")
	needs(t, err == nil, "python3 is not installed")
	return newRig(t, "memory", "command = [\"{python}\", \"main.py\", \"{port}\"]\n[health]\ninterval = \"500ms\"\n[stop]\ngrace = \"30s\"\n[memory]\n"+memory)
}

// asked asks the server, and gives an error where it does not answer well.
func (r *rig) asked(path string) error {
	answer, err := http.Get("http://" + r.address() + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if want := "done " + strings.SplitN(path, "?", 2)[0]; err == nil && (answer.StatusCode != 200 || string(text) != want) {
		err = fmt.Errorf("%s: %d %q", path, answer.StatusCode, text)
	}
	return err
}

// memory is what a row says of it.
type memory struct {
	Text  string
	Usage struct {
		Memory, Held, RSS uint64
		Processes         int
	}
	Memory struct {
		Machine  uint64
		Pressure string
		High     bool
		Restarts int
	}
	Crashes int
}

func memoryOf(t *testing.T, one row) memory {
	t.Helper()
	var m memory
	require.NoError(t, json.Unmarshal([]byte(one.text), &m), one.text)
	return m
}

func TestAServerThatGrowsIsWarnedOfAndRestartedInGoodOrder(t *testing.T) {
	t.Parallel()
	r := growing(t, "warn = \"150MB\"\nrestart = \"300MB\"\nfor = \"2s\"\n")
	f := r.run()
	first := f.await("healthy").PID
	require.NoError(t, r.asked("/grow?mb=200"))
	high := memoryOf(t, f.await("memory-high"))
	require.Regexp(t, `^2\d\d MB for 2 s, more than 150 MB$`, high.Text)
	require.Greater(t, high.Usage.Held, uint64(200e6))
	out, _ := r.do("status", r.dir)
	require.Contains(t, out, "memory is high: ")
	time.Sleep(3 * time.Second) // there is no second warning, nor a restart, below the other limit
	require.Empty(t, f.seen("stopping"))

	require.NoError(t, r.asked("/grow?mb=150"))
	answers := make(chan error)
	for range 4 {
		go func() { answers <- r.asked("/slow?s=6") }()
	}
	stopping := memoryOf(t, f.await("stopping"))
	require.Regexp(t, `^its memory: 3\d\d MB for 2 s, more than 300 MB$`, stopping.Text)
	for range 4 {
		require.NoError(t, <-answers, "what was in flight is finished")
	}
	restarting := memoryOf(t, f.await("restarting"))
	system := map[string]string{"darwin": "macOS"}[runtime.GOOS]
	if system == "" {
		system = "the system"
	}
	require.Regexp(t, `^restarted at 3\d\d MB, before `+system+` would have ended it$`, restarting.Text)
	again := f.await("healthy")
	require.NotEqual(t, first, again.PID)
	require.Contains(t, r.log(), "finished all requests")

	require.Len(t, f.seen("memory-high"), 1)
	require.Empty(t, f.seen("crashed"))
	require.Empty(t, f.seen("gave-up"))
	require.Empty(t, r.deaths())
	require.Zero(t, again.Crashes)
	require.Equal(t, 1, memoryOf(t, r.status()).Memory.Restarts)
	out, _ = r.do("status", r.dir)
	require.Contains(t, out, "restarted at 3")
	f.stop()
}

func TestPageCacheAndAShortPeakAreNoReason(t *testing.T) {
	t.Parallel()
	r := growing(t, "warn = \"150MB\"\nrestart = \"200MB\"\nfor = \"4s\"\n")
	model := filepath.Join(r.dir, "model")
	require.NoError(t, os.WriteFile(model, make([]byte, 400e6), 0o600))
	f := r.run()
	pid := f.await("healthy").PID
	require.NoError(t, r.asked("/cache?file="+model))
	eventually(t, "the model is in memory", func() bool { return memoryOf(t, r.status()).Usage.Memory > 400e6 })
	require.Less(t, memoryOf(t, r.status()).Usage.Held, uint64(150e6), "it can be dropped at any time")
	time.Sleep(6 * time.Second)
	for range 3 { // peaks, each shorter than the time, and together longer
		require.NoError(t, r.asked("/grow?mb=300"))
		eventually(t, "the peak is measured", func() bool { return memoryOf(t, r.status()).Usage.Held > 300e6 })
		require.NoError(t, r.asked("/shrink"))
		eventually(t, "the peak is over", func() bool { return memoryOf(t, r.status()).Usage.Held < 150e6 })
	}
	require.Empty(t, f.seen("memory-high"))
	require.Empty(t, f.seen("stopping"))
	require.Equal(t, pid, r.status().PID)
	f.stop()
}

func TestWhatForkedProcessesShareIsNoReason(t *testing.T) {
	t.Parallel()
	needs(t, runtime.GOOS == "linux", "a footprint is fair already")
	r := growing(t, "warn = \"\"\nrestart = \"300MB\"\nfor = \"2s\"\n")
	f := r.run()
	pid := f.await("healthy").PID
	require.NoError(t, r.asked("/grow?mb=200"))
	require.NoError(t, r.asked("/fork?n=4"))
	eventually(t, "the forks are measured", func() bool { return memoryOf(t, r.status()).Usage.RSS > 800e6 })
	time.Sleep(5 * time.Second)
	m := memoryOf(t, r.status())
	require.Less(t, m.Usage.Held, uint64(300e6), "%+v", m)
	require.Greater(t, m.Usage.Held, uint64(200e6))
	require.Empty(t, f.seen("memory-high"))
	require.Equal(t, pid, r.status().PID)
	require.NoError(t, r.asked("/grow?mb=150"))
	f.await("restarting")
	f.await("healthy")
	require.Len(t, f.seen("memory-high"), 1, "a restart is never without it")
	f.stop()
}

func TestTheRestartComesBeforeTheKernelEndsTheGroup(t *testing.T) {
	t.Parallel()
	const limit = 384 << 20
	procs := cgroup(t, limit)
	r := growing(t, "warn = \"50%\"\nrestart = \"70%\"\nfor = \"1s\"\n")
	model := filepath.Join(r.dir, "model")
	require.NoError(t, os.WriteFile(model, make([]byte, 500e6), 0o600))
	f := r.follow(exec.Command("sh", "-c", `echo $$ >"$0" && exec "$@"`, procs, vivarium, "run", "--json", r.dir))
	f.await("healthy")
	require.NoError(t, r.asked("/cache?file="+model)) // the whole group is at its limit now, by what can be dropped
	time.Sleep(2 * time.Second)
	require.Empty(t, f.seen("memory-high"))
	require.NoError(t, r.asked("/grow?mb=300"))
	restarting := memoryOf(t, f.await("restarting"))
	require.EqualValues(t, limit, restarting.Memory.Machine, "a share is one of what the group may have")
	f.await("healthy")
	require.Empty(t, f.seen("crashed"))
	require.Empty(t, r.deaths())
	f.stop()
}

// cgroup makes a memory cgroup with a limit, and gives the file to which a process is written that shall live in it.
func cgroup(t *testing.T, limit int) string {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	needs(t, err == nil, "there are no cgroups here")
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		places, name := []string{}, "memory.max"
		switch {
		case f[1] == "memory":
			places, name = []string{filepath.Join("/sys/fs/cgroup/memory", f[2]), "/sys/fs/cgroup/memory"}, "memory.limit_in_bytes"
		case f[0] == "0" && f[1] == "": // version 2 lets no group have both processes and groups with limits
			places = []string{filepath.Join("/sys/fs/cgroup", f[2]), filepath.Join("/sys/fs/cgroup", filepath.Dir(f[2]))}
		}
		for _, place := range places {
			dir := filepath.Join(place, fmt.Sprintf("vivarium-e2e-%d", os.Getpid()))
			if os.Mkdir(dir, 0o755) != nil {
				continue
			}
			t.Cleanup(func() { eventually(t, "the cgroup is empty", func() bool { return os.Remove(dir) == nil }) })
			if os.WriteFile(filepath.Join(dir, name), fmt.Append(nil, limit), 0o644) == nil {
				return filepath.Join(dir, "cgroup.procs")
			}
		}
	}
	needs(t, false, "this user may not make a memory cgroup")
	return ""
}

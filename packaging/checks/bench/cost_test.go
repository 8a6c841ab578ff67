//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// monotonic is the clock that the child reads, too.
func monotonic(t *testing.T) int64 {
	var now unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	return now.Nano()
}

const silent = "port = 0\n[health]\npath = \"\"\n[restart]\npolicy = \"always\"\n"

func TestRestart(t *testing.T) {
	program := child(t)
	var all []time.Duration
	for range 21 {
		t.Run("sample", func(t *testing.T) {
			beacon := filepath.Join(t.TempDir(), "beacon")
			h := start(t, fmt.Sprintf("command = [%q, \"beacon\", %q]\n%s", program, beacon, silent))
			first := until(t, "the child runs", func() ([][2]int64, bool) { n := noted(beacon); return n, len(n) == 1 })
			h.settle()
			time.Sleep(500 * time.Millisecond) // what follows a start is over when a server dies
			killed := monotonic(t)
			require.NoError(t, syscall.Kill(int(first[0][0]), syscall.SIGKILL))
			time.Sleep(50 * time.Millisecond) // who measures does not take the processor away
			second := until(t, "the next child runs", func() ([][2]int64, bool) { n := noted(beacon); return n, len(n) == 2 })
			all = append(all, time.Duration(second[1][1]-killed))
		})
	}
	if len(all) > 0 {
		row("restart: kill -9 to the next first instruction", milliseconds(median(all)), "median of "+strconv.Itoa(len(all))+"; runit 3.1 ms, pm2 6.8 ms, supervisord 1,007 ms")
	}
}

// settle waits until the program has said that the backend is healthy: a second after its start, as there is no probe.
func (h *home) settle() {
	until(h.t, "it is healthy", func() (struct{}, bool) {
		text, _ := os.ReadFile(filepath.Join(filepath.Dir(h.dir), "out"))
		return struct{}{}, strings.Contains(strings.ToLower(string(text)), "healthy")
	})
}

func TestLog(t *testing.T) {
	program := child(t)
	const total = 200_000_000
	for _, chunk := range []int{64 << 10, 100} {
		var ours, cat []float64
		for range 5 {
			t.Run("sample", func(t *testing.T) {
				dir := t.TempDir()
				plain := exec.Command("/bin/sh", "-c", `"$1" flood "$2" "$3" "$4" | cat > "$5"`, "sh",
					program, strconv.Itoa(total), strconv.Itoa(chunk), filepath.Join(dir, "plain"), filepath.Join(dir, "log"))
				require.NoError(t, plain.Run())
				cat = append(cat, float64(noted(filepath.Join(dir, "plain"))[0][0]))

				result := filepath.Join(dir, "result")
				h := start(t, fmt.Sprintf("command = [%q, \"flood\", \"%d\", \"%d\", %q]\nport = 0\n[health]\npath = \"\"\n[restart]\npolicy = \"never\"\n[log]\nmax_size = \"50MB\"\nkeep = 10\n",
					program, total, chunk, result))
				done := until(t, "the child has written all", func() ([][2]int64, bool) { n := noted(result); return n, len(n) == 1 })
				ours = append(ours, float64(done[0][0]))
				until(t, "every line is in the log", func() (int64, bool) { n := h.logged(); return n, n == done[0][1] })
			})
		}
		if len(ours) > 0 {
			a, b := median(ours)/1e9, median(cat)/1e9
			row(fmt.Sprintf("log: 200 MB in writes of %d bytes, rotated", chunk), fmt.Sprintf("%.2f s", a),
				fmt.Sprintf("%.2f × child | cat > file (%.2f s), medians of %d", a/b, b, len(ours)))
		}
	}
}

// logged counts the lines in all log files.
func (h *home) logged() int64 {
	files, _ := filepath.Glob(filepath.Join(h.dir, "logs", "*"))
	var n int64
	for _, f := range files {
		text, _ := os.ReadFile(f)
		n += int64(strings.Count(string(text), "INFO request handled"))
	}
	return n
}

func TestIdle(t *testing.T) {
	h := idle(t, `interval = "5s"`)
	time.Sleep(45 * time.Second) // what a start costs is not what idling costs
	h.measure(t, "idle", 2)

	var all []time.Duration
	for range 21 {
		cmd := exec.Command(vivarium(t), "status", h.dir)
		cmd.Env = h.cmd.Env
		began := time.Now()
		out, err := cmd.CombinedOutput()
		all = append(all, time.Since(began))
		require.NoError(t, err, string(out))
	}
	row("vivarium status, the whole process", milliseconds(median(all)), "median of 21")
}

// The usual interval grows when a server has been healthy for five minutes.
func TestIdleForLong(t *testing.T) {
	if os.Getenv("VIVARIUM_LONG") != "yes" {
		t.Skip("VIVARIUM_LONG=yes: takes a quarter of an hour")
	}
	h := idle(t, "")
	time.Sleep(6 * time.Minute)
	h.measure(t, "idle for long", 10)
}

// idle is a server that is asked for its health and for nothing else.
func idle(t *testing.T, health string) *home {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("PSS and another process's CPU clock are read from Linux's /proc")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	port := 20000 + os.Getpid()%10000
	h := start(t, fmt.Sprintf("command = [\"{python}\", \"-m\", \"http.server\", \"--bind\", \"127.0.0.1\", \"{port}\"]\nport = %d\n[health]\npath = \"/\"\n%s\n", port, health))
	h.settle()
	return h
}

// measure tells what the keeper and run cost, beside the server.
func (h *home) measure(t *testing.T, what string, minutes int) {
	t.Helper()
	run, keeper := h.cmd.Process.Pid, h.keeper()
	a, b := processCPU(t, run), processCPU(t, keeper)
	c, d := switches(t, run), switches(t, keeper)
	time.Sleep(time.Duration(minutes) * time.Minute)
	for _, one := range []struct {
		name     string
		pid      int
		cpu      time.Duration
		switches int
	}{{"keeper", keeper, b, d}, {"vivarium run", run, a, c}} {
		row(what+": "+one.name, fmt.Sprintf("%.1f MiB PSS", pss(t, one.pid)), fmt.Sprintf("%s CPU and %d voluntary context switches a minute",
			milliseconds((processCPU(t, one.pid)-one.cpu)/time.Duration(minutes)), (switches(t, one.pid)-one.switches)/minutes))
	}
}

// processCPU is what a process has used so far, by its own clock: ticks of 10 ms are too coarse.
func processCPU(t *testing.T, pid int) time.Duration {
	t.Helper()
	const whole = 2 // CPUCLOCK_SCHED, see clock_getcpuclockid(3)
	var used unix.Timespec
	require.NoError(t, unix.ClockGettime(int32(^pid)<<3|whole, &used))
	return time.Duration(used.Nano())
}

// switches is how often the threads of a process have waited so far. Each is a waking of the processor, which a battery feels.
func switches(t *testing.T, pid int) (n int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	require.NoError(t, err)
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				one, err := strconv.Atoi(strings.TrimSpace(rest))
				require.NoError(t, err)
				n += one
			}
		}
	}
	return n
}

func pss(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return float64(kib) / 1024
		}
	}
	require.FailNow(t, "no Pss")
	return 0
}

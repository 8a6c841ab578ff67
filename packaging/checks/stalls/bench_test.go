//go:build bench

package stalls

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
)

func median(list []float64) float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}

// cost runs a program and gives the CPU time that it took, in milliseconds: on a busy machine the only figure that means something.
func cost(t testing.TB, env []string, args ...string) float64 {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = env
	require.NoError(t, cmd.Run())
	return float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / 1e6
}

// The first thing that Python compiles costs it more than a millisecond, because it makes the types of its syntax tree then. Modules that come
// compiled spare a program that, until one imports ast or inspect, as web frameworks do.
func TestTheStartOfPython(t *testing.T) {
	for version, python := range pythons() {
		r := newRig(t)
		bare := append(os.Environ(), "PYTHONFAULTHANDLER=1")
		with := recorder.Environ(append(slices.Clone(bare), "VIVARIUM_RUN=r"), r.folder, r.runs)
		for _, program := range []string{"pass", "import inspect"} {
			var diffs, base []float64
			for range 60 {
				require.NoError(t, os.RemoveAll(filepath.Join(r.runs, "r")))
				a := cost(t, bare, python, "-B", "-c", program)
				b := cost(t, with, python, "-B", "-c", program)
				diffs, base = append(diffs, b-a), append(base, a)
			}
			fmt.Printf("python %s -c %q: %.2f ms, with the recorder %+.2f ms (median of 60 pairs, CPU)\n", version, program, median(base), median(diffs))
		}
	}
}

func TestTheStacksOfFiftyThreads(t *testing.T) {
	linuxOnly(t)
	r := newRig(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(`import threading, time
def deep(n):
    return deep(n - 1) if n else time.sleep(100000)
for n in range(49):
    threading.Thread(target=deep, args=(20,), daemon=True).start()
print("up", flush=True)
deep(20)
`), 0o644))
	p := r.launch(nil, inVenv(t, "python"), "main.py")
	p.says("up")
	var ours, spy []float64
	for range 20 {
		begin := time.Now()
		got, err := p.asker.Ask(t.Context(), recorder.Target{PID: p.cmd.Process.Pid})
		require.NoError(t, err)
		require.Len(t, got.Stacks.Threads, 50)
		ours = append(ours, float64(time.Since(begin))/1e6)
	}
	for range 5 {
		begin := time.Now()
		if out, err := exec.Command(inVenv(t, "py-spy"), "dump", "--json", "--pid", strconv.Itoa(p.cmd.Process.Pid)).CombinedOutput(); err != nil {
			fmt.Printf("py-spy: %v: %s\n", err, out)
			break
		}
		spy = append(spy, float64(time.Since(begin))/1e6)
	}
	fmt.Printf("stacks of 50 threads from signal to parsed: first %.1f ms, median %.1f ms", ours[0], median(ours))
	if len(spy) > 0 {
		fmt.Printf("; py-spy dump %.1f ms", median(spy))
	}
	fmt.Println()
}

// used is the CPU time of a process so far.
func used(t testing.TB, pid int) time.Duration {
	use, err := recorder.Real().Threads(pid)
	require.NoError(t, err)
	var total time.Duration
	for _, u := range use {
		total += u.CPU
	}
	return total
}

// hello is a server that does as little as can be.
const hello = `async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
`

// launchHello starts it behind a program such as valgrind, with the recorder or with one that does nothing.
func (r *rig) launchHello(with bool, before ...string) (*process, int) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(hello), 0o644))
	port := freePort(r.t)
	env := []string{"PYTHONHASHSEED=0"}
	if !with {
		env = append(env, "VIVARIUM_RUN=")
	}
	p := r.launch(env, append(before, inVenv(r.t, "python"), "-m", "uvicorn", "main:app", "--port", strconv.Itoa(port), "--loop", "asyncio", "--http", "h11", "--no-access-log", "--log-level", "error")...)
	p.answers(port)
	return p, port
}

func hellos(t testing.TB, port, n int) {
	t.Helper()
	client := &http.Client{}
	for range n {
		resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func TestTheInstructionsOfARequest(t *testing.T) {
	linuxOnly(t)
	if _, err := exec.LookPath("valgrind"); err != nil {
		t.Skip("valgrind counts instructions")
	}
	total := func(with bool, n int) float64 {
		p, port := newRig(t).launchHello(with, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
		hellos(t, port, n)
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		<-p.ended
		var count float64
		for line := range strings.Lines(p.out.String()) {
			if _, figure, ok := strings.Cut(line, "Collected : "); ok {
				count, _ = strconv.ParseFloat(strings.TrimSpace(figure), 64)
			}
		}
		require.NotZero(t, count, p.out.String())
		return count
	}
	request := func(with bool) float64 { return (total(with, 1100) - total(with, 100)) / 1000 }
	without, with := request(false), request(true)
	fmt.Printf("instructions of a request: %.0f, with the recorder %+.2f %%, without it once more %+.2f %%\n", without, (with/without-1)*100, (request(false)/without-1)*100)
}

func TestTheCostOfARequest(t *testing.T) {
	linuxOnly(t)
	r := newRig(t)
	n, pairs := 400, 10
	if os.Getenv("VIVARIUM_STORM") == "full" {
		n, pairs = 2000, 30
	}
	load := func(p *process, port int) float64 {
		before := used(t, p.cmd.Process.Pid)
		hellos(t, port, n)
		return float64(used(t, p.cmd.Process.Pid)-before) / 1e3 / float64(n)
	}
	// Two processes of the same program differ by a few per cent all their life, so each pair is of new ones; the control shows what is left.
	pair := func(first, second bool) (float64, float64) {
		a, portA := r.launchHello(first)
		b, portB := r.launchHello(second)
		defer a.kill()
		defer b.kill()
		load(a, portA)
		load(b, portB)
		return load(a, portA), load(b, portB)
	}
	var diffs, control, base []float64
	for range pairs {
		a, b := pair(false, true)
		base, diffs = append(base, a), append(diffs, (b-a)/a*100)
		a, b = pair(false, false)
		control = append(control, (b-a)/a*100)
	}
	middle := func(v []float64) string {
		slices.Sort(v)
		return fmt.Sprintf("%+.2f %% (%+.2f to %+.2f)", median(v), v[len(v)/4], v[len(v)*3/4])
	}
	fmt.Printf("CPU of a request: %.0f µs, with the recorder %s, without it twice %s: medians and middle halves of %d pairs of %d\n", median(base), middle(diffs), middle(control), pairs, n)
}

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

func TestTheStartOfPython(t *testing.T) {
	for version, python := range pythons() {
		r := newRig(t)
		bare := append(os.Environ(), "PYTHONFAULTHANDLER=1")
		with := recorder.Environ(append(slices.Clone(bare), "VIVARIUM_RUN=r"), r.folder, r.runs)
		var diffs, base, both []float64
		for i := range 60 {
			remove := filepath.Join(r.runs, "r")
			require.NoError(t, os.RemoveAll(remove))
			var a, b float64
			if i%2 == 0 {
				a = cost(t, bare, python, "-B", "-c", "pass")
				b = cost(t, with, python, "-B", "-c", "pass")
			} else {
				b = cost(t, with, python, "-B", "-c", "pass")
				a = cost(t, bare, python, "-B", "-c", "pass")
			}
			diffs, base, both = append(diffs, b-a), append(base, a), append(both, b)
		}
		least := slices.Min(both) - slices.Min(base)
		fmt.Printf("start of Python %s: %.2f ms, with the recorder %+.2f ms (median of 60 pairs, CPU); the least of each: %+.2f ms\n", version, median(base), median(diffs), least)
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

func TestTheCostOfARequest(t *testing.T) {
	linuxOnly(t)
	r := newRig(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(`async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
`), 0o644))
	start := func(with bool) (*process, int) {
		port := freePort(t)
		env := []string{"PYTHONHASHSEED=0"}
		if !with {
			env = append(env, "VIVARIUM_RUN=") // the file is there, and does nothing
		}
		p := r.launch(env, inVenv(t, "python"), "-m", "uvicorn", "main:app", "--port", strconv.Itoa(port), "--loop", "asyncio", "--http", "h11", "--no-access-log", "--log-level", "error")
		p.answers(port)
		return p, port
	}
	n, pairs := 400, 10
	if os.Getenv("VIVARIUM_STORM") == "full" {
		n, pairs = 2000, 30
	}
	load := func(p *process, port int) float64 {
		client := &http.Client{}
		before := used(t, p.cmd.Process.Pid)
		for range n {
			resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		return float64(used(t, p.cmd.Process.Pid)-before) / 1e3 / float64(n)
	}
	// Two processes of the same program differ by a few per cent all their life, so each pair is of new ones; the control shows what is left.
	pair := func(first, second bool) (float64, float64) {
		a, portA := start(first)
		b, portB := start(second)
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

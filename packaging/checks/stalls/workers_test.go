//go:build e2e

package stalls

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// take looks at the run as the supervisor does: at all of its Pythons at once.
func (p *process) take(phase stall.Phase, dir string) observation.Observation {
	leader, err := proc.Find(p.cmd.Process.Pid)
	require.NoError(p.t, err)
	return observation.TakeRun(p.t.Context(), observation.Subject{
		Run: "r", Folder: p.asker.Folder, Signal: p.signal, Phase: phase, Dir: dir, Started: p.start,
		Members: []observation.Member{{PID: leader.PID, Stamp: leader.Stamp, Name: leader.Name}},
	})
}

// pools are ways to give work to other processes; work stands still at the line marked "# here", in a call that a signal ends and in one that
// the system starts again.
var pools = map[string]string{
	"multiprocessing, fork":        "import multiprocessing\npool = multiprocessing.get_context('fork').Pool(2)\nask = lambda: pool.map(work, range(2))\n",
	"multiprocessing, spawn":       "import multiprocessing\npool = multiprocessing.get_context('spawn').Pool(2)\nask = lambda: pool.map(work, range(2))\n",
	"multiprocessing, forkserver":  "import multiprocessing\npool = multiprocessing.get_context('forkserver').Pool(2)\nask = lambda: pool.map(work, range(2))\n",
	"a process of multiprocessing": "import multiprocessing\none = multiprocessing.get_context('spawn').Process(target=work, args=(1,))\n\n\ndef ask():\n    one.start()\n    one.join()\n",
	"concurrent.futures, fork":     "import concurrent.futures\npool = concurrent.futures.ProcessPoolExecutor(2)\nask = lambda: list(pool.map(work, range(2)))\n",
	"concurrent.futures, spawn":    "import concurrent.futures, multiprocessing\npool = concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context('spawn'))\nask = lambda: list(pool.map(work, range(2)))\n",
	"joblib, loky":                 "import joblib\nask = lambda: joblib.Parallel(n_jobs=2)(joblib.delayed(work)(n) for n in range(2))\n",
	"joblib, multiprocessing":      "import joblib\nask = lambda: joblib.Parallel(n_jobs=2, backend='multiprocessing')(joblib.delayed(work)(n) for n in range(2))\n",
}

func TestAWorkerOfAPoolIsAskedAndToldByItsOwnFrame(t *testing.T) {
	linuxOnly(t)
	for name, pool := range pools {
		for call, kind := range map[string]stall.Kind{"time.sleep(1000)": stall.KindThreads, "subprocess.run(['sleep', '1000'])": stall.KindSubprocess} {
			t.Run(name+" "+strings.SplitN(call, "(", 2)[0], func(t *testing.T) {
				r := newRig(t)
				text := "import subprocess, sys, time\n\n\ndef work(n):\n    print('up', flush=True)\n    " + call + "  # here\n\n\nif __name__ == '__main__':\n    " +
					strings.ReplaceAll(strings.TrimRight(pool, "\n"), "\n", "\n    ") + "\n    ask()\n"
				require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(text), 0o644))
				p := r.launch(nil, inVenv(t, "python"), "main.py")
				p.recorded()
				p.says("up")
				time.Sleep(500 * time.Millisecond) // until it is in the call
				begin := time.Now()
				o := p.take(stall.Unhealthy, r.dir)
				t.Logf("%s in %s, %d processes: %s: %s", name, time.Since(begin).Round(time.Millisecond), len(o.Processes), o.Stall.Kind, o.Stall.Summary)
				require.Less(t, time.Since(begin), 3*time.Second)
				require.True(t, p.alive())
				if name == "joblib, loky" && kind == stall.KindSubprocess { // the raw dump of a function that was sent there has no file
					require.Equal(t, stall.KindLock, o.Stall.Kind, "%+v", o)
					require.Contains(t, o.Stall.Summary, "the worker processes of joblib")
					return
				}
				require.Equal(t, kind, o.Stall.Kind, "%+v", o)
				require.NotEqual(t, p.cmd.Process.Pid, o.PID)
				require.Contains(t, strings.Split(text, "\n")[o.Stall.Line-1], "# here", "%+v", o.Stall)
			})
		}
	}
}

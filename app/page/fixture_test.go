package page

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// plainWords say figures as simply as a test can.
var plainWords = Words{
	Duration: func(d time.Duration) string { return d.Round(time.Second).String() },
	Size:     func(b uint64) string { return fmt.Sprintf("%.0f MB", float64(b)/1e6) },
	Home:     "/Users/alice",
}

var died = time.Date(2026, 11, 26, 14, 2, 11, 0, time.FixedZone("CET", 3600))

// samplesBefore is a run of n samples that ends just before the death: memory climbs, the CPU swings, answers get slower.
func samplesBefore(death time.Time, n int) []record.Sample {
	var all []record.Sample
	for i := range n {
		f := float64(i) / float64(n)
		all = append(all, record.Sample{
			At: death.Add(time.Duration(i-n) * 5 * time.Second), CPU: 0.5 + 0.4*math.Sin(float64(i)/7) + 1.2*f*f, RSS: uint64(4e8 + 1.9e9*f*f),
			Latency: time.Duration(8+6*math.Sin(float64(i)/3)*f+160*math.Pow(f, 6)) * time.Millisecond, OK: true,
		})
	}
	return all
}

// openMPDeath is the death that Vivarium is there for.
func openMPDeath(t testing.TB) record.Record {
	t.Helper()
	line := "OMP: Error #15: Initializing libomp.dylib, but found libiomp5.dylib already initialized."
	tail := strings.Split(strings.Repeat("INFO:     127.0.0.1:50411 - \"POST /search HTTP/1.1\" 200 OK\n", 20)+
		line+"\nOMP: Hint This means that multiple copies of the OpenMP runtime have been linked into the program.\n"+
		"Fatal Python error: Aborted\n\nCurrent thread 0x00000001f0d2a240 (most recent call first):\n"+
		"  File \"/Users/alice/backend/.venv/lib/python3.12/site-packages/faiss/swigfaiss.py\", line 2231 in search\n"+
		"  File \"/Users/alice/backend/.venv/lib/python3.12/site-packages/faiss/class_wrappers.py\", line 329 in replacement_search\n"+
		"  File \"/Users/alice/backend/index.py\", line 41 in nearest\n"+
		"  File \"/Users/alice/backend/main.py\", line 18 in search\n"+
		"  File \"/Users/alice/backend/.venv/lib/python3.12/site-packages/starlette/concurrency.py\", line 39 in run_in_threadpool\n\n"+
		"Extension modules: numpy.core._multiarray_umath, torch._C, faiss._swigfaiss (total: 44)", "\n")
	r := record.Record{
		Death: record.Death{Run: "r1", At: died, Uptime: 3*time.Hour + 12*time.Minute, Healthy: true, Signal: "SIGABRT", Verdict: crash.Verdict{
			Kind: crash.KindOpenMP, Summary: "two OpenMP runtimes in one process: libiomp5.dylib and libomp.dylib",
			Remedy: "Let KMP_DUPLICATE_LIB_OK=TRUE reach Python: `vivarium env` shows whether [environment] or env_file takes it away.", Line: line,
		}},
		Backend: "search-api", Dir: "/Users/alice/backend", Log: "/Users/alice/backend/logs/server.log", PID: 4711, Known: true,
		Tail: tail, Samples: samplesBefore(died, 178), Health: record.Health{Phase: record.PhaseOK, Latency: 12 * time.Millisecond, Good: died.Add(-3 * time.Second)},
		EnvNames: []string{"HOME", "HF_TOKEN", "KMP_DUPLICATE_LIB_OK", "LANG", "OMP_NUM_THREADS", "PATH", "PYTHONFAULTHANDLER", "VIVARIUM_RUN"},
		Versions: map[string]string{"Python": "3.12.7", "macOS": "26.1", "Vivarium": "1.0.0", "torch": "2.9.1", "faiss-cpu": "1.12.0", "numpy": "2.3.4"},
		Missing:  []string{"KMP_DUPLICATE_LIB_OK"},
	}
	for _, v := range environment.Table() {
		r.Env = append(r.Env, environment.Var{Name: v.Name, Value: v.Value, From: "vivarium", Why: v.Why})
	}
	return r
}

func made(t testing.TB, r record.Record) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, plainWords.Crash(&b, r))
	return b.String()
}

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// asgi is the least application that uvicorn can serve; /crash ends the worker that answers.
const asgi = `import ctypes, os

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/crash":
        ctypes.string_at(0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
`

// twoWorkers is a rig with uvicorn and the least application.
func twoWorkers(t *testing.T) *rig {
	t.Helper()
	dir, err := openmpEnvironment()
	needs(t, err == nil, fmt.Sprintf("no virtual environment with uvicorn: %v", err))
	r := newRig(t, "deaths", workers("--workers", "2"))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(asgi), 0o644))
	require.NoError(t, os.Symlink(dir, filepath.Join(r.dir, ".venv")))
	return r
}

func TestAWorkersDeathIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kill    func(r *rig)
		summary string
	}{
		"by a segmentation fault": {func(r *rig) { r.behind("/crash") }, "segmentation fault"},
		"by somebody": {func(r *rig) {
			var worker int
			_, err := fmt.Sscan(r.get("/"), &worker)
			require.NoError(r.t, err)
			require.NoError(r.t, syscall.Kill(worker, syscall.SIGKILL))
		}, "worker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := twoWorkers(t)
			f := r.run()
			leader := f.await("healthy").PID
			looked(r)
			c.kill(r)
			died := f.await("worker-died")
			require.Equal(t, "worker-died", died.Verdict.Kind)
			require.Contains(t, died.Verdict.Summary, c.summary)
			require.Equal(t, leader, died.PID, "the run goes on")
			eventually(t, "the worker's death is on record", func() bool { return len(r.deaths()) == 1 && r.deaths()[0].Report != "" })
			d := r.deaths()[0]
			require.NotZero(t, d.Worker)
			require.NotEqual(t, leader, d.Worker)
			require.Nil(t, d.Code)
			f.stop()
		})
	}
}

func TestTheRecordOfTwoRuntimesListsTheCopiesInTheEnvironment(t *testing.T) {
	t.Parallel()
	r := fastapi(t, "[environment]\nKMP_DUPLICATE_LIB_OK = \"\"")
	f := r.run()
	require.Equal(t, "SIGABRT", f.await("crashed").Signal)
	eventually(t, "the copies are in the record", func() bool {
		d := r.deaths()[0]
		return d.Record != "" && len(r.deathRecord(d).OpenMP) >= 2
	})
	require.Equal(t, "openmp-duplicate", r.deaths()[0].Verdict.Kind)
}

func TestTheRecordKnowsWhichRuntimesWereLoadedJustBefore(t *testing.T) {
	t.Parallel()
	r := fastapi(t, "[health]\ninterval = \"200ms\"")
	f := r.run()
	pid := f.await("healthy").PID
	looked(r)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSEGV))
	require.Equal(t, "SIGSEGV", f.await("crashed").Signal)
	eventually(t, "the death is on record", func() bool { return r.deaths()[0].Record != "" })
	require.GreaterOrEqual(t, len(r.deathRecord(r.deaths()[0]).Loaded), 2, "torch's and the other")
	f.await("healthy")
	f.stop()
}

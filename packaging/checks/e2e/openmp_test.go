//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wheels are what the user's backend needs. cmeel-libomp is LLVM's OpenMP runtime.
var wheels = []string{"fastapi<1", "uvicorn<1", "faiss-cpu<2", "numpy<3", "cmeel-libomp"}

// openmpEnvironment is the virtual environment with the wheels, made like the user's on a Mac.
var openmpEnvironment = sync.OnceValues(func() (string, error) {
	script, err := os.ReadFile("testdata/prepare.py")
	if err != nil {
		return "", err
	}
	standIn, err := os.ReadFile("testdata/torch/__init__.py")
	if err != nil {
		return "", err
	}
	return virtualEnvironment("venv", wheels, string(script)+string(standIn), "testdata/prepare.py", "testdata/torch")
})

// virtualEnvironment is one with the wheels, made once and kept in the user's cache folder. finish, if there is any, is a script and its
// arguments for the new interpreter to run; what it depends on is in key.
func virtualEnvironment(name string, wheels []string, key string, finish ...string) (string, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	version, err := exec.Command(python, "-c", "import sys; print(sys.version, sys.base_prefix)").Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", python, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Append(nil, wheels, key, string(version)))
	dir := filepath.Join(cache, "vivarium-e2e", name+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	inside := filepath.Join(dir, "bin", "python")
	steps := [][]string{
		{python, "-m", "venv", dir},
		append([]string{inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"}, wheels...),
	}
	if len(finish) > 0 {
		steps = append(steps, append([]string{inside}, finish...))
	}
	for _, args := range steps {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(args[:min(len(args), 4)], " "), err, tail(string(out), 5))
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// fastapi is a rig with the user's backend: nothing in its configuration but the port, and its .venv beside main.py.
func fastapi(t *testing.T, config string) *rig {
	t.Helper()
	dir, err := openmpEnvironment()
	needs(t, err == nil, fmt.Sprintf("no virtual environment with FastAPI and FAISS: %v", err))
	r := newRig(t, "fastapi", config)
	require.NoError(t, os.Symlink(dir, filepath.Join(r.dir, ".venv")))
	return r
}

// bare starts the backend as the user's notes say one must not: without Vivarium. It returns the output and how it ended.
func (r *rig) bare(limit time.Duration, args ...string) (string, *os.ProcessState) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = r.dir
	out, _ := cmd.CombinedOutput()
	require.NotNil(r.t, cmd.ProcessState, string(out))
	// An abort leaves the runtime's own mark in shared memory.
	_ = os.Remove(fmt.Sprintf("/dev/shm/__KMP_REGISTERED_LIB_%d_%d", cmd.ProcessState.Pid(), os.Getuid()))
	return string(out), cmd.ProcessState
}

func (r *rig) uvicorn(more ...string) []string {
	return append([]string{filepath.Join(r.dir, ".venv", "bin", "python"), "-m", "uvicorn", "main:app", "--port", fmt.Sprint(r.port)}, more...)
}

func TestTheUsersServerDiesOfTwoOpenMPRuntimesAndLivesUnderVivarium(t *testing.T) {
	t.Parallel()
	r := fastapi(t, "[health]\ninterval = \"500ms\"")

	out, state := r.bare(patience, r.uvicorn()...)
	require.Equal(t, syscall.SIGABRT, state.Sys().(syscall.WaitStatus).Signal(), out)
	require.Regexp(t, `OMP: Error #15: Initializing \S+, but found \S+ already initialized`, out)

	f := r.run()
	pid := f.await("healthy").PID
	searches, wrong := 0, 0
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); searches++ {
		require.NotEmpty(t, r.get("/health"))
		var answer struct{ Faiss, Numpy [][]int }
		require.NoError(t, json.Unmarshal([]byte(r.get(fmt.Sprintf("/search?k=10&seed=%d", searches))), &answer))
		require.Len(t, answer.Faiss, 64)
		for i := range answer.Faiss {
			for j := range answer.Faiss[i] {
				if answer.Faiss[i][j] != answer.Numpy[i][j] {
					wrong++ // two vectors at the same distance in float32 may change places; more may not
				}
			}
		}
	}
	require.LessOrEqual(t, wrong, searches*64*10/1000)
	t.Logf("%d searches of 64 vectors under two OpenMP runtimes, %d of %d neighbours in another order than numpy's", searches, wrong, searches*640)
	require.Empty(t, f.seen("crashed"))
	require.Empty(t, f.seen("env-missing"))
	require.Contains(t, r.get("/pid"), fmt.Sprintf(`"pid":%d`, pid), "the very process that was started")
	f.stop()
}

func TestTheVerdictOnTwoOpenMPRuntimesNamesThem(t *testing.T) {
	t.Parallel()
	r := fastapi(t, "[environment]\nKMP_DUPLICATE_LIB_OK = \"\"")
	f := r.run()
	crashed := f.await("crashed")
	require.Equal(t, "SIGABRT", crashed.Signal)
	require.Contains(t, crashed.Verdict.Kind, "openmp")
	require.Contains(t, crashed.Verdict.Line, "OMP: Error #15")
	require.NotEmpty(t, crashed.Verdict.Remedy)
	gaveUp := f.await("gave-up")
	require.Equal(t, "gave-up", gaveUp.State)
	require.Len(t, f.seen("crashed"), 5, "the same end five times is enough")
}

func TestEnvSaysWhatTheServerGets(t *testing.T) {
	t.Parallel()
	r := twin(t, "")
	out, code := r.do("env", r.dir)
	require.Zero(t, code, out)
	for _, name := range []string{"KMP_DUPLICATE_LIB_OK", "OMP_NUM_THREADS", "KMP_AFFINITY", "MKL_THREADING_LAYER", "PYTHONWARNINGS", "PYTHONFAULTHANDLER", "PYTHONUNBUFFERED"} {
		require.Contains(t, out, "export "+name+"=")
	}
	f := r.run()
	f.await("healthy")
	require.Equal(t, "TRUE", r.get("/env?name=KMP_DUPLICATE_LIB_OK"))
	require.Equal(t, "4", r.get("/env?name=OMP_NUM_THREADS"))
	require.Equal(t, "ignore::UserWarning:multiprocessing.resource_tracker", r.get("/env?name=PYTHONWARNINGS"))
	f.stop()
}

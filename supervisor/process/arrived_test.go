package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestWhatDidNotArriveIsNamed(t *testing.T) {
	applied := []environment.Var{
		{Name: "KMP_DUPLICATE_LIB_OK", Value: "TRUE"},
		{Name: "OMP_NUM_THREADS", Value: "4"},
		{Name: "PYTHONWARNINGS", Value: "ignore::UserWarning:multiprocessing.resource_tracker"},
		{Name: "DYLD_INSERT_LIBRARIES", Value: "/torch/libomp.dylib"},
		{Name: "KMP_AFFINITY", Unset: true},
	}
	whole := []string{"HOME=/h", "KMP_DUPLICATE_LIB_OK=TRUE", "OMP_NUM_THREADS=4", "DYLD_INSERT_LIBRARIES=/a:/torch/libomp.dylib",
		"PYTHONWARNINGS=error,ignore::UserWarning:multiprocessing.resource_tracker"}
	without := func(name string) (rest []string) {
		for _, e := range whole {
			if !strings.HasPrefix(e, name+"=") {
				rest = append(rest, e)
			}
		}
		return rest
	}
	require.Empty(t, Arrived(whole, applied))
	require.Equal(t, []string{"DYLD_INSERT_LIBRARIES"}, Arrived(without("DYLD_INSERT_LIBRARIES"), applied))
	require.Equal(t, []string{"OMP_NUM_THREADS"}, Arrived(append(without("OMP_NUM_THREADS"), "OMP_NUM_THREADS=8"), applied))
	require.Equal(t, []string{"PYTHONWARNINGS"}, Arrived(append(without("PYTHONWARNINGS"), "PYTHONWARNINGS=error"), applied))
	require.Len(t, Arrived([]string{"HOME=/h"}, applied), 4)
	require.Empty(t, Arrived(append(whole, "KMP_AFFINITY=by hand"), applied), "what is left unset cannot be missing")
	require.Nil(t, Arrived(nil, applied), "unknown is not missing")
	require.Nil(t, Arrived([]string{}, applied))
	require.Empty(t, Arrived(whole, nil))
}

func TestTheCrashEnvironmentReallyArrivesInPython(t *testing.T) {
	env, applied := environment.Of(os.Environ(), environment.Options{GOOS: "linux"})
	cmd := exec.Command(testkit.RealPython(t), "-c", "import time; print('up', flush=True); time.sleep(60)")
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	_, err = out.Read(make([]byte, 3))
	require.NoError(t, err)
	path := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "environ")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("there is no %s here", path)
	}
	environ := strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
	require.Empty(t, Arrived(environ, applied))
	require.Len(t, applied, 7)
}

package platform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

func valueIn(env []string, name string) string {
	value := ""
	for _, v := range env {
		if rest, ok := strings.CutPrefix(v, name+"="); ok {
			value = rest
		}
	}
	return value
}

func TestTheRecorderComesLastOfAllAndCanBeSwitchedOff(t *testing.T) {
	state := t.TempDir()
	require.NoError(t, os.Chmod(state, 0o700))
	c := config.Config{Dir: "/b", Recorder: config.Recorder{Enabled: true}}
	spec := keeper.Spec{Env: []string{"PYTHONPATH=/own", "VIVARIUM_RECORDER=/inherited"}}

	got, err := AddRecorder(state, c, spec)
	require.NoError(t, err)
	path := strings.Split(valueIn(got.Env, "PYTHONPATH"), ":")
	require.Len(t, path, 2)
	require.Equal(t, "/own", path[1])
	require.FileExists(t, filepath.Join(path[0], "sitecustomize.py"))
	runs := valueIn(got.Env, "VIVARIUM_RECORDER")
	require.Equal(t, filepath.Join(keeper.BackendFolder(state, "/b"), "recordings"), runs)
	require.DirExists(t, runs)
	require.Equal(t, []string{"PYTHONPATH=/own", "VIVARIUM_RECORDER=/inherited"}, spec.Env, "the plan is kept for the next start")

	c.Recorder.Enabled = false
	got, err = AddRecorder(state, c, spec)
	require.NoError(t, err)
	require.Equal(t, []string{"PYTHONPATH=/own"}, got.Env)
}

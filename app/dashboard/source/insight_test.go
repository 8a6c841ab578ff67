package source

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor/observation"
)

func TestTheConfigurationIsShownWithItsMistakeAtItsLine(t *testing.T) {
	b := setUp(t, "")
	c, err := b.Config(t.Context(), b.dir)
	require.NoError(t, err)
	require.True(t, c.Missing)
	require.Equal(t, filepath.Join(b.dir, "vivarium.toml"), c.File)
	require.Empty(t, c.Problems)

	b = setUp(t, plain)
	c, err = b.Config(t.Context(), b.dir)
	require.NoError(t, err)
	require.Empty(t, c.Problems)
	require.Equal(t, plain, c.Text, "it is app/page that hides values")

	b = setUp(t, "name = \"brain\"\nport = \"8000\"\n")
	c, err = b.Config(t.Context(), b.dir)
	require.NoError(t, err)
	require.Len(t, c.Problems, 1)
	require.Equal(t, 2, c.Problems[0].Line)
	require.Contains(t, c.Problems[0].Text, "port: ")
	require.NotEmpty(t, c.Problems[0].Remedy)

	require.NoError(t, os.RemoveAll(b.dir))
	c, err = b.Config(t.Context(), b.dir)
	require.NoError(t, err)
	require.Len(t, c.Problems, 1, "the folder is gone")
	require.Zero(t, c.Problems[0].Line)
}

func TestAPipeInPlaceOfTheConfigurationIsNotWaitedFor(t *testing.T) {
	b := setUp(t, "")
	require.NoError(t, syscall.Mkfifo(filepath.Join(b.dir, "vivarium.toml"), 0o600))
	_, err := b.Config(t.Context(), b.dir)
	require.Error(t, err)
}

func TestTheEnvironmentIsNamesAndTheCrashEnvironment(t *testing.T) {
	b := setUp(t, plain+"[server]\n")
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "vivarium.toml"), []byte("command = [\"/bin/sleep\", \"60\"]\n[environment]\nHF_TOKEN = \"hf_abcdefghijklmnopqrst\"\n"), 0o644))
	e, err := b.Environment(t.Context(), b.dir)
	require.NoError(t, err)
	require.Empty(t, e.Problem)
	require.Contains(t, e.Names, "HF_TOKEN")
	require.IsIncreasing(t, e.Names)
	for _, n := range e.Names {
		require.NotContains(t, n, "=")
	}
	require.NotEmpty(t, e.Vars)
	for _, v := range e.Vars {
		require.NotContains(t, v.Value, "hf_abc")
	}
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "vivarium.toml"), []byte("port = ["), 0o644))
	e, err = b.Environment(t.Context(), b.dir)
	require.NoError(t, err)
	require.NotEmpty(t, e.Problem)
}

func TestTheDoctorExaminesAndStacksNeedAHolderThatCan(t *testing.T) {
	b := setUp(t, "port = \"x\"\n")
	d, err := b.Examine(t.Context(), b.dir, func(share float64) {
		if share < 0 || share >= 1 {
			t.Errorf("a share of %v", share)
		}
	})
	require.NoError(t, err)
	require.Equal(t, "fail", d.Checks[0].State)
	_, err = b.Stacks(t.Context(), b.dir)
	require.ErrorIs(t, err, control.ErrNotHeld)
	_, _ = b.held(t)
	_, err = b.Stacks(t.Context(), b.dir)
	require.EqualError(t, err, "nothing runs", "the holder's own words")
}

func TestStacksAreShownAsPythonPrintsThem(t *testing.T) {
	seen := observation.Observation{Processes: []observation.Process{{Threads: []observation.Thread{
		{ID: 0x1f, Frames: []observation.Frame{{File: "/srv/brain/main.py", Line: 18, Function: "search"}, {File: "/usr/lib/python3.12/asyncio/events.py", Line: 84, Function: "_run"}}},
	}}}}
	require.Equal(t, []string{
		"Thread 0x000000000000001f (most recent call first):", `  File "/srv/brain/main.py", line 18 in search`,
		`  File "/usr/lib/python3.12/asyncio/events.py", line 84 in _run`, "",
	}, printed(seen))
}

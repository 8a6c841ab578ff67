package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestTheCPUTimeOfAProcessHasThatOfTheChildrenItWaitedFor(t *testing.T) {
	stat := "7 (a (very) odd) name) S 1 7 7 0 -1 4194304 100 0 0 0 11 22 300 400 20 0 3 0 12345 1000 50 0"
	d, err := parseCPU([]byte(stat))
	require.NoError(t, err)
	require.Equal(t, 7330*time.Millisecond, d)
	for _, bad := range []string{"", "7", "7 (x)", "7 (x) S 1 2 3", "7 (x) S 1 7 7 0 -1 0 0 0 0 0 a b c d 20 0"} {
		_, err := parseCPU([]byte(bad))
		require.Error(t, err, bad)
	}
}

// churn starts and ends children and threads that have children all the time, beside two workers that stay.
const churn = `import os, subprocess, threading, time
stay = [subprocess.Popen(["sleep", "3600"]) for _ in range(2)]
open("up", "w").write(" ".join(str(p.pid) for p in stay))
def short():
    subprocess.run(["true"])
while True:
    ts = [threading.Thread(target=short) for _ in range(3)]
    for t in ts: t.start()
    for t in ts: t.join()
`

func TestAChildThatLivesIsNeverMissedWhileOthersComeAndGo(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "churn.py"), []byte(churn), 0o600))
	cmd := testkit.LaunchIn(t, dir, nil, testkit.Interpreter(t), "churn.py")
	require.Eventually(t, func() bool { return config.Exists(filepath.Join(dir, "up")) }, testkit.Patience, 10*time.Millisecond)
	looked := 0
	for range 2000 {
		tree, err := family(cmd.Process.Pid)
		if err != nil { // too much at once: said, not guessed
			require.ErrorIs(t, err, errUnstable)
			continue
		}
		looked++
		sleepers := 0
		for _, m := range tree {
			if m.Name == "sleep" && m.depth == 1 {
				sleepers++
			}
		}
		require.Equal(t, 2, sleepers)
	}
	require.Positive(t, looked)
}

func TestAKernelWithoutChildrenFilesIsServedByAWalk(t *testing.T) {
	cmd := testkit.LaunchIn(t, t.TempDir(), nil, "/bin/sh", "-c", "sleep 3600; true")
	var quick []member
	require.Eventually(t, func() bool {
		var err error
		quick, err = family(cmd.Process.Pid)
		return err == nil && len(quick) == 2 && quick[1].Name == "sleep"
	}, testkit.Patience, 10*time.Millisecond)
	walked, err := familyByWalk(cmd.Process.Pid)
	require.NoError(t, err)
	same := func(a, b member) bool { return a.PID == b.PID && a.Stamp == b.Stamp && a.depth == b.depth }
	require.True(t, slices.EqualFunc(quick, walked, same))
}

func TestTheAgeAndTheProgramOfAProcess(t *testing.T) {
	path, err := exec.LookPath("sleep")
	require.NoError(t, err)
	path, err = filepath.EvalSymlinks(path)
	require.NoError(t, err)
	cmd := testkit.LaunchIn(t, t.TempDir(), nil, path, "3600")
	require.Eventually(t, func() bool { return executable(cmd.Process.Pid) == path }, testkit.Patience, 10*time.Millisecond)
	require.Less(t, age(cmd.Process.Pid), testkit.Patience)
	require.Eventually(t, func() bool { return age(cmd.Process.Pid) > 100*time.Millisecond }, testkit.Patience, 10*time.Millisecond)
	require.Zero(t, age(1<<30))
}

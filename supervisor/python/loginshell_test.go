package python

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shellOf is a stand-in for a shell: a script that is given -l -i -c and what to run.
func shellOf(t *testing.T, start string) (parent []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shell")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+start+"\nexec /bin/sh \"$3\" \"$4\"\n"), 0o755))
	return []string{"SHELL=" + path, "PATH=/usr/bin:/bin", "HOME=" + t.TempDir()}
}

func TestTheShellsVariablesAreThoseThatWereNamed(t *testing.T) {
	parent := shellOf(t, `echo "Welcome to this computer"
echo noise >&2
export A='two
lines, "quotes" and $dollars' EMPTY= OTHER=never
unset HOME`)
	var l loginShell
	vars, err := l.variables(parent, []string{"A", "EMPTY", "HOME", "NEVER_SET", "PATH"}, "linux")
	require.NoError(t, err)
	require.Equal(t, []string{"A=two\nlines, \"quotes\" and $dollars", "EMPTY=", "PATH=/usr/bin:/bin"}, vars)
}

func TestTheShellIsALoginShellAndInteractiveAndHasNoTerminal(t *testing.T) {
	parent := shellOf(t, `export ARGS="$1 $2 $3" INPUT="$(readlink /proc/self/fd/0)" SESSION="$(ps -o sid= -p $$ | tr -d ' ')" SELF=$$`)
	var l loginShell
	vars, err := l.variables(parent, []string{"ARGS"}, "linux")
	require.NoError(t, err)
	require.Equal(t, []string{"ARGS=-l -i -c"}, vars)
	vars, err = l.variables(parent, []string{"SESSION", "SELF"}, "linux")
	require.NoError(t, err)
	require.Equal(t, strings.TrimPrefix(vars[1], "SELF="), strings.TrimPrefix(vars[0], "SESSION="), "it leads a session")
	if _, err := os.Stat("/proc/self/fd"); err == nil {
		vars, err = l.variables(parent, []string{"INPUT"}, "linux")
		require.NoError(t, err)
		require.Equal(t, []string{"INPUT=/dev/null"}, vars, "it can ask nobody")
	}
}

func TestTheShellIsAskedOnce(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	parent := shellOf(t, "echo x >> "+count+"; export A=1")
	var l loginShell
	for range 5 {
		vars, err := l.variables(parent, []string{"A"}, "linux")
		require.NoError(t, err)
		require.Equal(t, []string{"A=1"}, vars)
	}
	asked := func() int { text, _ := os.ReadFile(count); return strings.Count(string(text), "x") }
	require.Equal(t, 1, asked())
	_, err := l.variables(parent, []string{"A", "B"}, "linux")
	require.NoError(t, err)
	require.Equal(t, 2, asked(), "other names are another question")
}

func TestAShellThatDoesNotAnswerIsEndedWithAllItStarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	parent := shellOf(t, "sleep 1000 & echo $! > "+file+"; wait")
	var l loginShell
	began := time.Now()
	_, err := l.variables(parent, []string{"A"}, "linux")
	require.ErrorContains(t, err, "login_shell_env is not used: ")
	require.ErrorContains(t, err, "did not end within 5s")
	require.GreaterOrEqual(t, time.Since(began), shellTime)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) }, time.Minute, 5*time.Millisecond)

	began = time.Now()
	_, again := l.variables(parent, []string{"A"}, "linux")
	require.Error(t, again)
	require.Less(t, time.Since(began), time.Second, "a restart does not wait for it once more")
}

func zombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(text), ") Z ")
}

func TestWhatAStartFileLeavesBehindHoldsNothingUp(t *testing.T) {
	parent := shellOf(t, "sleep 2 & export A=1")
	var l loginShell
	began := time.Now()
	vars, err := l.variables(parent, []string{"A"}, "linux")
	require.NoError(t, err)
	require.Equal(t, []string{"A=1"}, vars)
	require.Less(t, time.Since(began), 1900*time.Millisecond)
}

func TestAShellThatCannotBeAskedIsToldWithoutAnyValue(t *testing.T) {
	for name, c := range map[string]struct{ start, says string }{
		"it fails":      {"export A=hf_secret; echo hf_secret; exit 3", "could not be asked: exit status 3"},
		"it leaves":     {"export A=hf_secret; echo hf_secret; exit 0", "ended before it could be asked"},
		"it talks much": {"yes hf_secret | head -c 3000000", "ended before it could be asked"},
	} {
		var l loginShell
		_, err := l.variables(shellOf(t, c.start), []string{"A"}, "linux")
		require.ErrorContains(t, err, c.says, name)
		require.NotContains(t, err.Error(), "hf_secret", name)
	}
	var l loginShell
	_, err := l.variables([]string{"SHELL=/nowhere/zsh"}, []string{"A"}, "linux")
	require.ErrorContains(t, err, "/nowhere/zsh could not be asked")
}

// Real shells, each with the start files that it reads and people write to.
func TestRealShellsGiveWhatTheirStartFilesSet(t *testing.T) {
	tried := 0
	for shell, files := range map[string]map[string]string{
		"bash": {".bash_profile": "export FROM_LOGIN=1\n. ~/.bashrc", ".bashrc": "case $- in *i*) export FROM_RC=2;; esac"},
		"zsh":  {".zprofile": "export FROM_LOGIN=1", ".zshrc": "export FROM_RC=2"},
		"dash": {".profile": "export FROM_LOGIN=1 FROM_RC=2"},
		"fish": {".config/fish/config.fish": "set -gx FROM_LOGIN 1\nset -gx FROM_RC 2"},
	} {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		tried++
		home := t.TempDir()
		for name, text := range files {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(home, name), []byte(text+"\n"), 0o644))
		}
		var l loginShell
		vars, err := l.variables([]string{"SHELL=" + path, "HOME=" + home, "PATH=/usr/bin:/bin"}, []string{"FROM_LOGIN", "FROM_RC"}, "linux")
		require.NoError(t, err, shell)
		require.Equal(t, []string{"FROM_LOGIN=1", "FROM_RC=2"}, vars, shell)
	}
	if tried == 0 {
		t.Skip("no shell is installed that reads start files")
	}
}

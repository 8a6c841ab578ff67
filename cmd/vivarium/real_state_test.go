package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
)

func TestRunInAnEmptyFolderMakesNothingAndStartsNothing(t *testing.T) {
	r := newRig(t)
	r.dir = filepath.Join(filepath.Dir(r.home), "empty")
	require.NoError(t, os.Mkdir(r.dir, 0o755))
	out, code := r.do("run")
	require.Equal(t, codeUsage, code, out)
	require.Contains(t, out, "there is no server in "+r.dir)
	require.Contains(t, out, "vivarium init")
	left, err := os.ReadDir(r.dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoDirExists(t, filepath.Join(r.home, "b"), "no state of it either")
}

func TestALogThatCannotBeWrittenIsNotCalledAPythonThatCannotBeStarted(t *testing.T) {
	r := newRig(t)
	r.configure("[log]\nfile = \"/proc/server.log\"")
	out, code := r.do("run")
	require.Equal(t, codeFailed, code, out)
	require.Contains(t, out, "the log /proc/server.log cannot be written: ")
	require.Contains(t, out, "file under [log]")
	require.NotContains(t, out, "Check command")
}

func TestCtrlBackslashPrintsNoGoroutines(t *testing.T) {
	r := newRig(t)
	f := r.run()
	f.row(supervisor.EventHealthy, 1)

	var said bytes.Buffer
	logs := r.command("logs", "-f")
	logs.Stderr = &said
	out, err := logs.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, logs.Start())
	_, err = out.Read(make([]byte, 1)) // it is under way
	require.NoError(t, err)
	require.NoError(t, logs.Process.Signal(syscall.SIGQUIT))
	require.Error(t, logs.Wait())
	require.Equal(t, 131, logs.ProcessState.ExitCode())
	require.Empty(t, said.String())

	f.signal(syscall.SIGQUIT)
	f.ended(codeWell)
	require.NotContains(t, f.err.String(), "goroutine")
	require.True(t, r.free(), "it stops the server, as Ctrl-C does")
}

func TestTheCrashesOfABackendAreFoundByItsNameWhenNobodyKeepsIt(t *testing.T) {
	r := newRig(t)
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	r.get("/segv")
	f.row(supervisor.EventHealthy, 2)
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
	elsewhere := func(args ...string) (string, int) {
		cmd := r.command(args...)
		cmd.Dir = "/"
		text, _ := cmd.CombinedOutput()
		return string(text), cmd.ProcessState.ExitCode()
	}
	for _, name := range []string{"brain", "my brain"} {
		out, code := elsewhere("crashes", name)
		require.Zero(t, code, out)
		require.Contains(t, out, "SIGSEGV")
	}
	out, code := elsewhere("crashes", "nobody")
	require.Equal(t, codeUsage, code, out)

	require.NoError(t, os.RemoveAll(r.dir))
	out, code = elsewhere("crashes", "brain")
	require.Zero(t, code, out)
	require.Contains(t, out, "SIGSEGV", "also when its folder is gone")
	require.NoError(t, os.Mkdir(r.dir, 0o755)) // for the end of the test
}

func TestWhatAPersonStartedAnewIsNotTroubledByOldCrashes(t *testing.T) {
	r := newRig(t)
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	r.get("/segv")
	f.row(supervisor.EventHealthy, 2)
	out, _ := r.do("status")
	require.Contains(t, out, "last end")
	_, code := r.do("restart")
	require.Zero(t, code)
	f.row(supervisor.EventHealthy, 3)
	out, _ = r.do("status")
	require.NotContains(t, out, "last end")
	require.NotContains(t, out, "remedy")
	out, _ = r.do("crashes")
	require.Contains(t, out, "SIGSEGV")
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
)

func TestASecondCopyThatAPersonStartsIsToldWhatToDoInstead(t *testing.T) {
	r := newRig(t)
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	port := strconv.Itoa(r.port)
	copied := r.prepare(exec.Command("python3", "server.py", port))
	said, err := copied.CombinedOutput()
	require.Error(t, err, "the port is taken")
	const instead = " is kept by Vivarium for brain: `vivarium restart brain` instead of a second copy"
	for name, output := range map[string]string{
		"its own":  string(said),
		"uvicorn":  "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', " + port + "): address already in use\n",
		"on a Mac": "ERROR:    [Errno 48] error while attempting to bind on address ('127.0.0.1', " + port + "): address already in use\n",
	} {
		cmd := r.command("explain", "-", "--exit", "1")
		cmd.Stdin = strings.NewReader(output)
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, string(text))
		require.Contains(t, string(text), "(port-taken)", name)
		require.Contains(t, string(text), "On this computer port "+port+instead, name)
	}
	cmd := r.command("explain", "-", "--exit", "1")
	cmd.Stdin = strings.NewReader("ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 9): address already in use\n")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err)
	require.NotContains(t, string(text), "kept by Vivarium", "another port is somebody else's")

	out, _ := r.do("doctor")
	require.Contains(t, out, "port "+port+instead)
	var run screen
	second := r.command("run")
	second.Stdout = &run
	require.NoError(t, second.Start())
	eventually(t, "it is told what to do instead", func() bool { return strings.Contains(run.all(), "port "+port+instead) })
	require.NoError(t, r.command("restart", "--wait").Run())
	require.NoError(t, second.Process.Signal(syscall.SIGINT))
	require.NoError(t, second.Wait())

	other := r.beside("chat", "")
	write(t, filepath.Join(other.dir, "vivarium.toml"), "command = [\"{python}\", \"server.py\", \"{port}\"]\nport = "+port+"\n")
	out, code := other.do("run", "--json")
	require.Equal(t, codeFailed, code)
	require.Contains(t, out, "is kept by Vivarium for brain.", "another backend of ours has the port")
	out, _ = other.do("doctor")
	require.Contains(t, out, "port "+port+" is kept by Vivarium for brain (PID ")
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
}

func TestTheEnvironmentIsThatOfTheRunningServer(t *testing.T) {
	r := newRig(t)
	r.configure("")
	made := map[string]string{}
	for _, name := range []string{"one", "two"} {
		dir := filepath.Join(filepath.Dir(r.dir), name)
		text, err := exec.Command("python3", "-m", "venv", "--without-pip", dir).CombinedOutput()
		if err != nil {
			t.Skipf("no virtual environment can be made: %s", text)
		}
		made[name] = dir
	}
	in := func(cmd *exec.Cmd, venv string) *exec.Cmd {
		cmd.Env = append(os.Environ(), "VIVARIUM_HOME="+r.home, "VIRTUAL_ENV="+made[venv])
		return cmd
	}
	f := r.runBy(in(r.command("run", "--json"), "one"))
	f.row(supervisor.EventHealthy, 1)
	text, err := in(r.command("env"), "two").CombinedOutput()
	require.NoError(t, err, string(text))
	require.Contains(t, string(text), "the running server was started with "+made["one"]+"/bin/python")
	require.Contains(t, string(text), "a start from here would take "+made["two"]+"/bin/python")
	text, _ = in(r.command("doctor"), "two").CombinedOutput()
	require.Contains(t, string(text), "the running server was started with "+made["one"])
	require.Contains(t, string(text), "so that every start takes the same one")
	text, err = in(r.command("env"), "one").CombinedOutput()
	require.NoError(t, err)
	require.NotContains(t, string(text), "the running server was started with")
	require.Contains(t, string(text), `# The server also finds VIVARIUM_RUN, the ID of its run: the mark "you are supervised".`)
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
	text, err = in(r.command("env"), "two").CombinedOutput()
	require.NoError(t, err)
	require.NotContains(t, string(text), "the running server", "nothing runs")
}

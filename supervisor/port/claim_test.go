package port

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func claimOf(t *testing.T, c config.Config, ours ...string) Finding {
	t.Helper()
	claim, err := Claim(t.Context(), c, Mine{Run: func(id string) bool { return slices.Contains(ours, id) }})
	require.NoError(t, err)
	return claim
}

func TestAFreePortIsClaimedAtOnce(t *testing.T) {
	require.Equal(t, Finding{Free: true}, claimOf(t, config.Config{Port: testkit.FreePort(t)}))
	require.Equal(t, Finding{Free: true}, claimOf(t, config.Config{Port: 0}), "it listens nowhere")
}

func TestAHandStartedCopyIsKnownByUserFolderAndApp(t *testing.T) {
	python := testkit.Interpreter(t)
	for kind, holders := range map[string]int{"one": 1, "fork": 3, "spawn": 3, "alone": 1} {
		t.Run(kind, func(t *testing.T) {
			port := testkit.FreePort(t)
			c := standInDir(t, port)
			cmd := testkit.LaunchIn(t, c.Dir, nil, python, "server.py", kind, strconv.Itoa(port))
			awaitHolders(t, port, holders)
			claim := claimOf(t, c)
			require.Equal(t, []int{cmd.Process.Pid}, pidsOf(claim.End), "the one that a person started, not its workers")
			require.True(t, claim.Owner.Copy)
			require.Equal(t, cmd.Process.Pid, claim.Owner.PID)
			require.Contains(t, claim.Owner.Why, "runs this backend without the crash environment, started by ")
			require.Contains(t, claim.Owner.Why, strconv.Itoa(os.Getpid()))
		})
	}
}

func TestForkedWorkersWhoseLeaderWasKilledAreCopiesThemselves(t *testing.T) {
	port := testkit.FreePort(t)
	c := standInDir(t, port)
	cmd := testkit.LaunchIn(t, c.Dir, nil, testkit.Interpreter(t), "server.py", "fork", strconv.Itoa(port))
	awaitHolders(t, port, 3)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	awaitHolders(t, port, 2)
	claim := claimOf(t, c)
	require.True(t, claim.Owner.Copy)
	require.Len(t, claim.End, 2)
}

func TestTheTopmostOfAChainOfCopiesIsTheOneToEnd(t *testing.T) {
	port := testkit.FreePort(t)
	c := standInDir(t, port)
	// A reloader: it runs itself again, below a shell that is not the backend.
	reloader := "import subprocess, sys\nif sys.argv[1] == 'outer':\n    sys.exit(subprocess.call([sys.executable, 'server.py', 'inner', sys.argv[2]]))\nsys.argv[1] = 'one'\n"
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "server.py"), []byte(reloader+testkit.ServerScript), 0o600))
	shell := testkit.LaunchIn(t, c.Dir, nil, "/bin/sh", "-c", `"$0" server.py outer `+strconv.Itoa(port)+"; true", testkit.Interpreter(t))
	owners := awaitHolders(t, port, 1)
	claim := claimOf(t, c)
	require.Len(t, claim.End, 1)
	require.NotEqual(t, owners[0].PID, claim.End[0].PID)
	require.Equal(t, shell.Process.Pid, claim.End[0].PPID)
	require.Contains(t, claim.Owner.Why, "started by sh (PID "+strconv.Itoa(shell.Process.Pid)+")")
}

func TestWhoeverIsNotThisBackendIsNamedAndNotTouched(t *testing.T) {
	python := testkit.Interpreter(t)
	elsewhere := t.TempDir()
	for _, k := range []struct {
		name string
		argv []string // {port} is replaced
		away bool     // works in another folder
		says string
	}{
		{"http.server in the folder", []string{"-m", "http.server", "--bind", "127.0.0.1", "{port}"}, false, "works in this backend's folder, but its command line does not name server.py."},
		{"another app of the folder", []string{"other.py", "one", "{port}"}, false, "does not name server.py."},
		{"the same app of another folder", []string{"server.py", "one", "{port}"}, true, "not in this backend's folder."},
		{"code on the command line", []string{"-c", "exec(open('server.py').read())", "one", "{port}"}, false, "does not name server.py."},
	} {
		t.Run(k.name, func(t *testing.T) {
			port := testkit.FreePort(t)
			c := standInDir(t, port)
			require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "other.py"), []byte(testkit.ServerScript), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "server.py"), []byte(testkit.ServerScript), 0o600))
			dir, argv := c.Dir, []string{python}
			if k.away {
				dir = elsewhere
			}
			for _, w := range k.argv {
				argv = append(argv, strings.ReplaceAll(w, "{port}", strconv.Itoa(port)))
			}
			cmd := testkit.LaunchIn(t, dir, nil, argv...)
			testkit.AwaitAnswer(t, port)
			claim := claimOf(t, c)
			require.False(t, claim.Free)
			require.Empty(t, claim.End)
			require.False(t, claim.Owner.Copy || claim.Owner.Ours)
			require.Equal(t, cmd.Process.Pid, claim.Owner.PID)
			require.NotEmpty(t, claim.Owner.Name)
			require.NotEmpty(t, claim.Owner.Stamp)
			require.Contains(t, claim.Owner.Why, "(PID "+strconv.Itoa(cmd.Process.Pid)+")")
			require.Contains(t, claim.Owner.Why, k.says)
		})
	}
}

func TestOneStrangerAmongTheOwnersIsEnoughToTouchNothing(t *testing.T) {
	port := testkit.FreePort(t)
	c := standInDir(t, port)
	testkit.LaunchIn(t, c.Dir, nil, testkit.Interpreter(t), "server.py", "one", strconv.Itoa(port))
	testkit.AwaitAnswer(t, port)
	testkit.ListenOn(t, "tcp6", "[::1]:"+strconv.Itoa(port)) // this very program
	claim := claimOf(t, c)
	require.Empty(t, claim.End)
	require.Equal(t, os.Getpid(), claim.Owner.PID)
	require.Contains(t, claim.Owner.Why, "is this program itself")
}

func TestWhatCarriesTheMarkOfThisBackendIsOurs(t *testing.T) {
	port := testkit.FreePort(t)
	c := standInDir(t, port)
	mark := []string{proc.RunVariable + "=run-1"}
	cmd := testkit.LaunchIn(t, t.TempDir(), mark, testkit.Interpreter(t), filepath.Join(c.Dir, "server.py"), "fork", strconv.Itoa(port))
	awaitHolders(t, port, 3)
	claim := claimOf(t, c, "run-1")
	require.Equal(t, []int{cmd.Process.Pid}, pidsOf(claim.End))
	require.True(t, claim.Owner.Ours)
	require.False(t, claim.Owner.Copy)
	require.Equal(t, cmd.Process.Pid, claim.Owner.PID)

	claim = claimOf(t, c, "run-2")
	require.Empty(t, claim.End, "the mark of another backend")
	require.False(t, claim.Owner.Ours)

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	awaitHolders(t, port, 2)
	claim = claimOf(t, c, "run-1")
	require.Len(t, claim.End, 2, "workers that outlived their leader")
	require.True(t, claim.Owner.Ours)
}

func TestWhatAnotherVivariumKeepsIsRefusedByName(t *testing.T) {
	port := testkit.FreePort(t)
	c := standInDir(t, port)
	// A folder with __main__.py is a program to Python: so the command line reads "vivarium-keeper /…/b/0123456789ab".
	state := t.TempDir()
	folder := keeper.BackendFolder(state, c.Dir)
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "__main__.py"),
		[]byte("import subprocess, sys\nsubprocess.call([sys.argv[1], 'server.py', 'one', sys.argv[2]])\n"), 0o600))
	python := testkit.Interpreter(t)
	cmd := &exec.Cmd{Path: python, Args: []string{"vivarium-keeper-0123abcd", folder, python, strconv.Itoa(port)}, Dir: c.Dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Without this Python looks for its library beside a program called vivarium-keeper.
	cmd.Env = append(os.Environ(), "PYTHONHOME="+filepath.Dir(filepath.Dir(python)))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	testkit.AwaitAnswer(t, port)
	claim := claimOf(t, c)
	require.Empty(t, claim.End)
	require.False(t, claim.Owner.Copy)
	require.Contains(t, claim.Owner.Why, "is kept by another Vivarium, whose state folder is "+state+" (keeper PID "+strconv.Itoa(cmd.Process.Pid)+").")

	other := Mine{Folder: keeper.BackendFolder(state, "/another"), Name: func(f string) string {
		require.Equal(t, folder, f)
		return "chat"
	}}
	claim, err := Claim(t.Context(), c, other)
	require.NoError(t, err)
	require.Empty(t, claim.End)
	require.Contains(t, claim.Owner.Why, "is kept by Vivarium for chat.", "it is this Vivarium")
	other.Name = nil
	claim, err = Claim(t.Context(), c, other)
	require.NoError(t, err)
	require.Contains(t, claim.Owner.Why, "is kept by Vivarium for another backend.")
}

// nobodyID is the user and group that own nothing on Linux.
const nobodyID = 65534

func asNobody(t *testing.T) *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	return &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}
}

func TestAPortOfAnotherUserIsTold(t *testing.T) {
	attr := asNobody(t)
	l := testkit.ListenOn(t, "tcp4", "127.0.0.1:0")
	f, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	sleeper := exec.Command("sleep", "3600")
	sleeper.SysProcAttr, sleeper.ExtraFiles = attr, []*os.File{f}
	require.NoError(t, sleeper.Start())
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	require.NoError(t, f.Close())
	require.NoError(t, l.Close())
	claim := claimOf(t, config.Config{Dir: "/", Port: testkit.PortOf(l)})
	require.Empty(t, claim.End)
	require.Equal(t, sleeper.Process.Pid, claim.Owner.PID)
	require.Regexp(t, `^sleep \(PID \d+\) belongs to user \S+\.$`, claim.Owner.Why)
}

func TestAPortOfAUserWhoseProcessesAreHiddenIsToldWithoutAPID(t *testing.T) {
	attr := asNobody(t)
	l := testkit.ListenOn(t, "tcp4", "127.0.0.1:0")
	var claim Finding
	require.NoError(t, json.Unmarshal(bySomebodyElse(t, attr, "VIVARIUM_TEST_LOOK="+strconv.Itoa(testkit.PortOf(l))), &claim))
	require.Equal(t, Finding{Owner: Owner{Why: "It belongs to user root, and only an administrator can see which process it is."}}, claim)
}

// bySomebodyElse runs TestAsSomebodyElse in a copy of this program that the other user may execute, and gives its first line.
func bySomebodyElse(t *testing.T, attr *syscall.SysProcAttr, task string) []byte {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	self, err := os.ReadFile(exe)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "vivarium-nobody-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	exe = filepath.Join(dir, "look")
	require.NoError(t, os.WriteFile(exe, self, 0o755))
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestAsSomebodyElse$", "-test.count=1")
	cmd.Dir, cmd.SysProcAttr = dir, attr
	cmd.Env = []string{task, "HOME=" + dir, "TMPDIR=" + dir}
	out, err := cmd.Output()
	require.NoError(t, err, string(out))
	line, _, _ := strings.Cut(string(out), "\n")
	return []byte(line)
}

// TestAsSomebodyElse is the other half of two tests, run as another user; alone it has nothing to do.
func TestAsSomebodyElse(t *testing.T) {
	if port, err := strconv.Atoi(os.Getenv("VIVARIUM_TEST_LOOK")); err == nil {
		claim, err := Claim(t.Context(), config.Config{Dir: "/", Port: port}, Mine{})
		require.NoError(t, err)
		require.NoError(t, json.NewEncoder(os.Stdout).Encode(claim))
	}
	if dir := os.Getenv("VIVARIUM_TEST_LOAD"); dir != "" {
		_, err := config.Load(dir)
		fmt.Println(err)
	}
}

func TestAConfigurationThatAnotherUserLockedIsToldWithARemedy(t *testing.T) {
	attr := asNobody(t)
	dir, err := os.MkdirTemp("", "vivarium-locked-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.FileName), []byte("port = 1"), 0o600))
	text := string(bySomebodyElse(t, attr, "VIVARIUM_TEST_LOAD="+dir))
	require.Equal(t, filepath.Join(dir, config.FileName)+": cannot be read: permission denied; make it readable for you: chmod u+r", text)
	require.NoError(t, os.Chmod(dir, 0))
	require.Contains(t, string(bySomebodyElse(t, attr, "VIVARIUM_TEST_LOAD="+dir+"/x")), "permission denied; check who may read it")
}

// uvicornPython is an interpreter that has uvicorn: that of the virtual environment in VIVARIUM_TEST_VENV.
func uvicornPython(t *testing.T) string {
	t.Helper()
	venv := os.Getenv("VIVARIUM_TEST_VENV")
	if venv == "" {
		t.Skip("VIVARIUM_TEST_VENV names no virtual environment: a real uvicorn cannot be started; the stand-ins were")
	}
	python := filepath.Join(venv, "bin", "python")
	require.NoError(t, exec.Command(python, "-c", "import uvicorn").Run())
	return python
}

func TestARealUvicornIsKnownInEveryWayToStartIt(t *testing.T) {
	python := uvicornPython(t)
	for _, k := range []struct {
		name string
		argv []string
		copy bool
	}{
		{"alone", []string{python, "-m", "uvicorn", "main:app"}, true},
		{"by its script", []string{filepath.Join(filepath.Dir(python), "uvicorn"), "main:app"}, true},
		{"with workers", []string{python, "-m", "uvicorn", "main:app", "--workers", "2"}, true},
		{"with a reloader", []string{python, "-m", "uvicorn", "main:app", "--reload"}, true},
		{"with another app", []string{python, "-m", "uvicorn", "other:app", "--workers", "2"}, false},
	} {
		t.Run(k.name, func(t *testing.T) {
			port := testkit.FreePort(t)
			c, err := config.Load(testkit.BackendDir(t, "port = "+strconv.Itoa(port)))
			require.NoError(t, err)
			app := []byte("async def app(scope, receive, send):\n    if scope['type'] == 'http':\n        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n        await send({'type': 'http.response.body', 'body': b'ok'})\n")
			for _, name := range []string{"main.py", "other.py"} {
				require.NoError(t, os.WriteFile(filepath.Join(c.Dir, name), app, 0o600))
			}
			cmd := testkit.LaunchIn(t, c.Dir, nil, append(k.argv, "--port", strconv.Itoa(port))...)
			testkit.AwaitAnswer(t, port)
			require.Eventually(t, func() bool {
				_, err := probe.Backend(t.Context(), c, probe.Options{})
				return err == nil
			}, testkit.Patience, 50*time.Millisecond)
			claim := claimOf(t, c)
			require.Equal(t, k.copy, claim.Owner.Copy, claim.Owner.Why)
			if !k.copy {
				require.Empty(t, claim.End)
				return
			}
			require.Equal(t, []int{cmd.Process.Pid}, pidsOf(claim.End))
			p, err := proc.Find(cmd.Process.Pid)
			require.NoError(t, err)
			listens, err := Listening(port, keeper.Run{PID: p.PID, Stamp: p.Stamp})
			require.NoError(t, err)
			require.True(t, listens)
		})
	}
}

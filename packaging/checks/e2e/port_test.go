//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// byHand starts a program in the backend's folder, as a person would, and waits until the port answers.
func (r *rig) byHand(cmd *exec.Cmd, path string) *exec.Cmd {
	r.t.Helper()
	cmd.Dir = r.dir
	cmd.SysProcAttr = addGroup(cmd.SysProcAttr)
	require.NoError(r.t, cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	r.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
	})
	eventually(r.t, "the hand-started server answers", func() bool { return r.get(path) != "" })
	return cmd
}

func addGroup(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	if a == nil {
		a = &syscall.SysProcAttr{}
	}
	a.Setpgid = true
	return a
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestACopyStartedByHandIsTakenOverAndItsClientsAreNotTouched(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	hand := r.byHand(exec.Command("python3", "main.py", strconv.Itoa(r.port)), "/health")

	// A client is connected all the time, a process of its own.
	bystander := exec.Command("python3", "-u", "-c", fmt.Sprintf("import socket, time\ns = socket.create_connection(('127.0.0.1', %d))\nprint('connected')\ntime.sleep(1000)", r.port))
	out, err := bystander.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, bystander.Start())
	t.Cleanup(func() { _ = bystander.Process.Kill(); _ = bystander.Wait() })
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)

	f := r.run()
	f.await("took-over")
	pid := f.await("healthy").PID
	require.NotEqual(t, hand.Process.Pid, pid)
	require.Equal(t, strconv.Itoa(pid), r.get("/pid"))
	require.True(t, alive(bystander.Process.Pid), "a client was killed")
	f.stop()
	require.True(t, alive(bystander.Process.Pid), "a client was killed")
}

func TestUvicornStartedByHandWithWorkersOrReloadIsTakenOver(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{{}, {"--workers", "2"}, {"--reload"}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			r := fastapi(t, quick)
			args := r.uvicorn(c...)
			hand := exec.Command(args[0], args[1:]...)
			hand.Env = append(os.Environ(), "KMP_DUPLICATE_LIB_OK=TRUE")
			old := r.byHand(hand, "/health").Process.Pid
			f := r.run()
			f.await("took-over")
			healthy := f.await("healthy")
			require.Contains(t, r.get("/pid"), fmt.Sprintf(`"pid":%d`, healthy.PID))
			require.Len(t, r.servers(), 1)
			require.NotEqual(t, old, healthy.PID)
			f.stop()
		})
	}
}

func TestAStrangerOnThePortIsNamedAndNotTouched(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	stranger := r.byHand(exec.Command("python3", "-m", "http.server", "--bind", "127.0.0.1", strconv.Itoa(r.port)), "/").Process.Pid
	f := r.run()
	taken := f.await("gave-up")
	require.Equal(t, "port-taken", taken.Verdict.Kind)
	require.Contains(t, taken.Verdict.Summary+taken.Verdict.Remedy+taken.Verdict.Line, strconv.Itoa(stranger))
	f.ended(1)
	require.True(t, alive(stranger))
	require.NotEmpty(t, r.get("/"))
	require.Empty(t, r.lives())
}

func TestAProcessOfAnotherUserIsToldAsSuch(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can start processes as different users")
	}
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("there is no /usr/bin/python3, which every user can run")
	}
	const nobody = 65534
	for _, c := range []struct {
		name        string
		owner, asks uint32
		says        string
	}{
		{"root sees whose it is", nobody, 0, "user nobody"},
		{"others see that it is another's", 0, nobody, "another user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := twin(t, "python = \"/usr/bin/python3\"\n"+quick)
			require.NoError(t, os.Chmod(filepath.Dir(r.dir), 0o777))
			require.NoError(t, os.Chmod(r.dir, 0o777))
			owner := exec.Command("/usr/bin/python3", "main.py", strconv.Itoa(r.port))
			owner.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.owner, Gid: c.owner}}
			pid := r.byHand(owner, "/health").Process.Pid
			f := r.runAs(c.asks)
			taken := f.await("gave-up")
			require.Equal(t, "port-taken", taken.Verdict.Kind)
			require.Contains(t, taken.Verdict.Summary+" "+taken.Verdict.Remedy, c.says)
			f.ended(1)
			require.True(t, alive(pid))
		})
	}
}

func TestRefuseMeansThatNotEvenACopyIsTouched(t *testing.T) {
	t.Parallel()
	r := twin(t, "on_port_conflict = \"refuse\"\n"+quick)
	hand := r.byHand(exec.Command("python3", "main.py", strconv.Itoa(r.port)), "/health").Process.Pid
	f := r.run()
	require.Equal(t, "port-taken", f.await("gave-up").Verdict.Kind)
	f.ended(1)
	require.True(t, alive(hand))
}

func TestAnotherAddressOnThePortIsNoReasonToRefuse(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", strconv.Itoa(r.port)))
	needs(t, err == nil, "there is no second loopback address")
	t.Cleanup(func() { _ = l.Close() })
	f := r.run()
	f.await("healthy")
	f.stop()
}

func TestAKilledUvicornLeaderLeavesNoOldWorkerAnswering(t *testing.T) {
	t.Parallel()
	r := fastapi(t, workers("--workers", "2"))
	f := r.run()
	leader := f.await("healthy").PID
	eventually(t, "both workers are up", func() bool { return len(r.lives()) == 2 })
	old := r.lives()
	require.NoError(t, syscall.Kill(leader, syscall.SIGKILL))
	crashed := f.await("crashed")
	require.Equal(t, "SIGKILL", crashed.Signal)
	next := f.await("healthy").PID
	for _, pid := range old {
		require.False(t, alive(pid), "the old worker %d lives", pid)
	}
	require.Contains(t, r.get("/pid"), fmt.Sprintf(`"parent":%d`, next))
	f.stop()
}

func TestAKilledWorkerIsTold(t *testing.T) {
	t.Parallel()
	r := fastapi(t, workers("--workers", "2"))
	f := r.run()
	f.await("healthy")
	eventually(t, "both workers are up", func() bool { return len(r.lives()) == 2 })
	looked(r)
	require.NoError(t, syscall.Kill(r.lives()[0], syscall.SIGSEGV))
	died := f.await("worker-died")
	require.NotEmpty(t, died.Verdict.Summary)
	f.stop()
}

func TestAReloaderWithoutItsWorkerIsRestarted(t *testing.T) {
	t.Parallel()
	r := fastapi(t, workers("--reload"))
	f := r.run()
	leader := f.await("healthy").PID
	looked(r)
	require.NoError(t, syscall.Kill(r.lives()[0], syscall.SIGKILL))
	f.await("worker-died")
	require.NotEqual(t, leader, f.await("healthy").PID)
	require.NotEmpty(t, r.get("/health"))
	f.stop()
}

// workers is the configuration of a uvicorn with more arguments.
func workers(more ...string) string {
	command := `command = ["{python}", "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}"`
	for _, m := range more {
		command += fmt.Sprintf(", %q", m)
	}
	return command + "]\n[health]\ninterval = \"200ms\"\n"
}

// looked waits for a few health probes more: a worker has to have been seen to be missed.
func looked(r *rig) {
	seen := map[string]bool{}
	eventually(r.t, "the server was probed again", func() bool {
		seen[r.status().Health.Good] = true
		return len(seen) > 5
	})
}

// count is how often the access log names a path.
func (r *rig) count(path string) int {
	return strings.Count(r.log(), "GET "+path+" ")
}

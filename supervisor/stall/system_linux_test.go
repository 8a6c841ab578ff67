package stall

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheStateOfARealProcessIsTold(t *testing.T) {
	state, err := StateOf(os.Getpid())
	require.NoError(t, err)
	require.Contains(t, []State{Running, Sleeping}, state) // of its main thread

	cmd := exec.Command("sleep", "60")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	becomes := func(want State) {
		require.Eventually(t, func() bool { s, err := StateOf(cmd.Process.Pid); return err == nil && s == want }, 10*time.Second, 5*time.Millisecond)
	}
	becomes(Sleeping)
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	becomes(Stopped)
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	becomes(Sleeping)

	for _, pid := range []int{0, -1, 1 << 30} {
		_, err := StateOf(pid)
		require.Error(t, err, pid)
		_, err = Peers(pid)
		require.Error(t, err, pid)
	}
}

// A server's clients are not whom it waits for; whom it has called is.
func TestOnlyConnectionsOfItsOwnMakingAreTold(t *testing.T) {
	out, done := make(chan string), make(chan struct{})
	elsewhere := exec.Command("python3", "-u", "-c", `
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1])
c = [s.accept()]
input()`)
	stdin, err := elsewhere.StdinPipe()
	require.NoError(t, err)
	stdout, err := elsewhere.StdoutPipe()
	require.NoError(t, err)
	if err := elsewhere.Start(); err != nil {
		t.Skipf("there is no python3 here: %v", err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = elsewhere.Wait() })
	b := make([]byte, 16)
	n, err := stdout.Read(b)
	require.NoError(t, err)
	address := "127.0.0.1:" + strings.TrimSpace(string(b[:n]))

	called, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer called.Close()

	served, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer served.Close()
	go func() { // somebody else calls us
		defer close(done)
		caller := exec.Command("python3", "-c", `
import socket, sys
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stdout.write("%d\n" % c.getsockname()[1]); sys.stdout.flush()
c.recv(1)`, served.Addr().String()[len("127.0.0.1:"):])
		pipe, _ := caller.StdoutPipe()
		if caller.Start() == nil {
			b := make([]byte, 16)
			n, _ := pipe.Read(b)
			out <- strings.TrimSpace(string(b[:n]))
			_ = caller.Wait()
		}
	}()
	conn, err := served.Accept()
	require.NoError(t, err)
	client := "127.0.0.1:" + <-out

	peers, err := Peers(os.Getpid())
	require.NoError(t, err)
	require.Contains(t, peers, address)
	require.NotContains(t, peers, client)
	require.True(t, slices.IsSorted(peers))
	require.NoError(t, conn.Close())
	<-done
}

// The kernel writes these files; a container, a sandbox or another kernel may write them otherwise.
func TestOddLinesOfTheTableOfConnectionsAreLeftOut(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(local, remote, state, inode string) string {
		return "   0: " + local + " " + remote + " " + state + " 00000000:00000000 00:00000000 00000000  1000        0 " + inode + " 1 0 20 4 30 10 -1\n"
	}
	mine := func(inode string) bool { return inode == "7" }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"one of its own making":     {line("0100007F:C000", "0100007F:1F90", "01", "7"), []string{"127.0.0.1:8080"}},
		"one that is being made":    {line("0100007F:C000", "0100007F:1F90", "02", "7"), []string{"127.0.0.1:8080"}},
		"twice to the same":         {line("0100007F:C000", "0100007F:1F90", "01", "7") + line("0100007F:C001", "0100007F:1F90", "01", "7"), []string{"127.0.0.1:8080"}},
		"IPv6":                      {line("00000000000000000000000001000000:C000", "00000000000000000000000001000000:01BB", "01", "7"), []string{"[::1]:443"}},
		"IPv4 in IPv6":              {line("0000000000000000FFFF00000100007F:C000", "0000000000000000FFFF00000100007F:01BB", "01", "7"), []string{"127.0.0.1:443"}},
		"another's":                 {line("0100007F:C000", "0100007F:1F90", "01", "8"), nil},
		"one that has ended":        {line("0100007F:C000", "0100007F:1F90", "06", "7"), nil},
		"one that came to its port": {line("00000000:1F90", "00000000:0000", "0A", "7") + line("0100007F:1F90", "0100007F:C000", "01", "7"), nil},
		"one that came to its port, told before it": {line("0100007F:1F90", "0100007F:C000", "01", "7") + line("00000000:1F90", "00000000:0000", "0A", "7"), nil},
		"no addresses":              {line("x", "y", "01", "7"), nil},
		"half an address":           {line("0100007F", "0100007F:1F90", "01", "7"), nil},
		"an address of three bytes": {line("00007F:C000", "00007F:1F90", "01", "7"), nil},
		"a port that is none":       {line("0100007F:C000", "0100007F:1F9000", "01", "7"), nil},
		"too few words":             {"0: 0100007F:C000 0100007F:1F90 01 7\n", nil},
		"nothing":                   {"", nil},
	} {
		require.Equal(t, c.want, outgoing(parseTCP(strings.NewReader(head+c.text)), mine), name)
	}
}

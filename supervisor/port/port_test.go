package port

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gopsutil "github.com/shirou/gopsutil/v4/net"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// standInDir is a backend with that server, which its vivarium.toml names.
func standInDir(t testing.TB, port int) config.Config {
	t.Helper()
	dir := testkit.BackendDir(t, fmt.Sprintf("command = ['{python}', 'server.py', 'one', '{port}']\nport = %d\n", port))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "server.py"), []byte(testkit.ServerScript), 0o600))
	c, err := config.Load(dir)
	require.NoError(t, err)
	return c
}

// awaitHolders waits until that many processes listen: workers come after the socket.
func awaitHolders(t testing.TB, port, n int) []Owner {
	t.Helper()
	var owners []Owner
	require.Eventually(t, func() bool {
		var err error
		owners, err = Owners(t.Context(), port)
		return err == nil && len(owners) == n
	}, testkit.Patience, 20*time.Millisecond)
	return owners
}

func TestAPortIsTakenByAListenerThatCouldAnswerInItsPlace(t *testing.T) {
	for _, c := range []struct {
		network, address, host string
		free                   bool
	}{
		{"tcp4", "127.0.0.1:0", "127.0.0.1", false},
		{"tcp4", "127.0.0.1:0", "localhost", false},
		{"tcp4", "127.0.0.1:0", "0.0.0.0", false},
		{"tcp4", "127.0.0.1:0", "", false},
		{"tcp4", "0.0.0.0:0", "127.0.0.1", false},
		{"tcp", "[::]:0", "127.0.0.1", false},
		{"tcp6", "[::]:0", "127.0.0.1", false},  // IPv6 alone, every address
		{"tcp6", "[::1]:0", "127.0.0.1", false}, // IPv6 alone: localhost leads there
		{"tcp6", "[::1]:0", "::1", false},
		{"tcp4", "127.0.0.2:0", "127.0.0.1", true}, // an address of its own
		{"tcp4", "127.0.0.2:0", "0.0.0.0", false},
	} {
		t.Run(c.address+" against "+c.host+" "+c.network, func(t *testing.T) {
			if runtime.GOOS != "linux" && strings.HasPrefix(c.address, "127.0.0.2") {
				t.Skip("only Linux has all of 127.0.0.0/8")
			}
			l := testkit.ListenOn(t, c.network, c.address)
			free, err := Free(c.host, testkit.PortOf(l))
			require.NoError(t, err)
			require.Equal(t, c.free, free)
			require.NoError(t, l.Close())
			free, err = Free(c.host, testkit.PortOf(l))
			require.NoError(t, err)
			require.True(t, free, "it is closed")
		})
	}
}

func TestAPortIsFreeWhileOldConnectionsAgeInTimeWait(t *testing.T) {
	l := testkit.ListenOn(t, "tcp4", "127.0.0.1:0")
	out, err := net.Dial("tcp4", l.Addr().String())
	require.NoError(t, err)
	in, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, in.Close()) // the server's side closes first, and keeps the port in TIME_WAIT
	_, _ = out.Read(make([]byte, 1))
	require.NoError(t, out.Close())
	require.NoError(t, l.Close())
	free, err := Free("127.0.0.1", testkit.PortOf(l))
	require.NoError(t, err)
	require.True(t, free)
}

func TestAPortThatCannotBeBoundIsAnErrorWithAReason(t *testing.T) {
	_, err := Free("192.0.2.1", testkit.FreePort(t)) // an address that documentation alone has
	require.ErrorContains(t, err, "not an address of this computer")
	_, err = Free("127.0.0.1", 0)
	require.ErrorContains(t, err, "there is no such port")
	_, err = Free("no.such.host.invalid", 80)
	require.ErrorContains(t, err, "no.such.host.invalid")
}

func TestLookingAtAPortIsNeverInTheWayOfAServer(t *testing.T) {
	port := testkit.FreePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			_, _ = Free("127.0.0.1", port)
		}
	})
	for range 200 {
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	cancel()
	looking.Wait()
}

func TestAPortThatIsBoundWithoutListeningIsTakenByNobodyWhoCanBeNamed(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer syscall.Close(fd)
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	port := name.(*syscall.SockaddrInet4).Port
	free, err := Free("127.0.0.1", port)
	require.NoError(t, err)
	require.False(t, free)
	owners, err := Owners(t.Context(), port)
	require.NoError(t, err)
	require.Empty(t, owners)
	claim, err := Claim(t.Context(), config.Config{Port: port}, Mine{})
	require.NoError(t, err)
	require.Equal(t, Finding{Owner: Owner{Why: unseenText}}, claim)
}

func TestClientsOfAPortAreNeverAmongItsOwners(t *testing.T) {
	port := testkit.FreePort(t)
	c := standInDir(t, port)
	server := testkit.LaunchIn(t, c.Dir, nil, testkit.Interpreter(t), "server.py", "one", strconv.Itoa(port))
	testkit.AwaitAnswer(t, port)
	// Clients of two kinds: this process, and one that looks like the backend itself.
	out, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	require.NoError(t, err)
	defer out.Close()
	client := filepath.Join(c.Dir, "main.py")
	require.NoError(t, os.WriteFile(client, []byte("import socket, sys, time\ns = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\nopen('connected', 'w').close()\ntime.sleep(3600)\n"), 0o600))
	testkit.LaunchIn(t, c.Dir, nil, testkit.Interpreter(t), "main.py", strconv.Itoa(port))
	require.Eventually(t, func() bool { return config.Exists(filepath.Join(c.Dir, "connected")) }, testkit.Patience, 10*time.Millisecond)

	owners, err := Owners(t.Context(), port)
	require.NoError(t, err)
	require.Len(t, owners, 1)
	require.Equal(t, server.Process.Pid, owners[0].PID)
	claim, err := Claim(t.Context(), c, Mine{})
	require.NoError(t, err)
	require.Equal(t, []int{server.Process.Pid}, pidsOf(claim.End))
}

func pidsOf(ps []proc.Process) []int {
	var pids []int
	for _, p := range ps {
		pids = append(pids, p.PID)
	}
	return pids
}

func TestARunListensThroughItsLeaderADescendantOrACarrierOfItsMark(t *testing.T) {
	runOf := func(t *testing.T, cmd *exec.Cmd, id string) keeper.Run {
		p, err := proc.Find(cmd.Process.Pid)
		require.NoError(t, err)
		return keeper.Run{ID: id, PID: p.PID, Stamp: p.Stamp}
	}
	for _, kind := range []string{"one", "fork", "spawn", "alone", "escape"} {
		t.Run(kind, func(t *testing.T) {
			port := testkit.FreePort(t)
			c := standInDir(t, port)
			id := "run-" + kind
			cmd := testkit.LaunchIn(t, c.Dir, []string{proc.RunVariable + "=" + id}, testkit.Interpreter(t), "server.py", kind, strconv.Itoa(port))
			testkit.AwaitAnswer(t, port)
			run := runOf(t, cmd, id)
			if kind == "escape" {
				testkit.EndCarriers(t, id)
			}
			require.Eventually(t, func() bool {
				listens, err := Listening(port, run)
				return err == nil && listens
			}, testkit.Patience, 10*time.Millisecond)

			ports, err := Of(run)
			require.NoError(t, err)
			require.Equal(t, []int{port}, ports)

			other := runOf(t, testkit.LaunchIn(t, c.Dir, nil, "sleep", "3600"), "another")
			ports, err = Of(other)
			require.NoError(t, err)
			require.Empty(t, ports)
			listens, err := Listening(port, other)
			require.NoError(t, err)
			require.False(t, listens, "it is another run's")
			if kind != "escape" {
				run.ID, run.Stamp = "", "reused"
				listens, err = Listening(port, run)
				require.NoError(t, err)
				require.False(t, listens, "a PID alone never identifies anything")
			}
		})
	}
	listens, err := Listening(testkit.FreePort(t), keeper.Run{ID: "x", PID: os.Getpid()})
	require.NoError(t, err)
	require.False(t, listens, "nobody listens")
}

func TestSocketsAreReadFromWhatTheMacsLsofTells(t *testing.T) {
	row := func(ip string, port uint32, family uint32, status string, pid int32) gopsutil.ConnectionStat {
		return gopsutil.ConnectionStat{Laddr: gopsutil.Addr{IP: ip, Port: port}, Family: family, Status: status, Pid: pid}
	}
	ls := listenersAmong([]gopsutil.ConnectionStat{
		row("127.0.0.1", 8000, syscall.AF_INET, "LISTEN", 10),
		row("127.0.0.1", 8000, syscall.AF_INET, "LISTEN", 11), // a worker on the same socket
		row("127.0.0.1", 8000, syscall.AF_INET, "LISTEN", 10),
		row("127.0.0.1", 8000, syscall.AF_INET, "ESTABLISHED", 10),
		row("127.0.0.1", 51000, syscall.AF_INET, "ESTABLISHED", 12), // a client
		row("127.0.0.1", 8001, syscall.AF_INET, "LISTEN", 13),
		row("*", 8000, syscall.AF_INET, "LISTEN", 14),
		row("*", 8000, syscall.AF_INET6, "LISTEN", 15),
		row("::1", 8000, syscall.AF_INET6, "LISTEN", 16),
		row("nonsense", 8000, syscall.AF_INET, "LISTEN", 17),
		row("127.0.0.1", 8000, syscall.AF_INET, "LISTEN", 0),
	}, 8000)
	require.Equal(t, []listener{
		{addr: netip.MustParseAddr("127.0.0.1"), port: 8000, uid: -1, pids: []int{10, 11}},
		{addr: netip.MustParseAddr("0.0.0.0"), port: 8000, uid: -1, pids: []int{14}},
		{addr: netip.MustParseAddr("::"), port: 8000, uid: -1, pids: []int{15}},
		{addr: netip.MustParseAddr("::1"), port: 8000, uid: -1, pids: []int{16}},
	}, ls)
}

func TestTheLineOfAncestorsEndsAlsoInACircle(t *testing.T) {
	all := tableOf([]proc.Process{{PID: 1}, {PID: 2, PPID: 1}, {PID: 3, PPID: 2}, {PID: 8, PPID: 9}, {PID: 9, PPID: 8}})
	require.Equal(t, []int{3, 2}, pidsOf(all.line(3)))
	require.Empty(t, all.line(1))
	require.Empty(t, all.line(7))
	require.Len(t, all.line(8), 1000)
}

func BenchmarkPortFree(b *testing.B) {
	port := testkit.FreePort(b)
	b.ReportAllocs()
	for b.Loop() {
		if free, err := Free("127.0.0.1", port); !free || err != nil {
			b.Fatal(free, err)
		}
	}
}

func BenchmarkPortOwners(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		if owners, err := Owners(b.Context(), testkit.PortOf(l)); len(owners) != 1 || err != nil {
			b.Fatal(owners, err)
		}
	}
}

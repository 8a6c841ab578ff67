package power

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"
)

const patience = 30 * time.Second

// holder is the environment variable that makes this test program take an inhibitor, say so, and wait to be ended.
const holder = "VIVARIUM_TEST_HOLDS"

func TestMain(m *testing.M) {
	if os.Getenv(holder) == "" {
		os.Exit(m.Run())
	}
	if _, err := Take("a test"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	child := exec.Command("sleep", "600") // which must not have it
	if err := child.Start(); err != nil {
		os.Exit(1)
	}
	fmt.Println("held", child.Process.Pid)
	select {}
}

// systemBus is a bus of this test's own, in the place of the system's.
func systemBus(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	cmd := exec.Command(program, "--session", "--nofork", "--nopidfile", "--print-address=1", "--address=unix:dir="+t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
	return strings.TrimSpace(address)
}

// logind answers as systemd-logind does: an inhibitor is the write end of a pipe, and ends with the last copy of it.
type logind struct {
	bus *dbus.Conn

	mu    sync.Mutex
	asked [][4]string
	ended []chan struct{}
}

func (l *logind) Inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	ended := make(chan struct{})
	l.mu.Lock()
	l.asked, l.ended = append(l.asked, [4]string{what, who, why, mode}), append(l.ended, ended)
	l.mu.Unlock()
	go func() {
		_, _ = r.Read(make([]byte, 1))
		close(ended)
	}()
	fd := w.Fd()
	time.AfterFunc(time.Second, func() { w.Close() }) // the answer is sent by then, and who asked has a copy
	return dbus.UnixFD(fd), nil
}

func newLogind(t *testing.T) *logind {
	t.Helper()
	bus, err := dbus.Connect(systemBus(t))
	require.NoError(t, err)
	t.Cleanup(func() { bus.Close() })
	l := &logind{bus: bus}
	require.NoError(t, bus.Export(l, login1Path, manager))
	reply, err := bus.RequestName(login1, dbus.NameFlagDoNotQueue)
	require.NoError(t, err)
	require.Equal(t, dbus.RequestNameReplyPrimaryOwner, reply)
	return l
}

func (l *logind) requests() [][4]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

func (l *logind) released(i int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended[i]
}

func soon(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, what)
	}
}

func TestAnInhibitorIsTakenFromLogindAndReleased(t *testing.T) {
	l := newLogind(t)
	held, err := Take("server is at work")
	require.NoError(t, err)
	require.Equal(t, [][4]string{{"idle", "Vivarium", "server is at work", "block"}}, l.requests())
	select {
	case <-l.released(0):
		require.Fail(t, "it is held")
	case <-time.After(1500 * time.Millisecond): // longer than logind's own copy of it lives
	}
	require.NoError(t, held.Close())
	soon(t, l.released(0), "it was released")
}

func TestAKilledHolderLeavesNoInhibitorBehindNorDoItsChildrenHaveIt(t *testing.T) {
	l := newLogind(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holder+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, line)
	var child int
	_, err = fmt.Sscanf(line, "held %d", &child)
	require.NoError(t, err, line)
	defer func() { _ = syscall.Kill(child, syscall.SIGKILL) }()
	select {
	case <-l.released(0):
		require.Fail(t, "it is held")
	case <-time.After(1500 * time.Millisecond):
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	soon(t, l.released(0), "the kernel has released it, though a child lives on")
	require.NoError(t, syscall.Kill(child, 0), "the child lives")
}

func TestWithoutLogindItIsToldWhy(t *testing.T) {
	systemBus(t)
	_, err := Take("why")
	require.ErrorContains(t, err, "asking logind for an inhibitor")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
	_, err = Take("why")
	require.ErrorContains(t, err, "connecting to the system bus")
	Watch(t.Context(), func(bool) { require.Fail(t, "there is nothing to tell") })
}

func TestSleepIsToldByLogind(t *testing.T) {
	l := newLogind(t)
	told := make(chan bool, 8)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { Watch(ctx, func(sleeps bool) { told <- sleeps }); close(ended) }()
	next := func() bool {
		for give := time.After(patience); ; { // until the match is added nothing is heard
			require.NoError(t, l.bus.Emit(login1Path, manager+".PrepareForSleep", true))
			select {
			case s := <-told:
				return s
			case <-time.After(20 * time.Millisecond):
			case <-give:
				require.Fail(t, "nothing was told")
			}
		}
	}
	require.True(t, next())
	require.NoError(t, l.bus.Emit(login1Path, manager+".PrepareForSleep", "no bool"))
	require.NoError(t, l.bus.Emit(login1Path, manager+".PrepareForShutdown", true))
	require.NoError(t, l.bus.Emit(login1Path, manager+".PrepareForSleep", false))
	for give := time.After(patience); ; {
		select {
		case s := <-told:
			if !s {
				cancel()
				soon(t, ended, "it ends with its context")
				return
			}
		case <-give:
			require.Fail(t, "the waking was not told")
		}
	}
}

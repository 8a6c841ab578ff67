package keeper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// patience is for what happens at once, on a machine that is busy with other things.
const patience = 30 * time.Second

// keeperProgram is the real program, built once.
var keeperProgram string

// TestMain is also the child processes of the tests: the test program, run again with a role.
func TestMain(m *testing.M) {
	if role := os.Getenv("KEEPER_TEST_ROLE"); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kt")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	keeperProgram = filepath.Join(dir, "vivarium-keeper")
	args := []string{"build", "-o", keeperProgram}
	if raceEnabled {
		args = append(args, "-race")
	} else {
		args = append(args, "-trimpath", "-ldflags=-s -w")
	}
	cmd := exec.Command("go", append(args, "github.com/vivarium-app/vivarium/cmd/vivarium-keeper")...)
	if !raceEnabled { // as it is shipped; the race detector itself needs cgo
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "building the keeper: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// stateDir is a backend's folder in a fresh state folder. Its path is short, because sockets' must be.
func stateDir(t testing.TB) string {
	t.Helper()
	state, err := os.MkdirTemp("", "v")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(state) })
	return filepath.Join(state, "b", "0123456789ab")
}

// launched is a keeper of its own for the test; what it leaves behind is ended with it.
func launched(t testing.TB, dir string) *Conn {
	t.Helper()
	c, err := Launch(t.Context(), keeperProgram, dir)
	require.NoError(t, err)
	pid, _ := c.Keeper()
	p, err := proc.Find(pid)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		endKeeper(t, dir, p)
	})
	return c
}

// endKeeper ends a keeper and everything of its runs, and looks for what it said of data races.
func endKeeper(t testing.TB, dir string, keeper proc.Process) {
	t.Helper()
	_ = proc.Signal(keeper, syscall.SIGKILL)
	require.True(t, until(context.Background(), patience, func() bool { return !proc.Alive(keeper) }))
	if r, ok := (records{dir}).last(); ok {
		k := &descendants{run: r.ID, roots: []proc.Process{{PID: r.PID, Stamp: r.Stamp}}}
		require.NoError(t, k.kill(context.Background(), true))
	}
	said, err := os.ReadFile(filepath.Join(dir, logFile))
	require.NoError(t, err)
	require.NotContains(t, string(said), "DATA RACE")
	require.NotContains(t, string(said), "panic:")
}

// spec runs the test program again in a role.
func spec(dir, role string, args ...string) Spec {
	self, _ := os.Executable()
	return Spec{
		Argv: append([]string{self}, args...), Dir: dir, Log: filepath.Join(dir, "server.log"),
		Env: append(slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, "KEEPER_TEST_ROLE=")
		}), "KEEPER_TEST_ROLE="+role),
	}
}

// shell runs a script in /bin/sh.
func shell(dir, script string) Spec {
	return Spec{Argv: []string{"/bin/sh", "-c", script}, Dir: dir, Log: filepath.Join(dir, "server.log"), Env: os.Environ()}
}

// needsProc is for tests that look where only Linux lets them look.
func needsProc(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: it reads /proc and /dev/shm")
	}
}

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, done func() bool, what ...any) {
	t.Helper()
	require.True(t, until(context.Background(), patience, done), what...)
}

func logOf(t testing.TB, s Spec) string {
	t.Helper()
	b, err := os.ReadFile(s.Log)
	if err != nil {
		return ""
	}
	return string(b)
}

// play is what a child process does.
func play(role string, args []string) int {
	switch role {
	case "sleep":
		time.Sleep(time.Hour)
	case "client":
		return playClient(args)
	case "count":
		for i := 0; ; i++ {
			fmt.Println("line", i)
			time.Sleep(time.Millisecond)
		}
	case "flood":
		return playFlood(args)
	case "bytes":
		for _, b := range []byte(args[0]) {
			os.Stdout.Write([]byte{b})
		}
	case "stubborn":
		return playStubborn()
	case "keep":
		idle, _ := time.ParseDuration(os.Getenv("KEEPER_TEST_IDLE"))
		return keeperMain(args, idle)
	default:
		fmt.Println("no such role:", role)
		return 99
	}
	return 0
}

// playFlood writes so many bytes in pieces of a size, as lines of 100 bytes that are numbered.
func playFlood(args []string) int {
	total, _ := strconv.Atoi(args[0])
	size, _ := strconv.Atoi(args[1])
	var piece bytes.Buffer
	for n, line := 0, 0; n < total; n += size {
		for piece.Len() < size {
			fmt.Fprintf(&piece, "%09d %s\n", line, strings.Repeat("x", 89))
			line++
		}
		if _, err := os.Stdout.Write(piece.Next(size)); err != nil {
			return 1
		}
	}
	return 0
}

package memory

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// python starts a real Python with a program that says "ready" once it has what it is to have.
func python(t *testing.T, program string) *exec.Cmd {
	t.Helper()
	exe, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	cmd := exec.Command(exe, "-c", program)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", said)
	return cmd
}

func TestAModelInPageCacheIsUsedAndNotHeld(t *testing.T) {
	file := t.TempDir() + "/model"
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("weights ", 64<<20/8)), 0o600))
	cmd := python(t, `
import mmap, sys
own = bytearray(b"x" * (32 << 20))
f = open("`+file+`", "rb")
m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
sum(m[i] for i in range(0, len(m), 4096))
print("ready", flush=True)
sys.stdin.read()
`)
	f, ok := ofProcess(cmd.Process.Pid)
	require.True(t, ok)
	require.Greater(t, f.Used, uint64(96<<20), "%+v", f)
	require.Greater(t, f.Held, uint64(32<<20))
	require.Less(t, f.Held, uint64(64<<20), "the file's pages can be dropped at any time")
}

func TestTheFairShareOfARealTreeCountsAForkOnce(t *testing.T) {
	cmd := python(t, `
import os, sys
kept = bytearray(b"x" * (96 << 20))
r, w = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.close(w); os.read(r, 1); os._exit(0)
print("ready", flush=True)
sys.stdin.read()
`)
	children, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/task/" + strconv.Itoa(cmd.Process.Pid) + "/children")
	require.NoError(t, err)
	pids := []int{cmd.Process.Pid}
	for word := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(word)
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	require.Len(t, pids, 4)
	if _, ok := fairOfProcess(pids[0]); !ok {
		t.Skip("this kernel does not tell the proportional share")
	}
	var sum Figure
	for _, pid := range pids {
		f, _ := ofProcess(pid)
		sum = sum.plus(f)
	}
	require.Greater(t, sum.Held, uint64(4*96<<20), "each of them counts")
	var m Meter
	began := time.Now()
	f := m.Read(pids, yes)
	t.Logf("%s for %d processes of %s each", time.Since(began), len(pids), Size(sum.Held/4))
	require.Equal(t, sum.RSS, f.RSS)
	require.Greater(t, f.Held, uint64(96<<20))
	require.Less(t, f.Held, uint64(2*96<<20))
}

func TestTheRealSystemTellsOfItself(t *testing.T) {
	require.Greater(t, Machine(os.Getpid()), uint64(64<<20))
	f, ok := ofProcess(os.Getpid())
	require.True(t, ok)
	require.GreaterOrEqual(t, f.Used, f.Held)
	_, ok = ofProcess(1 << 30)
	require.False(t, ok)
	if _, err := os.Stat("/proc/pressure/memory"); err != nil {
		t.Skip("this kernel tells nothing of pressure")
	}
	require.NotEqual(t, Unknown, Now().Level)
}

func BenchmarkFigureOfAProcess(b *testing.B) {
	for b.Loop() {
		f, _ := ofProcess(os.Getpid())
		runtime.KeepAlive(f)
	}
}

func BenchmarkPressure(b *testing.B) {
	for b.Loop() {
		p := Now()
		runtime.KeepAlive(p)
	}
}

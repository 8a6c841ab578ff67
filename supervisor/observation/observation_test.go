package observation

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

const blocked = `import asyncio, threading, time
lock = threading.Lock()
lock.acquire()
for n in range(3):
    threading.Thread(target=lock.acquire, daemon=True, name=f"pool-{n}").start()

async def handler():
    time.sleep(60)

async def main():
    print("serving", flush=True)
    await handler()

asyncio.run(main())
`

// server runs the text as a Python with the recorder, and gives the subject.
func server(t *testing.T, text string, python ...string) Subject {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 here")
	}
	dir, state := t.TempDir(), t.TempDir()
	require.NoError(t, os.Chmod(state, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.py"), []byte(text), 0o600))
	old := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "main.py"), old, old))
	folder, err := recorder.Place(state)
	require.NoError(t, err)
	runs := filepath.Join(state, "runs")
	require.NoError(t, recorder.Prepare(runs))
	cmd := exec.Command("python3", append(python, filepath.Join(dir, "main.py"))...)
	cmd.Env = append(recorder.Environ(os.Environ(), folder, runs), "VIVARIUM_RUN=r1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	_, err = out.Read(make([]byte, 100))
	require.NoError(t, err, "it says that it serves")
	return Subject{
		Run: "r1", Members: []Member{{PID: cmd.Process.Pid, Stamp: "s", Name: "python3"}}, Folder: recorder.RunFolder(runs, "r1"), Dir: dir,
		Phase: stall.Unhealthy, Started: time.Now(), Log: filepath.Join(dir, "none.log"),
		Signal: func(pid int, _ string, s syscall.Signal) error {
			require.Equal(t, cmd.Process.Pid, pid)
			return syscall.Kill(pid, s)
		},
	}
}

func TestABlockedLoopIsSeenWithThePersonsOwnLineWithinThreeSeconds(t *testing.T) {
	s := server(t, blocked)
	began := time.Now()
	o := Take(t.Context(), s)
	require.Less(t, time.Since(began), 3*time.Second)
	require.True(t, o.Known())
	require.Equal(t, stall.KindLoop, o.Stall.Kind, "%+v", o)
	require.Equal(t, filepath.Join(s.Dir, "main.py"), o.Stall.File)
	require.Equal(t, 8, o.Stall.Line)
	require.Equal(t, s.Members[0].PID, o.PID)

	p := o.Processes[0]
	require.True(t, p.Threads[0].Main)
	require.True(t, p.Threads[0].Frames[0].Own)
	require.Len(t, p.Threads, 2, "three threads in the same frames are one")
	require.Equal(t, 3, p.Threads[1].Count)
	text := strings.Join(o.Lines(), "\n")
	require.Contains(t, text, `main.py", line 8 in handler`)
	require.Contains(t, text, "×3] (most recent call first):")
	require.Regexp(t, `(?m)^Current thread 0x[0-9a-f]+ \[main thread\] \(most recent call first\):$`, text)
	_, err := json.Marshal(o)
	require.NoError(t, err)
}

func TestAStoppedProcessIsPaused(t *testing.T) {
	s := server(t, "import time\nprint(1, flush=True)\ntime.sleep(60)\n")
	pid := s.Members[0].PID
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	o := Take(t.Context(), s)
	require.Equal(t, stall.KindPaused, o.Stall.Kind, "%+v", o)
	require.True(t, o.Processes[0].Stopped)
}

func TestAPythonWithoutTheRecorderIsNotExplainedAndNotHarmed(t *testing.T) {
	s := server(t, "import time\nprint(1, flush=True)\ntime.sleep(60)\n", "-I")
	o := Take(t.Context(), s)
	require.Equal(t, stall.KindUnknown, o.Stall.Kind)
	require.Contains(t, o.Processes[0].Problem, "recorder is not in it")
	require.NoError(t, syscall.Kill(s.Members[0].PID, 0))
}

func TestTheProcessThatExplainsMostIsTold(t *testing.T) {
	worker := func(k stall.Kind, file string) one {
		return one{asked: true, process: Process{Worker: true}, stall: stall.Stall{Kind: k, File: file}}
	}
	leader := func(k stall.Kind, file string) one { f := worker(k, file); f.process.Worker = false; return f }
	for name, pair := range map[string][2]one{
		"a blocked worker before the parent that waits for it":            {worker(stall.KindLoop, "main.py"), leader(stall.KindLock, "main.py")},
		"a blocked server before its idle pool":                           {leader(stall.KindLoop, "main.py"), worker(stall.KindIdle, "main.py")},
		"an own line before none":                                         {worker(stall.KindLock, "main.py"), worker(stall.KindLock, "")},
		"what is not known last":                                          {leader(stall.KindIdle, ""), worker(stall.KindUnknown, "main.py")},
		"a process with the recorder before one that cannot be looked at": {leader(stall.KindUnknown, "main.py"), one{stall: stall.Stall{Kind: stall.KindLoop, File: "x"}}},
	} {
		require.Greater(t, pair[0].rank(), pair[1].rank(), name)
	}
}

func TestLinesAreMaskedBoundedAndPrintable(t *testing.T) {
	p := Process{PID: 1, Problem: "x"}
	for n := range 3000 {
		p.Threads = append(p.Threads, Thread{ID: uint64(n), Name: "a\x1b[31m\nb", Frames: []Frame{{File: "/b/" + strings.Repeat("x", 1000), Line: n}}})
	}
	p.Threads[0].Name = "api_key=sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
	lines := Observation{Processes: []Process{p}}.Lines()
	require.LessOrEqual(t, len(lines), mostLines+1)
	text := strings.Join(lines, "\n")
	require.NotContains(t, text, "abcdefghijklmnopqrstuvwxyz0123456789")
	require.NotContains(t, text, "\x1b")
	require.Contains(t, text, "Thread 0x0000000000000005 [a?[31m?b]")
	for _, l := range lines {
		require.LessOrEqual(t, len([]rune(l)), longest)
	}
}

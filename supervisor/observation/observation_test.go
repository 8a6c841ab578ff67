package observation

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// The line that prints is the line that sleeps: whoever has read the word finds the handler there, however slow the machine is.
const blocked = `import asyncio, threading, time
lock = threading.Lock()
lock.acquire()
for n in range(3):
    threading.Thread(target=lock.acquire, daemon=True, name=f"pool-{n}").start()

async def handler():
    time.sleep(print("serving", flush=True) or 60)

async def main():
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

const starved = `import threading, time

def crunch():
    total = 0
    while True:
        total += sum(range(50))

def waits():
    while True:
        time.sleep(0.001)

threading.Thread(target=crunch, daemon=True).start()
threading.Thread(target=waits, daemon=True).start()
with open("%LOG%", "w", buffering=1) as log:
    print("serving", flush=True)
    while True:
        log.write("tick\n")
        time.sleep(0.05)
`

func TestTheThreadThatUsesTheCPUIsNamedAndTheLogIsSeenToGrow(t *testing.T) {
	log := filepath.Join(t.TempDir(), "server.log")
	s := server(t, strings.Replace(starved, "%LOG%", log, 1))
	s.Log, s.Phase = log, stall.Busy
	var looked stall.Case
	judge = func(c stall.Case) stall.Stall { looked = c; return stall.Judge(c) }
	t.Cleanup(func() { judge = stall.Judge })
	o := Take(t.Context(), s)
	require.Equal(t, stall.KindBusy, o.Stall.Kind, "%+v", o.Stall)
	require.Contains(t, o.Stall.Summary, "busy in crunch")

	last := looked.Samples[len(looked.Samples)-1]
	require.Positive(t, last.Log)
	most := slices.MaxFunc(last.Threads, func(a, b stall.Thread) int { return cmp.Compare(a.CPU, b.CPU) })
	require.True(t, slices.ContainsFunc(most.Frames, func(f stall.Frame) bool { return f.Function == "crunch" }), "%+v", most)
	require.Greater(t, most.CPU, 20*time.Millisecond)
	for _, th := range last.Threads {
		require.Less(t, th.CPU, 5*time.Second, "it is that since the sample before")
	}
}

func TestShortMemoryIsHandedInOrAskedFor(t *testing.T) {
	s := server(t, "import time\nprint(1, flush=True)\ntime.sleep(60)\n")
	var looked stall.Case
	judge = func(c stall.Case) stall.Stall { looked = c; return stall.Judge(c) }
	t.Cleanup(func() { judge = stall.Judge })
	s.Memory = "the system's memory pressure is critical"
	Take(t.Context(), s)
	require.Equal(t, s.Memory, looked.Memory)
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

func TestAllPythonsBelowALauncherAreLookedAtAndNoStrangers(t *testing.T) {
	s := server(t, "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\nsubprocess.Popen(['sleep', '60'])\nprint(1, flush=True)\ntime.sleep(60)\n")
	leader, err := proc.Find(s.Members[0].PID)
	require.NoError(t, err)
	s.Members[0].Stamp = leader.Stamp
	s.Signal = func(pid int, stamp string, sig syscall.Signal) error { return syscall.Kill(pid, sig) }
	require.Eventually(t, func() bool { return len(process.Pythons(leader.PID)) == 2 }, 10*time.Second, 10*time.Millisecond, "a program is no Python")
	all := process.Pythons(leader.PID)
	t.Cleanup(func() { _ = syscall.Kill(all[1].PID, syscall.SIGKILL) })
	require.Equal(t, []int{leader.PID}, all[1].Above)
	o := TakeRun(t.Context(), s)
	require.Len(t, o.Processes, 2)
	require.True(t, o.Processes[1].Worker)

	s.Members[0].Stamp = "another"
	s.Signal = func(int, string, syscall.Signal) error { return syscall.ESRCH }
	require.Len(t, TakeRun(t.Context(), s).Processes, 1, "the tree below another process is nobody's")
}

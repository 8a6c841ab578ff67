package observation

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// aborted is what a Python writes that is ended by SIGABRT, behind what the server wrote before.
const aborted = `INFO:     Started server process [1]
Fatal Python error: Aborted

Thread 0x00007f10 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 324 in wait
  File "/usr/lib/python3.11/threading.py", line 1038 in _bootstrap

Current thread 0x00007f20 (most recent call first):
  File "DIR/main.py", line 3 in chat
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
  File "/usr/lib/python3.11/asyncio/base_events.py", line 1922 in _run_once
  File "/usr/lib/python3.11/asyncio/base_events.py", line 607 in run_forever
  File "/usr/lib/python3.11/asyncio/runners.py", line 118 in run
  File "/b/.venv/lib/python3.11/site-packages/uvicorn/server.py", line 67 in run

Extension modules: numpy (total: 1)`

func lastOf(t *testing.T, text string) (Subject, Last) {
	t.Helper()
	dir := t.TempDir()
	main := filepath.Join(dir, "main.py")
	require.NoError(t, os.WriteFile(main, []byte("import time\nasync def chat():\n    time.sleep(3600)\n"), 0o600))
	old := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(main, old, old))
	return Subject{Run: "r1", Dir: dir, Phase: stall.Unhealthy, Started: time.Now()},
		Last{PID: 7, Signal: syscall.SIGABRT, At: time.Now(), Tail: strings.Split(strings.ReplaceAll(text, "DIR", dir), "\n")}
}

func TestTheLastWordsOfAnAbortedPythonAreItsStacks(t *testing.T) {
	s, l := lastOf(t, aborted)
	o, ok := LastWords(s, l)
	require.True(t, ok)
	require.True(t, o.Stacks())
	require.Equal(t, "r1", o.Run)
	require.Equal(t, stall.KindLoop, o.Stall.Kind, o.Stall.Summary)
	require.Equal(t, 3, o.Stall.Line)
	require.Contains(t, o.Stall.Summary, "time.sleep")
	require.Equal(t, l.At, o.Stall.Taken)
	text := strings.Join(o.Lines(), "\n")
	require.Contains(t, text, "Process 7 python")
	require.Contains(t, text, `main.py", line 3 in chat`)
	require.Less(t, strings.Index(text, "in chat"), strings.Index(text, "in wait"), "the main thread comes first")

	s.Deep = "POST /w gave no answer within 60 s"
	o, ok = LastWords(s, l)
	require.True(t, ok)
	require.Equal(t, stall.KindWedged, o.Stall.Kind)
	require.Contains(t, o.Stall.Summary, "POST /w gave no answer within 60 s")
}

func TestOfSeveralProcessesTheFirstIsTheLeader(t *testing.T) {
	s, l := lastOf(t, aborted+"\n"+strings.ReplaceAll(aborted, "line 3 in chat", "line 99 in other"))
	o, ok := LastWords(s, l)
	require.True(t, ok)
	require.Equal(t, 3, o.Stall.Line)
	require.NotContains(t, strings.Join(o.Lines(), "\n"), "line 99")
}

func TestWithoutAnAbortThereAreNoLastWords(t *testing.T) {
	s, l := lastOf(t, aborted)
	for name, change := range map[string]func(*Last){
		"another signal": func(l *Last) { l.Signal = syscall.SIGKILL },
		"no dump":        func(l *Last) { l.Tail = []string{"INFO: bye"} },
		"the words only": func(l *Last) { l.Tail = []string{abortWords} },
		"nothing":        func(l *Last) { l.Tail = nil },
	} {
		other := l
		change(&other)
		_, ok := LastWords(s, other)
		require.False(t, ok, name)
	}
}

func FuzzLastWords(f *testing.F) {
	f.Add(aborted)
	f.Add(abortWords + "\nThread 0x1 (most recent call first):\n  ...\n...\n")
	f.Fuzz(func(t *testing.T, text string) {
		o, ok := LastWords(Subject{Dir: "/b", Phase: stall.Unhealthy}, Last{Signal: syscall.SIGABRT, Tail: strings.Split(text, "\n")})
		if ok {
			require.NotEmpty(t, o.Processes)
			require.NotEmpty(t, o.Stall.Kind)
			o.Lines()
		}
	})
}

package recorder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const head = `{"recorder":1,"pid":7,"fd":3,"dump":61,"python":"3.11.7"}` + "\n"

const answerLine = `{"stacks":1,"pid":7,"threads":[{"id":5,"tid":7,"name":"MainThread","cut":2,"frames":[[0,17,"chat"],[1,80,"Handle._run"]]},{"id":6,"tid":0,"name":"","cut":0,"frames":[]}],"cut":3,"tasks":[{"frames":[[0,4,"wait"]]}],"cut_tasks":1,"files":["/b/main.py","/usr/lib/python3.11/asyncio/events.py"]}` + "\n"

func TestAnAnswerIsReadBack(t *testing.T) {
	s, err := ParseStacks([]byte(head + answerLine))
	require.NoError(t, err)
	require.Equal(t, Stacks{PID: 7, Cut: 3, CutTasks: 1, Tasks: [][]Frame{{{"/b/main.py", 4, "wait"}}}, Threads: []Thread{
		{ID: 5, TID: 7, Name: "MainThread", Main: true, Cut: 2, Frames: []Frame{{"/b/main.py", 17, "chat"}, {"/usr/lib/python3.11/asyncio/events.py", 80, "Handle._run"}}},
		{ID: 6, Frames: []Frame{}},
	}}, s)
}

func TestWhatIsNoWholeAnswerIsNotTakenForOne(t *testing.T) {
	for name, text := range map[string]string{"nothing": "", "a header": head, "half": head + answerLine[:80], "no line end": head + strings.TrimSuffix(answerLine, "\n")} {
		_, err := ParseStacks([]byte(text))
		require.ErrorIs(t, err, errNoAnswer, name)
	}
	for name, line := range map[string]string{"a frame of two": `{"stacks":1,"threads":[{"frames":[[0,1]]}]}`, "no JSON": `{"stacks":1,`} {
		_, err := ParseStacks([]byte(line + "\n"))
		require.Error(t, err, name)
		require.NotErrorIs(t, err, errNoAnswer, name)
	}
	s, err := ParseStacks([]byte(answerLine + `{"stacks":2,"pid":7,"threads":[{"frames":[[9,-4,"f"]]}],"files":[]}` + "\nThread 0x1 (most recent call first):\n"))
	require.NoError(t, err, "the last answer counts, whatever follows")
	require.Equal(t, []Frame{{"", 0, "f"}}, s.Threads[0].Frames)
}

func TestARawDumpIsReadBack(t *testing.T) {
	s := ParseDump([]byte(`Thread 0x00007f0000000002 (most recent call first):
  File "/b/main.py", line 9 in work
  File "/usr/lib/python3.11/threading.py", line 982 in run

Current thread 0x00007f0000000001 [python] (most recent call first):
  File "/b/main.py", line 30 in <module>
  File "/b/odd name", line 1", line ??? in f
  ...
`))
	require.Len(t, s.Threads, 2)
	require.True(t, s.Raw && s.Threads[0].Main, "the oldest is the main thread")
	require.Equal(t, Thread{ID: 0x7f0000000001, Name: "python", Main: true, Cut: 1, Frames: []Frame{{"/b/main.py", 30, "<module>"}, {"/b/odd name\", line 1", 0, "f"}}}, s.Threads[0])
	cut := ParseDump([]byte("Thread 0x0000000000000002 (most recent call first):\n  File \"a\", line 1 in f\n\n...\n"))
	require.Equal(t, 1, cut.Cut)
	require.False(t, cut.Threads[0].Main, "among those that are cut there may be the main thread")
}

const exceptionLine = `{"pid":7,"main":true,"thread":"","exception":{"type":"ConnectError","module":"httpx","message":"no route","notes":["try again"],"frames":[["/b/main.py",3,"<module>"]],"cause":{"type":"OSError","module":"builtins","message":"errno 65","frames":[]},"group":[{"type":"ValueError","module":"builtins","message":"x","frames":[]}]}}` + "\n"

func TestExceptionsAreReadBackWithChainNotesAndGroup(t *testing.T) {
	all := ParseExceptions([]byte("garbage\n" + exceptionLine + `{"pid":7,"main":false,"exception":{"type":""}}` + "\n" + exceptionLine[:50]))
	require.Len(t, all, 1)
	e := all[0].Error
	require.Equal(t, "httpx.ConnectError", e.Name())
	require.Equal(t, []string{"try again"}, e.Notes)
	require.Equal(t, "OSError", e.Cause.Name())
	require.Equal(t, "ValueError", e.Group[0].Name())
	require.Equal(t, []Frame{{"/b/main.py", 3, "<module>"}}, e.Frames)
}

func TestARecordedExceptionDecidesOnlyIfTheProcessEndedOfIt(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := End{PID: 7, Known: true, Code: 1, At: at.Add(time.Second)}
	main := []Exception{{PID: 7, Main: true, Error: Raised{Type: "ValueError"}}}
	for name, c := range map[string]struct {
		all  []Exception
		end  func(*End)
		want bool
	}{
		"it ended of it":             {main, func(*End) {}, true},
		"nothing recorded":           {nil, func(*End) {}, false},
		"nobody saw the end":         {main, func(e *End) { e.Known = false }, false},
		"we ended it":                {main, func(e *End) { e.Asked = true }, false},
		"another code":               {main, func(e *End) { e.Code = 3 }, false},
		"a signal":                   {main, func(e *End) { e.Code, e.Signal = 0, "SIGSEGV" }, false},
		"it lived on for a minute":   {main, func(e *End) { e.At = at.Add(time.Minute) }, false},
		"before it":                  {main, func(e *End) { e.At = at.Add(-time.Second) }, false},
		"another process's":          {main, func(e *End) { e.PID = 8 }, false},
		"another thread's came last": {append(main[:1:1], Exception{PID: 7}), func(*End) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			end := good
			c.end(&end)
			e, ok := Decides(c.all, at, end)
			require.Equal(t, c.want, ok)
			if ok {
				require.Equal(t, "ValueError", e.Error.Type)
			}
		})
	}
}

func TestOnlyPlainFilesOfThisUserAreRead(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "target"), []byte(exceptionLine), 0o600))
	require.NoError(t, os.Symlink("target", filepath.Join(folder, "7.exceptions")))
	_, _, err := Exceptions(folder, 7)
	require.Error(t, err)
	all, _, err := Exceptions(folder, 8)
	require.NoError(t, err)
	require.Empty(t, all)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + answerLine))
	f.Add([]byte(exceptionLine))
	f.Add([]byte("Thread 0x1 (most recent call first):\n  File \"a\", line 1 in f\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, _ := ParseStacks(text)
		d := ParseDump(text)
		for _, s := range []Stacks{s, d} {
			if len(s.Threads) > maxThreads || len(s.Tasks) > maxTasks {
				t.Fatal("too many")
			}
			for _, th := range s.Threads {
				for _, fr := range th.Frames {
					if fr.Line < 0 {
						t.Fatal(fr)
					}
				}
			}
		}
		for _, e := range ParseExceptions(text) {
			_ = fmt.Sprint(e.Error.Name())
		}
		_, _ = parseHeader(text)
	})
}

func BenchmarkParseStacks50Threads(b *testing.B) {
	frame := `[0,17,"chat"]`
	thread := `{"id":5,"tid":7,"name":"worker","cut":0,"frames":[` + strings.TrimSuffix(strings.Repeat(frame+",", 30), ",") + `]}`
	text := []byte(`{"stacks":1,"pid":7,"threads":[` + strings.TrimSuffix(strings.Repeat(thread+",", 50), ",") + `],"cut":0,"tasks":[],"cut_tasks":0,"files":["/b/main.py"]}` + "\n")
	for b.Loop() {
		if _, err := ParseStacks(text); err != nil {
			b.Fatal(err)
		}
	}
}

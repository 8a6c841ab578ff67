package page

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// shown is stacks as text: own frames with an arrow.
func shown(all []stack) string {
	var b strings.Builder
	for _, s := range all {
		b.WriteString(s.Title + "\n")
		for _, f := range s.Frames {
			mark := " "
			if f.Own {
				mark = "→"
			}
			fmt.Fprintf(&b, "%s %s:%s %s", mark, f.File, f.Line, f.Function)
			if f.Code != "" {
				fmt.Fprintf(&b, " | %s", strings.ReplaceAll(f.Code, "\n", " / "))
			}
			b.WriteByte('\n')
		}
		if s.End != "" {
			b.WriteString("= " + s.End + "\n")
		}
	}
	return b.String()
}

func ownIn(dir string) func(string) bool {
	return func(file string) bool { return crash.Own(dir, file) }
}

func TestTheStackOfTheEndIsRead(t *testing.T) {
	for _, c := range []struct {
		name, tail string
		deciding   int
		want       string
	}{
		{"a traceback, own frames told from others'", `INFO: started
Traceback (most recent call last):
  File "/b/main.py", line 7, in <module>
    load()
    ~~~~^^
  File "/b/.venv/lib/python3.12/site-packages/torch/hub.py", line 9, in load
    raise ValueError(x)
ValueError: no
bye`, -1, `Traceback (most recent call last)
→ /b/main.py:7 <module> | load()
  /b/.venv/lib/python3.12/site-packages/torch/hub.py:9 load | raise ValueError(x)
= ValueError: no
`},
		{"a chain", `Traceback (most recent call last):
  File "/b/a.py", line 1, in a
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/b/b.py", line 2, in b
ValueError: y`, -1, `Traceback (most recent call last)
→ /b/a.py:1 a
= KeyError: 'x'
Traceback (most recent call last)
→ /b/b.py:2 b
= ValueError: y
`},
		{"the last of two that have nothing to do with each other", `Traceback (most recent call last):
  File "/b/a.py", line 1, in a
KeyError: 'x'
INFO: 500
Traceback (most recent call last):
  File "/b/b.py", line 2, in b
ValueError: y`, -1, `Traceback (most recent call last)
→ /b/b.py:2 b
= ValueError: y
`},
		{"the one that the verdict points to", `Traceback (most recent call last):
  File "/b/a.py", line 1, in a
KeyError: 'x'
INFO: shutting down
Traceback (most recent call last):
  File "/b/b.py", line 2, in b
CancelledError`, 2, `Traceback (most recent call last)
→ /b/a.py:1 a
= KeyError: 'x'
`},
		{"faulthandler, all threads", `Fatal Python error: Segmentation fault

Thread 0x000000016f5c7000 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 324 in wait

Current thread 0x00000001f1d3c240 [python] (most recent call first):
  File "main.py", line 31 in search
  File "<frozen runpy>", line 198 in _run_module_as_main

Extension modules: numpy (total: 1)`, 0, `Current thread 0x00000001f1d3c240 [python] (most recent call first)
→ main.py:31 search
  <frozen runpy>:198 _run_module_as_main
Thread 0x000000016f5c7000 (most recent call first)
  /usr/lib/python3.11/threading.py:324 wait
`},
		{"an exception group", `  + Exception Group Traceback (most recent call last):
  |   File "/b/a.py", line 1, in a
  |     go()
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/b/b.py", line 2, in b
    | ValueError: y
    +------------------------------------`, -1, `Traceback (most recent call last)
→ /b/b.py:2 b
= ValueError: y
`},
		{"recursion", `Traceback (most recent call last):
  File "/b/a.py", line 1, in a
    a()
  [Previous line repeated 978 more times]
RecursionError: maximum recursion depth exceeded`, -1, `Traceback (most recent call last)
→ /b/a.py:1 a | a() / [Previous line repeated 978 more times]
= RecursionError: maximum recursion depth exceeded
`},
		{"a stack that is cut short", "Traceback (most recent call last):\n  File \"/b/a.py\", line 1, in a", -1, "Traceback (most recent call last)\n→ /b/a.py:1 a\n"},
		{"a logged one", "ERROR 12:00 Traceback (most recent call last):\n  File \"/b/a.py\", line 1, in a\nValueError", -1,
			"ERROR 12:00 Traceback (most recent call last)\n→ /b/a.py:1 a\n= ValueError\n"},
		{"a header and no stack", "Traceback (most recent call last):\nnothing", -1, ""},
		{"no stack", "INFO: all is well", -1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, shown(stacks(strings.Split(c.tail, "\n"), c.deciding, ownIn("/b"))))
		})
	}
}

func TestWhatCalledTheUsersCodeIsFoldedAndWhatItCalledIsNot(t *testing.T) {
	frames := func(own int) []pythonFrame {
		all := make([]pythonFrame, 30)
		if own >= 0 {
			all[own].Own = true
		}
		return all
	}
	for _, c := range []struct {
		title         string
		own           int
		shown, folded int
	}{
		{"Current thread 0x1 (most recent call first)", 4, 7, 23}, {"Traceback (most recent call last)", 25, 7, 23},
		{"Current thread 0x1 (most recent call first)", 25, 30, 0}, {"Traceback (most recent call last)", 4, 30, 0},
		{"Current thread 0x1 (most recent call first)", -1, fewFrames, 30 - fewFrames}, {"Traceback (most recent call last)", -1, fewFrames, 30 - fewFrames},
	} {
		s := stack{Title: c.title, Frames: frames(c.own)}
		require.Len(t, s.Shown(), c.shown, c.title)
		require.Len(t, s.Callers(), c.folded, c.title)
		for _, f := range s.Callers() {
			require.False(t, f.Own)
		}
	}
	require.Len(t, stack{Title: "Traceback (most recent call last)", Frames: frames(0)[:3]}.Shown(), 3)
}

func TestAReportOfManyThreadsIsCutAndKeepsThoseThatMatter(t *testing.T) {
	var tail []string
	for i := range 40 {
		who := "Thread"
		if i == 39 {
			who = "Current thread"
		}
		file := "/usr/lib/python3.11/threading.py"
		if i == 20 {
			file = "/b/main.py"
		}
		tail = append(tail, fmt.Sprintf("%s 0x%04x (most recent call first):", who, i), fmt.Sprintf("  File %q, line 1 in a", file), "")
	}
	all := stacks(tail, -1, ownIn("/b"))
	require.Len(t, all, mostStacks)
	require.Equal(t, "Current thread 0x0027 (most recent call first)", all[0].Title)
	require.Equal(t, "Thread 0x0014 (most recent call first)", all[1].Title, "then the one in the user's own code")
}

func FuzzAnyTailHasStacksThatLieInIt(f *testing.F) {
	f.Add("Traceback (most recent call last):\n  File \"a\", line 1, in b\n    c\nE: x\nThread 0x1 (most recent call first):\n  File \"a\", line 1 in b", 2)
	f.Add("  + Exception Group Traceback (most recent call last):\n  |   File \"a\", line 1, in b", 0)
	f.Fuzz(func(t *testing.T, text string, deciding int) {
		tail := strings.Split(text, "\n")
		for _, s := range stacks(tail, deciding, ownIn("/b")) {
			require.NotEmpty(t, s.Frames)
			require.True(t, s.from >= 0 && s.from < s.to && s.to < len(tail))
		}
	})
}

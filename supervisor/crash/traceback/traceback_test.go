package traceback

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// last is the last exception in a text.
func last(t *testing.T, text string) Exception {
	t.Helper()
	found := Find(strings.Split(text, "\n"))
	require.NotEmpty(t, found)
	return found[len(found)-1]
}

func TestAnExceptionIsFoundInEveryForm(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string // the last line of the text names it
		form       Form
		frames     int
	}{
		"plain":                               {"Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    f()\n    ^^^\n  File \"a.py\", line 9, in f\nValueError: no", "ValueError: no", Plain, 2},
		"without a message":                   {"Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nKeyError", "KeyError", Plain, 1},
		"of a local class":                    {"Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n__main__.f.<locals>.Odd: x", "__main__.f.<locals>.Odd: x", Plain, 1},
		"repeated frames":                     {"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    f()\n  [Previous line repeated 996 more times]\nRecursionError: deep", "RecursionError: deep", Plain, 1},
		"without indentation":                 {"Traceback (most recent call last):\nFile \"a.py\", line 1, in\nimport b\nFile \"b.py\", line 2, in\nraise OddError(\nOddError: x", "OddError: x", Plain, 2},
		"source that looks like an exception": {"Traceback (most recent call last):\nFile \"a.py\", line 1, in f\nFooError: int\nFile \"a.py\", line 4, in g\nraise x\nValueError: no", "ValueError: no", Plain, 2},
		"cut":                                 {"    g()\n  File \"a.py\", line 9, in f\n    raise x\nsocket.timeout: timed out", "socket.timeout: timed out", Cut, 1},
		"loguru":                              {"Traceback (most recent call last):\n\n> File \"a.py\", line 22, in <module>\n    main()\n    └ <function main>\n\n  File \"a.py\", line 17, in main\n    x\n    │ └ 7\n\nTypeError: bad", "TypeError: bad", Plain, 2},
		"rich":                                {"╭── Traceback (most recent call last) ──╮\n│ /b/a.py:3 in f                        │\n│                                       │\n│ ❱ 3 x: y in z                         │\n╰───────────────────────────────────────╯\nTypeError: bad", "TypeError: bad", Box, 1},
		"rich in ASCII":                       {"+-- Traceback (most recent call last) --+\n| /b/a.py:3 in f                        |\n+---------------------------------------+\nTypeError: bad", "TypeError: bad", Box, 1},
		"rich, a long path":                   {"╭── Traceback (most recent call last) ──╮\n│ /b/very/long/folder/name/             │\n│ a.py:3 in f                           │\n╰───────────────────────────────────────╯\nTypeError: bad", "TypeError: bad", Box, 1},
		"rich, indented":                      {"    ╭── Traceback (most recent call last) ──╮\n    │ /b/a.py:3 in f                        │\n    ╰───────────────────────────────────────╯\n    TypeError: bad", "TypeError: bad", Box, 1},
		"IPython":                             {"TypeError                Traceback (most recent call last)\nCell In[4], line 2\n----> 2 f()\n\nFile /b/a.py:3, in f(x)\n      1 def f(x):\n\nTypeError: bad", "TypeError: bad", Notebook, 2},
		"VS Code":                             {"Exception has occurred: TypeError\nbad\n  File \"b.py\", line 3, in g\n    x\n  File \"a.py\", line 1, in f\nTypeError: bad", "TypeError: bad", Debugger, 2},
		"structlog":                           {`{"event": "x", "level": "error", "exception": [{"exc_type": "TypeError", "exc_value": "bad", "frames": [{"filename": "a.py", "lineno": 3, "name": "f"}]}]}`, "TypeError: bad", Record, 1},
		"a text in JSON":                      {`{"levelname": "ERROR", "exc_info": "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nTypeError: bad"}`, "TypeError: bad", Record, 1},
		"ECS":                                 {`{"log.level": "error", "error.type": "TypeError", "error.message": "bad"}`, "TypeError: bad", Record, 0},
		"after unfinished output":             {"Loading ... Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nTypeError: bad", "TypeError: bad", Plain, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := last(t, c.text)
			require.Equal(t, c.want, e.Text)
			require.Equal(t, c.form, e.Form)
			require.Len(t, e.Frames, c.frames)
			require.Equal(t, strings.Count(c.text, "\n"), e.Line)
		})
	}
}

func TestFramesStandOutermostFirst(t *testing.T) {
	e := last(t, "Exception has occurred: TypeError\nbad\n  File \"b.py\", line 3, in g\n  File \"a.py\", line 1, in f\nTypeError: bad")
	require.Equal(t, "a.py", e.Frames[0].File)
	require.Equal(t, Frame{"b.py", "3", "g", 2}, e.Frames[1])
	require.Equal(t, Frame{"/b/very/long/name/a.py", "3", "f", 2}, last(t, "╭── Traceback (most recent call last) ──╮\n│ /b/very/long/name/                    │\n│ a.py:3 in f                           │\n╰──────╯\nTypeError: bad").Frames[0])
}

func TestAMessageOfManyLinesBelongsToItsException(t *testing.T) {
	e := last(t, "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nValidationError: 1 error for S\nkey\n  Field required\nINFO:     next")
	require.Equal(t, "ValidationError: 1 error for S\nkey\n  Field required", e.Text)
	require.Equal(t, 5, e.End)
	e = last(t, "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nImportError: \nA module that was compiled\nwith another one")
	require.Equal(t, "ImportError:\nA module that was compiled\nwith another one", e.Text)
}

func TestAChainKnowsWhatItWasRaisedFrom(t *testing.T) {
	one, two := "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nKeyError: 'a'\n\n", "Traceback (most recent call last):\n  File \"a.py\", line 5, in f\nValueError: b"
	e := last(t, "starting\n"+one+"The above exception was the direct cause of the following exception:\n\n"+two)
	require.Equal(t, "ValueError: b", e.Text)
	require.True(t, e.Direct)
	require.Equal(t, "KeyError: 'a'", e.Cause.Text)
	require.Equal(t, 1, e.Start)
	require.Equal(t, "starting", e.Intro)
	e = last(t, one+"During handling of the above exception, another exception occurred:\n\n"+two)
	require.False(t, e.Direct)
	require.NotNil(t, e.Cause)
	require.Len(t, Find(strings.Split(one+two, "\n")), 2, "they stand one after the other, and are no chain")
}

func TestAGroupKnowsItsLeaves(t *testing.T) {
	text := `ERROR:      + Exception Group Traceback (most recent call last):
  |   File "a.py", line 3, in main
  |     async with TaskGroup() as g:
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: never raised
    +---------------- 2 ----------------
    | Exception Group Traceback (most recent call last):
    |   File "a.py", line 9, in inner
    | ExceptionGroup: one (1 sub-exception)
    +-+---------------- 1 ----------------
      | Traceback (most recent call last):
      |   File "a.py", line 12, in f
      |     raise KeyError("a")
      | KeyError: 'a'
      +------------------------------------
after`
	found := Find(strings.Split(text, "\n"))
	require.Len(t, found, 1)
	require.Equal(t, "ExceptionGroup: two (2 sub-exceptions)", found[0].Text)
	require.Equal(t, "ERROR:", found[0].Prefix)
	require.Len(t, found[0].Leaves, 2)
	require.Equal(t, "ValueError: never raised", found[0].Leaves[0].Text)
	require.Equal(t, "KeyError: 'a'", found[0].Leaves[1].Text)
	require.Equal(t, "12", found[0].Leaves[1].Frames[0].Line)
	require.Equal(t, 16, found[0].End)
}

func TestWhatIsNoExceptionIsNotFound(t *testing.T) {
	for _, text := range []string{
		"", "Traceback (most recent call last):", "Traceback (most recent call last):\n  File \"a.py\", line 3, in f", "ValueError: alone",
		"C++ Traceback (most recent call last):\n0   paddle::f()\nError: x", "  File \"a.py\", line 3, in f\nthe end", `{"event": "x", "type": "request", "value": "y"}`,
		`{"exception": `, "Traceback (most recent call last) was what he said", "╭── Traceback (most recent call last) ──╮\n│ /b/a.py:3 in f │",
	} {
		require.Empty(t, Find(strings.Split(text, "\n")), "%q", text)
	}
}

func FuzzFind(f *testing.F) {
	files, err := filepath.Glob("../testdata/verdicts/*.txt")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for _, e := range Find(lines) {
			if e.Line < 0 || e.Line >= len(lines) || e.Start < 0 || e.Start > e.Line || e.End <= e.Line || e.End > len(lines) || e.Name == "" || e.Text == "" {
				t.Fatalf("%+v", e)
			}
		}
	})
}

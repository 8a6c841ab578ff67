package recorder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARecordedExceptionReadsAsPythonPrintsIt(t *testing.T) {
	cause := &Raised{Type: "KeyError", Module: "builtins", Message: "'a'", Frames: []Frame{{"/b/main.py", 2, "inner"}}}
	r := &Raised{
		Type: "StoreError", Module: "store", Message: "it is broken\nsecond line", Notes: []string{"a note"},
		Frames: []Frame{{"/b/main.py", 9, "<module>"}, {"/b/main.py", 5, "load"}}, Cause: cause,
	}
	require.Equal(t, strings.TrimPrefix(`
Traceback (most recent call last):
  File "/b/main.py", line 2, in inner
KeyError: 'a'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/b/main.py", line 9, in <module>
  File "/b/main.py", line 5, in load
store.StoreError: it is broken
second line
a note`, "\n"), strings.Join(r.Traceback(), "\n"))
}

func TestAGroupReadsAsPythonPrintsIt(t *testing.T) {
	r := &Raised{
		Type: "ExceptionGroup", Module: "builtins", Message: "unhandled (2 sub-exceptions)", Frames: []Frame{{"/b/main.py", 9, "<module>"}},
		Group: []*Raised{
			{Type: "ValueError", Module: "builtins", Message: "one", Frames: []Frame{{"/b/main.py", 3, "a"}}},
			{Type: "OSError", Module: "builtins", Frames: []Frame{{"/b/main.py", 4, "b"}}},
		},
	}
	require.Equal(t, strings.TrimPrefix(`
  + Exception Group Traceback (most recent call last):
  |   File "/b/main.py", line 9, in <module>
  | ExceptionGroup: unhandled (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/b/main.py", line 3, in a
    | ValueError: one
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/b/main.py", line 4, in b
    | OSError
    +------------------------------------`, "\n"), strings.Join(r.Traceback(), "\n"))
}

func TestASyntaxErrorNamesItsFile(t *testing.T) {
	r := &Raised{Type: "SyntaxError", Module: "builtins", Message: "invalid syntax", File: "/b/main.py", Line: 4}
	require.Equal(t, []string{`  File "/b/main.py", line 4`, "SyntaxError: invalid syntax"}, r.Traceback())
}

func TestATracebackIsBounded(t *testing.T) {
	r := &Raised{Type: "E", Message: strings.Repeat("x\n", 5000)}
	for n := range 5000 {
		r.Frames = append(r.Frames, Frame{"/b/main.py", n, fmt.Sprint(n)})
	}
	require.LessOrEqual(t, len(r.Traceback()), mostRaisedLines)
}

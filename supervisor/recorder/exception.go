package recorder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const maxExceptions = 1 << 20

// Exception is one exception that nobody caught, as Python had it before any hook made text of it. What it says is the program's own words: it
// must be masked before a person sees it.
type Exception struct {
	PID    int
	Main   bool   // in the main thread
	Thread string // the name of the other thread
	Error  Raised
}

// Raised is an exception object.
type Raised struct {
	Type    string `json:"type"`   // qualified in its module
	Module  string `json:"module"` // "builtins" for Python's own
	Message string `json:"message"`
	Notes   []string
	Frames  []Frame // the innermost comes last, as in a traceback; the middle of long ones is missing
	File    string  // of a SyntaxError
	Line    int
	Cause   *Raised   // raised from it
	Context *Raised   // raised while it was handled
	Group   []*Raised // the members of an exception group
}

// Name is the type as a traceback has it: "ValueError", "httpx.ConnectError".
func (r *Raised) Name() string {
	if r.Module == "" || r.Module == "builtins" || r.Module == "__main__" {
		return r.Type
	}
	return r.Module + "." + r.Type
}

// wireRaised is the object as it is written.
type wireRaised struct {
	Type    string        `json:"type"`
	Module  string        `json:"module"`
	Message string        `json:"message"`
	Notes   []string      `json:"notes"`
	Frames  []namedFrame  `json:"frames"`
	File    string        `json:"file"`
	Line    int           `json:"line"`
	Cause   *wireRaised   `json:"cause"`
	Context *wireRaised   `json:"context"`
	Group   []*wireRaised `json:"group"`
}

// namedFrame is [file, line, function] with the file's name.
type namedFrame Frame

func (f *namedFrame) UnmarshalJSON(text []byte) error {
	parts := []any{&f.File, &f.Line, &f.Function}
	return json.Unmarshal(text, &parts)
}

func (w *wireRaised) raised(depth int) *Raised {
	if w == nil || depth > 32 {
		return nil
	}
	r := &Raised{Type: w.Type, Module: w.Module, Message: w.Message, Notes: w.Notes, File: w.File, Line: max(0, w.Line)}
	for _, f := range w.Frames {
		f.Line = max(0, f.Line)
		r.Frames = append(r.Frames, Frame(f))
	}
	r.Cause, r.Context = w.Cause.raised(depth+1), w.Context.raised(depth+1)
	for _, m := range w.Group {
		if m := m.raised(depth + 1); m != nil {
			r.Group = append(r.Group, m)
		}
	}
	return r
}

// ParseExceptions reads a file of exceptions, the oldest first. Lines that are not whole are passed over.
func ParseExceptions(text []byte) []Exception {
	var all []Exception
	for line := range bytes.Lines(text[:min(len(text), maxExceptions)]) {
		var w struct {
			PID       int         `json:"pid"`
			Main      bool        `json:"main"`
			Thread    string      `json:"thread"`
			Exception *wireRaised `json:"exception"`
		}
		if line[len(line)-1] != '\n' || json.Unmarshal(line, &w) != nil || w.Exception == nil || w.Exception.Type == "" || w.PID <= 0 {
			continue
		}
		all = append(all, Exception{PID: w.PID, Main: w.Main, Thread: w.Thread, Error: *w.Exception.raised(0)})
	}
	return all
}

// Exceptions are those that a process of a run has recorded, and when the last one was written. There are none if it recorded none.
func Exceptions(runFolder string, pid int) (all []Exception, written time.Time, err error) {
	f, info, err := open(filepath.Join(runFolder, strconv.Itoa(pid)+exceptionsSuffix), os.O_RDONLY)
	if os.IsNotExist(err) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("reading recorded exceptions: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxExceptions))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("reading recorded exceptions: %w", err)
	}
	return ParseExceptions(text), info.ModTime(), nil
}

// End is what is known of how a process ended.
type End struct {
	PID    int
	Known  bool // somebody saw the exit status
	Code   int
	Signal string
	Asked  bool // we ended it
	At     time.Time
}

// soon is how long after its last exception a process may end of it: non-daemon threads, exit handlers and open connections come first.
const soon = 5 * time.Second

// Decides says whether the last of the exceptions is why the process ended. It is if it was the main thread's, of that very process, and
// the process ended by itself with status 1 within seconds. Any other is context: a program may survive what Python prints.
func Decides(all []Exception, written time.Time, end End) (Exception, bool) {
	if len(all) == 0 || !end.Known || end.Asked || end.Code != 1 || end.Signal != "" {
		return Exception{}, false
	}
	last := all[len(all)-1]
	since := end.At.Sub(written)
	// The file's time has the grain of the system's clock tick.
	if last.PID != end.PID || !last.Main || since < -100*time.Millisecond || since > soon {
		return Exception{}, false
	}
	return last, true
}

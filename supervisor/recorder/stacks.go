package recorder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// What the Python file writes at most, and what is read.
const (
	maxAnswer  = 16 << 20
	maxThreads = 512
	maxFrames  = 100
	maxTasks   = 100
)

// Frame is one call: the innermost of a thread comes first.
type Frame struct {
	File     string
	Line     int
	Function string // qualified from Python 3.11 on: "Store.add", "make.<locals>.chat"
}

// Thread is one thread of Python. TID is the system's number of it, 0 if it is not known.
type Thread struct {
	ID     uint64
	TID    int
	Name   string
	Main   bool
	Frames []Frame
	Cut    int // outer frames that were left out
}

// Stacks is what a process does at one moment.
type Stacks struct {
	PID     int
	Threads []Thread // the main thread first, if it is known
	Cut     int      // threads that were left out
	// Tasks are the suspended coroutines of asyncio's tasks, from Python 3.14 on of the loop that runs in the main thread.
	Tasks    [][]Frame
	CutTasks int
	// Raw: it comes from faulthandler, which knows no names, and of more than a hundred threads shows the newest.
	Raw bool
}

// header is the first line of a file of stacks.
type header struct {
	Recorder int    `json:"recorder"`
	PID      int    `json:"pid"`
	FD       int    `json:"fd"`   // the descriptor of the file in that process
	Dump     int    `json:"dump"` // the signal of a raw dump, 0 if there is none
	Python   string `json:"python"`
	size     int64  // with its line end
}

var errNoHeader = errors.New("no recorder wrote this file")

func parseHeader(text []byte) (header, error) {
	line, _, whole := bytes.Cut(text, []byte("\n"))
	h := header{}
	if !whole || len(line) > 4<<10 {
		return h, errNoHeader
	}
	if err := json.Unmarshal(line, &h); err != nil || h.Recorder != 1 || h.PID <= 0 || h.FD < 0 || h.Dump < 0 || h.Dump > 64 {
		return header{}, errNoHeader
	}
	h.size = int64(len(line)) + 1
	return h, nil
}

// answer is a line of stacks. Frames name their file by its place in Files.
type answer struct {
	Stacks  int `json:"stacks"`
	PID     int `json:"pid"`
	Threads []struct {
		ID     uint64      `json:"id"`
		TID    int         `json:"tid"`
		Name   string      `json:"name"`
		Cut    int         `json:"cut"`
		Frames []wireFrame `json:"frames"`
	} `json:"threads"`
	Cut   int `json:"cut"`
	Tasks []struct {
		Frames []wireFrame `json:"frames"`
	} `json:"tasks"`
	CutTasks int      `json:"cut_tasks"`
	Files    []string `json:"files"`
}

// wireFrame is [file, line, function].
type wireFrame struct {
	file, line int
	function   string
}

// errFrame says that a frame is not [file, line, function].
var errFrame = errors.New("a frame has a file, a line and a function")

// UnmarshalJSON takes the three parts apart by itself: there are thousands of frames, and a slice of any for each is slow.
func (f *wireFrame) UnmarshalJSON(text []byte) error {
	text = bytes.TrimSpace(text)
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return errFrame
	}
	file, rest, ok := bytes.Cut(text[1:len(text)-1], []byte(","))
	line, name, also := bytes.Cut(rest, []byte(","))
	if !ok || !also {
		return errFrame
	}
	var err, lineErr error
	f.file, err = strconv.Atoi(string(bytes.TrimSpace(file)))
	f.line, lineErr = strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil || lineErr != nil {
		return errFrame
	}
	if name = bytes.TrimSpace(name); len(name) >= 2 && name[0] == '"' && !bytes.ContainsAny(name[1:len(name)-1], "\"\\") && utf8.Valid(name) {
		f.function = string(name[1 : len(name)-1])
		return nil
	}
	return json.Unmarshal(name, &f.function)
}

// errNoAnswer says that there is no whole line of stacks.
var errNoAnswer = errors.New("no stacks are written")

// ParseStacks reads the last whole answer in a file of stacks. Lines that are none are passed over: a raw dump may be among them.
func ParseStacks(text []byte) (Stacks, error) {
	if len(text) > maxAnswer {
		return Stacks{}, fmt.Errorf("reading stacks: %d bytes are too many", len(text))
	}
	for len(text) > 0 {
		end := bytes.LastIndexByte(text, '\n')
		if end < 0 {
			break
		}
		begin := bytes.LastIndexByte(text[:end], '\n') + 1
		line := text[begin:end]
		text = text[:begin]
		if !bytes.HasPrefix(line, []byte(`{"stacks":`)) {
			continue
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return Stacks{}, fmt.Errorf("reading stacks: %w", err)
		}
		return a.stacks(), nil
	}
	return Stacks{}, errNoAnswer
}

func (a *answer) stacks() Stacks {
	s := Stacks{PID: a.PID, Cut: max(0, a.Cut), CutTasks: max(0, a.CutTasks)}
	for i, t := range a.Threads {
		if i == maxThreads {
			s.Cut += len(a.Threads) - maxThreads
			break
		}
		s.Threads = append(s.Threads, Thread{ID: t.ID, TID: max(0, t.TID), Name: t.Name, Main: i == 0, Cut: max(0, t.Cut), Frames: a.frames(t.Frames)})
	}
	for i, t := range a.Tasks {
		if i == maxTasks {
			s.CutTasks += len(a.Tasks) - maxTasks
			break
		}
		s.Tasks = append(s.Tasks, a.frames(t.Frames))
	}
	return s
}

func (a *answer) frames(wire []wireFrame) []Frame {
	frames := make([]Frame, 0, min(len(wire), maxFrames))
	for _, f := range wire[:min(len(wire), maxFrames)] {
		frame := Frame{Line: max(0, f.line), Function: f.function}
		if f.file >= 0 && f.file < len(a.Files) {
			frame.File = a.Files[f.file]
		}
		frames = append(frames, frame)
	}
	return frames
}

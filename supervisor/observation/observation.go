// Package observation takes a few samples of what the processes of a run do, has them judged, and tells the stacks in a form for people and
// programs. It asks through the recorder and judges by stall; it knows no supervisor, no notices and no pages, and it decides nothing. Begin
// with Take.
package observation

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// Observation is what a run did within a second.
type Observation struct {
	At        time.Time   `json:"at"`
	Run       string      `json:"run"`
	Stall     stall.Stall `json:"stall"`
	PID       int         `json:"pid"` // of the process that the stall is of
	Processes []Process   `json:"processes"`
}

// Process is one process of the run at the last sample.
type Process struct {
	PID     int      `json:"pid"`
	Name    string   `json:"name,omitempty"`
	Worker  bool     `json:"worker,omitempty"`
	CPU     float64  `json:"cpu"` // cores used between the first sample and the last
	Threads []Thread `json:"threads"`
	Cut     int      `json:"cut,omitempty"` // threads that are not shown
	Tasks   []Thread `json:"tasks,omitempty"`
	Silent  bool     `json:"silent,omitempty"`  // its main thread ran no Python for a second
	Stopped bool     `json:"stopped,omitempty"` // by a signal or a debugger
	Problem string   `json:"problem,omitempty"` // why its stacks are not known, or not whole
}

// Thread is one thread, or several in the same frames.
type Thread struct {
	ID     uint64  `json:"id"`
	Name   string  `json:"name,omitempty"`
	Main   bool    `json:"main,omitempty"`
	Count  int     `json:"count"` // threads in these very frames
	Frames []Frame `json:"frames"`
	Cut    int     `json:"cut,omitempty"` // outer frames that are not shown
}

// Frame is one call: the innermost of a thread comes first.
type Frame struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Function string `json:"function,omitempty"`
	Own      bool   `json:"own,omitempty"` // the person's own code
}

// Known says whether anything was seen at all.
func (o Observation) Known() bool { return o.Stall.Kind != "" }

// Package crash is all that Vivarium knows of why Python died: the verdict from the evidence. It is pure: nothing is started here, and
// everything macOS-specific takes the operating system as an argument, so that it is tested on Linux. Below it are what it reads with, none of
// which knows a cause: paste takes a text apart, traceback finds exceptions, report reads macOS's crash reports, mask takes secrets out; and
// environment, in which Python does not die. Begin with Judge, the one judge of a live end and of a text of elsewhere; the rules are in
// verdict.go, in their order.
package crash

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// Evidence is what is known of an ended run.
type Evidence struct {
	Code   int           // exit code; meaningful if Signal is empty and Known
	Signal string        // "SIGSEGV", or "" if the process exited by itself
	Known  bool          // false: nobody saw the exit status
	Asked  bool          // a person or Vivarium asked for the end
	Uptime time.Duration // how long the run lived
	Tail   []string      // the last lines of output, oldest first
	Raised []string      // the uncaught exception that ended it, as a traceback; it counts if the output does not show it
	Port   int           // the port the backend was to listen on, 0 for none

	Python  string // the interpreter's path, "" unknown
	Install string // the command that installs a package into its environment. If "", it is made from Python
	// All is the command that installs everything that the project declares, and Declares are the names of that, in lower case; "" if unknown.
	All      string
	Declares []string
	Hung     bool // it was ended because it no longer answered
	Worker   bool // a worker of the run ended, not the run: Code, Signal and Known say nothing
	// Foreign: Vivarium never ran it. How it ended may be read from the words around its output, a crash report in them counts, and no remedy
	// names vivarium.toml.
	Foreign bool

	App       string           // whom macOS holds to account for the server, see Responsible; "": Vivarium
	OS        string           // GOOS of the machine it died on; "" for this one
	Dir       string           // the backend's folder: code below it, and outside of site-packages, is the user's own
	OpenMP    []openmp.Runtime // the copies in its environment
	Loaded    []string         // paths of the OpenMP images that were mapped just before the end
	Missing   []string         // variables of the crash environment that did not arrive
	Memory    Memory           // the system's word on memory; the zero Memory if it said nothing
	Report    *report.Report   // the system's crash report; nil if there is none, or none yet
	PortOwner string           // who has the port now, for a person: "node (PID 12)"; "" unknown

	told bool // the status is from the words around the output
}

// Memory is what the system says about the memory of an ended run.
type Memory struct {
	OOM    bool   `json:"oom"`             // the system ended a process of the run because memory ran out
	Source string `json:"source"`          // "cgroup", "kernel log", "JetsamEvent"
	Limit  uint64 `json:"limit,omitempty"` // bytes the run was allowed; 0 without a limit, or unknown
	Peak   uint64 `json:"peak,omitempty"`  // bytes that were used at most; 0 unknown
	Last   uint64 `json:"last,omitempty"`  // bytes that the whole run used when it was last measured; 0 unknown
}

// Kind is the machine-readable name of a cause, as in "openmp-duplicate". Kinds are listed in verdict.go.
type Kind string

// Verdict is why a run ended.
type Verdict struct {
	Kind    Kind   `json:"kind"`
	Summary string `json:"summary"` // one sentence, for a notice's title and the menu
	Remedy  string `json:"remedy"`  // one remedy; may be empty where none is honest
	Line    string `json:"line"`    // the line of output that decided, or ""
	// Confidence says how sure that is where it is not certain: "almost certainly", "probably". The summary has the same words.
	Confidence string `json:"confidence,omitempty"`
}

// OfReport is what a report alone tells of an end: the signal, how long it lived, and of a JetsamEvent that memory ran out. pid is the
// process that is asked about, 0 for the only Python that a JetsamEvent names.
func OfReport(r *report.Report, pid int) Evidence {
	e := Evidence{Signal: r.Ended(), OS: "darwin", Report: r}
	e.Known = e.Signal != ""
	if r.Captured.After(r.Launched) && !r.Launched.IsZero() {
		e.Uptime = r.Captured.Sub(r.Launched)
	}
	if r.Jetsam == nil {
		return e
	}
	e.Report, e.Known = nil, false
	if p, ok := r.Jetsam.Process(pid); ok {
		e.Known, e.Signal = true, "SIGKILL"
		e.Memory = Memory{OOM: true, Source: "JetsamEvent", Peak: p.Peak}
	}
	return e
}

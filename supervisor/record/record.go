// Package record is what is kept of a backend on disk and must outlive the app: the record of each death and stall, what is wanted (want.json), and
// the tally of the day. Begin with Record and Saved. It holds values and files; it must not decide anything about them.
package record

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/crash/report"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// Record is all that is known of one death: of a run, or of a worker of one. It is kept as JSON in the backend's state folder, and
// whoever hears of it may put a page beside it (see Page). Nothing in it is a secret: lines of output are masked, and of the
// environment there are names, and values of the crash environment alone. Slices and maps in it are never changed after it was sent.
type Record struct {
	Death
	Backend string `json:"backend"` // its name
	Dir     string `json:"dir"`     // its folder, links resolved
	Log     string `json:"log"`     // absolute path
	PID     int    `json:"pid,omitempty"`
	Known   bool   `json:"known"`           // somebody saw the exit status: Signal and Code mean something
	Asked   bool   `json:"asked,omitempty"` // somebody asked for the end, by way of Vivarium
	Away    bool   `json:"away,omitempty"`  // it happened while no app was there

	Tail    []string `json:"tail,omitempty"`    // the last lines of output, oldest first, masked
	Samples []Sample `json:"samples,omitempty"` // of the last 15 minutes, oldest first; earlier runs of the backend included
	Health  Health   `json:"health,omitzero"`   // the last result of the probe before the end

	Env      []environment.Var `json:"env,omitempty"`       // the crash environment as applied
	EnvNames []string          `json:"env_names,omitempty"` // of all variables, sorted
	Missing  []string          `json:"missing,omitempty"`   // of the crash environment: what did not arrive in the process
	Versions map[string]string `json:"versions,omitempty"`  // "Python", "macOS" or "Linux", "Vivarium", and the packages that matter ("torch")

	OpenMP []openmp.Runtime `json:"openmp,omitempty"` // the copies in the environment
	Loaded []string         `json:"loaded,omitempty"` // paths of the OpenMP images that were mapped just before the end
	Memory crash.Memory     `json:"memory,omitzero"`  // the system's word on memory
	// Programs are the largest other programs just after a death for want of memory, or one that may be: names and sizes.
	Programs []memory.Program `json:"programs,omitempty"`
	// ReportFile is the system's own report on this death, a crash report or a JetsamEvent; "" if none was found.
	ReportFile string         `json:"report_file,omitempty"`
	Report     *report.Report `json:"report,omitempty"`

	Stall  *stall.Stall `json:"stall,omitempty"`  // why it did not answer, if it hung and was ended
	Stacks []string     `json:"stacks,omitempty"` // what its threads did then, as text, masked
	// Native is where the native code of its main thread was then, on a Mac, the innermost call first: "__kmp_suspend_64 (libomp.dylib)".
	Native []string `json:"native,omitempty"`
	// Raised is the exception that nobody caught, as the recorder had it, in the form of a traceback, masked; empty if there was none, or if the
	// output has it.
	Raised []string `json:"raised,omitempty"`

	PortOwner string `json:"port_owner,omitempty"` // who has the port now, for a person: "node (PID 12)"; only where that is the question
	Amended   bool   `json:"amended,omitempty"`    // evidence that came later changed the verdict

	File string `json:"-"` // where it is kept, absolute; "" if it could not be written
}

// Phase is what the health probe thinks of a run.
type Phase string

// The phases. Busy, hung, misconfigured and wrong-answer are the ways to be unhealthy.
const (
	PhaseNone     Phase = ""
	PhaseStarting Phase = "starting"
	PhaseOK       Phase = "ok"
	PhaseBusy     Phase = "busy"
	PhaseHung     Phase = "hung"
	// PhaseMisconfigured: it works, and is asked where it does not answer, or not well. It is never ended for it.
	PhaseMisconfigured Phase = "misconfigured"
	// PhaseWrongAnswer: it answered well before, and now says that something is wrong with it.
	PhaseWrongAnswer Phase = "wrong-answer"
	// PhaseWedged: its health check is good, and its real work fails.
	PhaseWedged Phase = "wedged"
)

// Health is the latest word of the health probe.
type Health struct {
	Phase    Phase         `json:"phase"`
	Latency  time.Duration `json:"latency"`           // ns; of the last good answer
	Good     time.Time     `json:"good,omitzero"`     // when the last good answer came; zero if none came in this run
	Failures int           `json:"failures"`          // in a row
	Problem  string        `json:"problem,omitempty"` // why the last probe failed, for a person; "" after a good one
}

// Sample is how a run was at one moment: what the loop measured anyway, at most one for five seconds.
type Sample struct {
	At      time.Time     `json:"at"`
	CPU     float64       `json:"cpu"`     // share of one core: 1 is one core
	Memory  uint64        `json:"memory"`  // bytes that the whole tree uses, see process.Usage
	RSS     uint64        `json:"rss"`     // bytes of it that are resident; of records before Memory it is all that is known
	Latency time.Duration `json:"latency"` // ns; of the last good answer
	OK      bool          `json:"ok"`      // the last probe was answered well

	Pressure memory.Level `json:"pressure,omitempty"` // how short of memory the system was
}

// Used is what the tree used of memory, in bytes, also of a sample by an earlier Vivarium.
func (s Sample) Used() uint64 {
	if s.Memory == 0 {
		return s.RSS
	}
	return s.Memory
}

// History is what is known of a backend's last fifteen minutes, oldest first.
type History struct {
	Samples []Sample `json:"samples,omitempty"`
	Marks   []Mark   `json:"marks,omitempty"`
}

// Mark is something that happened to a backend.
type Mark struct {
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"` // it lasted; zero: it is a moment
	What  MarkKind  `json:"what"`
	Text  string    `json:"text,omitempty"` // why, for a person
}

// MarkKind names a Mark.
type MarkKind string

// The marks.
const (
	MarkStart MarkKind = "start" // a run was started
	MarkDeath MarkKind = "death" // a run ended, and nobody had asked for it
	MarkStall MarkKind = "stall" // a run lives and does not answer
	MarkSleep MarkKind = "sleep" // the computer slept
	// MarkMemory: the run was above a limit of [memory], or was restarted for it.
	MarkMemory MarkKind = "memory"
)

// Tally is how often a backend died on one day.
type Tally struct {
	Day    string  // as in "2026-11-26", in the person's time zone; "": nothing was counted
	Deaths int     // unasked ends; a clean exit is none
	Causes []Cause // the most frequent first
}

// Cause is one of a Tally.
type Cause struct {
	Kind    crash.Kind
	Summary string // if all of them had the same, else ""
	Deaths  int
}

// Page is where the report on the death is, or would be, as HTML: beside the record. It is "" without a file.
func (r Record) Page() string {
	if r.File == "" {
		return ""
	}
	return strings.TrimSuffix(r.File, filepath.Ext(r.File)) + ".html"
}

// idTime is how a death's ID begins.
const idTime = "20060102T150405.000Z"

// ID names a death among all of a backend's, and its files. IDs sort by time.
func (d Death) ID() string {
	id := d.At.UTC().Format(idTime)
	if d.Run != "" {
		id += "-" + d.Run
	}
	if d.Worker != 0 {
		id += "-" + strconv.Itoa(d.Worker)
	}
	return id
}

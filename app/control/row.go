package control

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// RowVersion is the "v" of every row. Fields may be added within a version, never removed or given another meaning.
const RowVersion = 1

// Row is one line of JSON for programs, the same on the control socket and behind --json: a Snapshot, or an Event with the
// Snapshot right after it. Of the environment it holds names alone, never values.
type Row struct {
	V       int             `json:"v"`
	At      time.Time       `json:"at"`
	Event   supervisor.What `json:"event,omitempty"` // status rows have none
	Backend string          `json:"backend"`
	Dir     string          `json:"dir"`
	State   string          `json:"state"`
	Want    bool            `json:"want"`
	PID     int             `json:"pid,omitempty"`
	Since   time.Time       `json:"since,omitzero"`
	Health  RowHealth       `json:"health"`
	Crashes int             `json:"crashes"`
	Verdict *RowVerdict     `json:"verdict,omitempty"` // of this event; in a status row that of the last unasked end
	Signal  string          `json:"signal,omitempty"`  // "SIGSEGV"
	Code    *int            `json:"code,omitempty"`    // only where something ended by itself
	Log     string          `json:"log"`

	Run        string       `json:"run,omitempty"` // the Run's ID
	Started    time.Time    `json:"started,omitzero"`
	Retry      time.Time    `json:"retry,omitzero"` // restarting: when the next start is due
	Port       int          `json:"port,omitempty"`
	URL        string       `json:"url,omitempty"`
	Usage      *RowUsage    `json:"usage,omitempty"`
	Memory     *RowMemory   `json:"memory,omitempty"`
	Owner      *RowOwner    `json:"owner,omitempty"`  // who holds the port while it is not ours
	LastAt     time.Time    `json:"last_at,omitzero"` // when the last unasked end was
	Semaphores int          `json:"semaphores,omitempty"`
	Stall      *stall.Stall `json:"stall,omitempty"`   // why a run that lives does not answer, or starts so long; file and line are the person's own
	Missing    []string     `json:"missing,omitempty"` // names of variables that did not arrive
	OpenMP     []string     `json:"openmp,omitempty"`  // paths of the OpenMP runtimes that are loaded
	Problem    string       `json:"config_problem,omitempty"`
	ConfigFile string       `json:"config_file,omitempty"`
	Changed    bool         `json:"config_changed,omitempty"`
	HeldBy     int          `json:"held_by,omitempty"`    // PID of the Vivarium program that keeps it
	KeptAwake  bool         `json:"kept_awake,omitempty"` // the computer is kept from idle sleep for it
	Note       string       `json:"note,omitempty"`
	Text       string       `json:"text,omitempty"` // of an event: one more detail for a person
	Asked      bool         `json:"asked,omitempty"`
	Away       bool         `json:"away,omitempty"`          // it happened while nobody was there, and is told late
	Recovery   bool         `json:"recovery,omitempty"`      // healthy: again
	Last       *RowVerdict  `json:"last,omitempty"`          // of an event row: the last unasked end, where it is not the event's own
	Report     string       `json:"report,omitempty"`        // the page about the last unasked end
	Tally      *RowTally    `json:"tally,omitempty"`         // the crashes of the day of the latest one
	Workers    int          `json:"worker_deaths,omitempty"` // of the present run, within ten minutes

	After  []string           `json:"after,omitempty"`  // names of the backends that have to be healthy before it is started
	Awaits *supervisor.Awaits `json:"awaits,omitempty"` // starting: which of them is not
}

// RowTally is how often the backend crashed on one day.
type RowTally struct {
	Day     string     `json:"day"` // "2026-11-26", in the time zone of the program that counted
	Crashes int        `json:"crashes"`
	Causes  []RowCause `json:"causes"` // the most frequent first
}

// RowCause is one kind of verdict in a RowTally.
type RowCause struct {
	Kind    crash.Kind `json:"kind"`
	Summary string     `json:"summary,omitempty"` // if all of them had the same
	Crashes int        `json:"crashes"`
}

// RowHealth is the health probe's latest word.
type RowHealth struct {
	Phase    record.Phase `json:"phase"`
	Latency  float64      `json:"latency_ms"`
	Good     time.Time    `json:"good,omitzero"` // when the last good answer came
	Failures int          `json:"failures,omitempty"`
	Problem  string       `json:"problem,omitempty"`
}

// RowVerdict is why a run ended.
type RowVerdict struct {
	Kind    crash.Kind `json:"kind"`
	Summary string     `json:"summary"`
	Remedy  string     `json:"remedy"`
	Line    string     `json:"line"`
	// Confidence is as in crash.Verdict.
	Confidence string `json:"confidence,omitempty"`
}

// RowUsage is what the run's processes use.
type RowUsage struct {
	CPU   float64 `json:"cpu"`    // 1 is one core
	Total float64 `json:"cpu_ms"` // so far
	RSS   uint64  `json:"rss"`    // bytes that are resident
	Procs int     `json:"processes"`

	Memory    uint64 `json:"memory,omitempty"`    // bytes that are used: the footprint on a Mac, what is resident or in swap on Linux
	Held      uint64 `json:"held,omitempty"`      // of them what the system cannot drop; the limits of [memory] are for this
	Footprint uint64 `json:"footprint,omitempty"` // macOS: as Activity Monitor and footprint(1) have it
}

// RowMemory is what is known of memory beside what the run uses.
type RowMemory struct {
	Machine   uint64       `json:"machine,omitempty"` // bytes that there are for the run
	Warn      uint64       `json:"warn,omitempty"`    // the limits of [memory] in bytes
	Restart   uint64       `json:"restart,omitempty"`
	Pressure  memory.Level `json:"pressure,omitempty"` // "normal", "warning", "critical"
	Free      float64      `json:"free,omitempty"`     // macOS: the share that can still be had
	Some      float64      `json:"some,omitempty"`     // Linux: the share of the last 10 s in which some program waited for memory
	Full      float64      `json:"full,omitempty"`     // Linux: in which all did
	High      bool         `json:"high,omitempty"`     // the run is above warn of [memory], and was for so long
	Restarts  int          `json:"restarts,omitempty"` // for the memory that runs held, since a person last started it
	Restarted time.Time    `json:"restarted,omitzero"` // the last time
	At        uint64       `json:"at_bytes,omitempty"` // what was held then
}

// RowOwner is who holds the backend's port.
type RowOwner struct {
	PID  int    `json:"pid"` // 0: a process of another user
	Name string `json:"name,omitempty"`
	Copy bool   `json:"copy,omitempty"` // this backend, started by hand
	Ours bool   `json:"ours,omitempty"`
	Why  string `json:"why,omitempty"`
}

// StatusRow is the row of a Snapshot as it is at now.
func StatusRow(s supervisor.Snapshot, now time.Time) Row {
	r := snapshotRow(s)
	r.At = now
	r.Verdict = verdictRow(s.Last)
	return r
}

// EventRow is the row of an Event.
func EventRow(e supervisor.Event) Row {
	r := snapshotRow(e.Snapshot)
	r.At, r.Event = e.At, e.What
	r.Verdict = verdictRow(e.Verdict)
	if e.Snapshot.Last != e.Verdict {
		r.Last = verdictRow(e.Snapshot.Last)
	}
	r.Text, r.Asked, r.Away, r.Recovery = e.Text, e.Asked, e.Away, e.Recovery
	if e.Exit != nil {
		r.PID, r.Run, r.Started = e.Exit.Run.PID, e.Exit.Run.ID, e.Exit.Run.Started
		r.Signal = proc.SignalName(e.Exit.Signal)
		if e.Exit.Known && e.Exit.Signal == 0 {
			r.Code = &e.Exit.Code
		}
	}
	return r
}

func snapshotRow(s supervisor.Snapshot) Row {
	r := Row{
		V: RowVersion, Backend: s.Backend, Dir: s.Dir, State: s.State.String(), Want: s.Want, PID: s.Run.PID, Since: s.Since,
		Health: RowHealth{
			Phase: s.Health.Phase, Latency: float64(s.Health.Latency.Microseconds()) / 1000,
			Good: s.Health.Good, Failures: s.Health.Failures, Problem: s.Health.Problem,
		},
		Crashes: s.Crashes, Log: s.Log, Run: s.Run.ID, Started: s.Run.Started, Retry: s.Retry, Port: s.Port, URL: s.URL,
		LastAt: s.LastAt, Semaphores: s.Semaphores, Missing: s.Missing, OpenMP: s.OpenMP, Problem: s.ConfigProblem, ConfigFile: s.ConfigFile,
		Changed: s.ConfigChanged, HeldBy: s.HeldBy, Note: s.Note, Report: s.LastReport, Tally: tallyRow(s.Tally),
		Workers: s.WorkerDeaths, After: s.After, KeptAwake: s.KeptAwake,
	}
	if s.Awaits.Name != "" {
		r.Awaits = &s.Awaits
	}
	if s.Stall.Kind != "" {
		r.Stall = &s.Stall
	}
	if s.Usage != (process.Usage{}) {
		r.Usage = &RowUsage{
			CPU: float64(int64(s.Usage.CPU*1000)) / 1000, Total: float64(s.Usage.Total.Milliseconds()), RSS: s.Usage.RSS, Procs: s.Usage.Procs,
			Memory: s.Usage.Memory, Held: s.Usage.Held,
		}
		if runtime.GOOS == "darwin" {
			r.Usage.Footprint = s.Usage.Memory
		}
	}
	r.Memory = memoryRow(s.Memory)
	if o := s.Owner; o != (port.Owner{}) {
		r.Owner = &RowOwner{PID: o.PID, Name: o.Name, Copy: o.Copy, Ours: o.Ours, Why: o.Why}
	}
	return r
}

func memoryRow(m guard.Status) *RowMemory {
	if m == (guard.Status{}) {
		return nil
	}
	return &RowMemory{
		Machine: m.Machine, Warn: m.Warn, Restart: m.Restart, Pressure: m.Pressure.Level, Free: m.Pressure.Free, Some: m.Pressure.Some, Full: m.Pressure.Full, High: m.High,
		Restarts: m.Past.Restarts, Restarted: m.Past.At, At: m.Past.Bytes,
	}
}

func (r *RowMemory) status() guard.Status {
	if r == nil {
		return guard.Status{}
	}
	return guard.Status{
		Machine: r.Machine, Warn: r.Warn, Restart: r.Restart, Pressure: memory.Pressure{Level: r.Pressure, Free: r.Free, Some: r.Some, Full: r.Full}, High: r.High,
		Past: guard.Past{Restarts: r.Restarts, At: r.Restarted, Bytes: r.At},
	}
}

func tallyRow(t record.Tally) *RowTally {
	if t.Deaths == 0 {
		return nil
	}
	r := &RowTally{Day: t.Day, Crashes: t.Deaths}
	for _, c := range t.Causes {
		r.Causes = append(r.Causes, RowCause{c.Kind, c.Summary, c.Deaths})
	}
	return r
}

func (r *RowTally) tally() record.Tally {
	if r == nil {
		return record.Tally{}
	}
	t := record.Tally{Day: r.Day, Deaths: r.Crashes}
	for _, c := range r.Causes {
		t.Causes = append(t.Causes, record.Cause{Kind: c.Kind, Summary: c.Summary, Deaths: c.Crashes})
	}
	return t
}

func verdictRow(v crash.Verdict) *RowVerdict {
	if v == (crash.Verdict{}) {
		return nil
	}
	return &RowVerdict{Kind: v.Kind, Summary: v.Summary, Remedy: v.Remedy, Line: v.Line, Confidence: v.Confidence}
}

// Snapshot is what the row says, as far as a row says it: a view of a backend that another Vivarium program keeps.
func (r Row) Snapshot() supervisor.Snapshot {
	s := supervisor.Snapshot{
		Backend: r.Backend, Dir: r.Dir, State: stateOf(r.State), Want: r.Want, Since: r.Since, Retry: r.Retry,
		Run: keeper.Run{ID: r.Run, PID: r.PID, Started: r.Started},
		Health: record.Health{
			Phase: r.Health.Phase, Latency: time.Duration(r.Health.Latency * float64(time.Millisecond)),
			Good: r.Health.Good, Failures: r.Health.Failures, Problem: r.Health.Problem,
		},
		Crashes: r.Crashes, Last: r.Last.verdict(), LastAt: r.LastAt, Port: r.Port, URL: r.URL, Log: r.Log,
		ConfigProblem: r.Problem, ConfigFile: r.ConfigFile, ConfigChanged: r.Changed, Missing: r.Missing, OpenMP: r.OpenMP,
		Semaphores: r.Semaphores, Note: r.Note, HeldBy: r.HeldBy, LastReport: r.Report, Tally: r.Tally.tally(),
		WorkerDeaths: r.Workers, After: r.After, KeptAwake: r.KeptAwake,
	}
	if r.Awaits != nil {
		s.Awaits = *r.Awaits
	}
	if r.Last == nil {
		s.Last = r.Verdict.verdict()
	}
	if r.Stall != nil {
		s.Stall = *r.Stall
	}
	if u := r.Usage; u != nil {
		s.Usage = process.Usage{CPU: u.CPU, Total: time.Duration(u.Total * float64(time.Millisecond)), RSS: u.RSS, Procs: u.Procs, Memory: u.Memory, Held: u.Held}
	}
	s.Memory = r.Memory.status()
	if o := r.Owner; o != nil {
		s.Owner = port.Owner{PID: o.PID, Name: o.Name, Copy: o.Copy, Ours: o.Ours, Why: o.Why}
	}
	return s
}

// Told is the event of an event row. Its Exit has what a row has: no tail, and of the run no stamp.
func (r Row) Told() supervisor.Event {
	e := supervisor.Event{
		What: r.Event, At: r.At, Snapshot: r.Snapshot(), Verdict: r.Verdict.verdict(),
		Asked: r.Asked, Away: r.Away, Recovery: r.Recovery, Text: r.Text,
	}
	if r.Signal != "" || r.Code != nil {
		e.Exit = &keeper.Exit{Run: e.Snapshot.Run, At: r.At, Known: true, Asked: r.Asked}
		if r.Code != nil {
			e.Exit.Code = *r.Code
		}
		if sig := unix.SignalNum(r.Signal); sig != 0 {
			e.Exit.Signal = sig
		}
	}
	return e
}

func (v *RowVerdict) verdict() crash.Verdict {
	if v == nil {
		return crash.Verdict{}
	}
	return crash.Verdict{Kind: v.Kind, Summary: v.Summary, Remedy: v.Remedy, Line: v.Line, Confidence: v.Confidence}
}

// stateOf gives Stopped for a word of a newer version that this one does not know.
func stateOf(name string) supervisor.State {
	for s := supervisor.Stopped; s <= supervisor.Unreachable; s++ {
		if s.String() == name {
			return s
		}
	}
	return supervisor.Stopped
}

package supervisor

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// State is what a backend is doing. What it should be doing is Snapshot.Want; the two never mix.
type State uint8

// The states, in the words of the command line.
const (
	Stopped State = iota
	Starting
	Healthy
	Unhealthy
	Stopping
	Restarting  // between a crash and the next start
	GaveUp      // waits for a person
	Unreachable // the keeper is there and does not answer: its run may be alive, and cannot be told to stop
)

var stateNames = [...]string{"stopped", "starting", "healthy", "unhealthy", "stopping", "restarting", "gave-up", "unreachable"}

func (s State) String() string { return stateNames[s] }

// Snapshot is a supervisor's whole visible state, one value. Slices in it are never changed after it was sent.
type Snapshot struct {
	Backend string // its name
	Dir     string // its folder, links resolved
	State   State
	Want    bool      // a person or autostart wants it to run
	Since   time.Time // when State was entered
	Retry   time.Time // Restarting: when the next start is due

	Run    keeper.Run // zero when nothing runs
	Health record.Health
	Usage  process.Usage
	Memory guard.Status
	Stall  stall.Stall // what a run does that does not answer, or starts without a word; Kind "": not known, or no question

	// WorkerDeaths is how many workers of the present run died in the last ten minutes.
	WorkerDeaths int

	Crashes int           // since a person last started it or a run proved stable
	Last    crash.Verdict // of the last run that ended unasked; Kind "" when there was none
	LastAt  time.Time
	// LastReport is the page about that end, an absolute path; "" while there is none.
	LastReport string
	Tally      record.Tally // of the day of the latest death

	Port  int
	URL   string     // "http://127.0.0.1:8000", "" without a port
	Log   string     // absolute path
	Owner port.Owner // who holds the port while it is not ours: Stopped with a copy, or GaveUp with port-taken

	After  []string // names of the backends that have to be healthy before it is started
	Awaits Awaits   // Starting: which of them is not

	ConfigProblem string   // the configuration is broken: one line with file, line, key and remedy
	ConfigFile    string   // the file to open for it
	ConfigChanged bool     // changed since the run was started: restart to apply
	Missing       []string // variables of the crash environment that did not arrive in the process
	OpenMP        []string // paths of the OpenMP runtimes that were mapped in the run at the last look, see Loaded
	Semaphores    int      // named semaphores that ended runs left behind since the app started
	Note          string   // one more line for a person: an adopted run, an unstable interpreter, an unanswering keeper
	KeptAwake     bool     // the computer is kept from idle sleep for it, see keep_awake
	HeldBy        int      // PID of another Vivarium program that supervises this backend, 0 if it is this one
}

// Awaits is the backend that a start waits for.
type Awaits struct {
	Name  string `json:"name"`            // "": none
	Why   string `json:"why,omitempty"`   // what is with it, as it follows the name: "which gave up"
	Stuck bool   `json:"stuck,omitempty"` // it will not become healthy by itself
}

// What names an event, in the words of the command line's JSON.
type What string

// The events.
const (
	EventStarted   What = "started"
	EventHealthy   What = "healthy"
	EventUnhealthy What = "unhealthy"
	EventBusy      What = "busy"
	EventStalled   What = "stalled" // why it does not answer, or starts so long, is known now, or has changed
	// EventMisconfigured: the server works, and is asked where it does not answer well.
	EventMisconfigured What = "misconfigured"
	// EventPermission: it lives, and macOS keeps it from something; see crash.Wall.
	EventPermission What = "permission"
	// EventEnded: it served, ended by itself without an error, and is started again.
	EventEnded What = "ended"
	// EventWorkerLoop: its workers die again and again, and it goes on.
	EventWorkerLoop What = "worker-loop"
	EventCrashed    What = "crashed"
	EventAmended    What = "amended" // evidence that came later changed the verdict on a death; no news of its own
	EventWorkerDied What = "worker-died"
	EventRestarting What = "restarting"
	// EventMemoryHigh: the run has been above a limit of [memory] for so long. It is told once in the life of a run.
	EventMemoryHigh What = "memory-high"
	EventGaveUp     What = "gave-up"
	EventStopping   What = "stopping"
	EventStopped    What = "stopped"
	EventAttached   What = "attached"
	EventTookOver   What = "took-over"
	EventPortTaken  What = "port-taken"
	EventKeeperLost What = "keeper-lost"
	EventEnvMissing What = "env-missing"
)

// Event is something that happened once. Snapshot is the state right after it.
type Event struct {
	What     What
	At       time.Time
	Snapshot Snapshot
	Verdict  crash.Verdict // crashed, worker-died, gave-up, port-taken, stopped (a clean end nobody asked for)
	Exit     *keeper.Exit  // crashed, stopped: how the run ended; nil where nothing ended
	Asked    bool          // stopped: a person asked for it; never news
	Away     bool          // it happened while no app was there, and is told late
	Recovery bool          // healthy: again, after a crash or after unhealthy
	Text     string        // one more detail for a person: the worker's PID, the missing variables
}

package supervisor

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/power"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// input is anything that can happen to the machine: one of the types below.
type input any

// Intents of a person.
type (
	start    struct{}
	stop     struct{}
	restart  struct{}
	takeOver struct{} // start, and end a hand-started copy even if on_port_conflict = "refuse"
	hurry    struct{} // skip the grace of the stop that is under way
	quit     struct{} // stop, but forget that it was asked: autostart decides next time
	look     struct{} // somebody looks: a fresh figure of the whole tree is worth its price
)

// The results of effects, and what happened by itself. Everything about a run carries its ID, everything about a launch its attempt: step drops the
// stale.
type (
	// began is the first input: what was there when the app came.
	began struct {
		config  config.Config
		problem *config.Error // config is then the default one
		saved   *record.Saved // nil after a clean quit, or the first time
		found   found
		report  string // the page about the last unasked end, "" none
		missed  []missed
	}
	// missed is a death that an app has forgotten at the keeper and did not live to write down.
	missed struct {
		exit    keeper.Exit
		verdict crash.Verdict
	}
	// unreachable comes before began, as often as the keeper that is there cannot be reached.
	unreachable struct {
		config  config.Config
		problem string
	}
	// found is what attaching to a keeper found, also after a lost connection.
	found struct {
		run     keeper.Run   // the zero Run: nothing there
		ending  bool         // a stop of it is under way
		exit    *keeper.Exit // it ended while nobody was attached
		verdict crash.Verdict
		dead    bool   // the exit is the last word of a keeper that is dead
		problem string // the keeper is there but cannot be reached: said, and tried again
	}
	launched struct {
		attempt int
		run     keeper.Run
		config  config.Config
		adopted bool          // the keeper had this run already
		ended   []port.Owner  // hand-started copies that were ended for it
		problem *config.Error // the configuration of this moment is broken: config is the last good one
		note    string        // worth a person's attention: an old configuration was used, a warning of the interpreter
	}
	awaiting struct { // the launch waits for another backend
		attempt int
		on      Awaits
	}
	launchFailed struct {
		attempt  int
		verdict  crash.Verdict
		final    bool           // trying again cannot help: give up at once
		config   *config.Config // what it was tried with; nil: none could be read
		problem  *config.Error  // the configuration is broken
		owner    port.Owner     // the port is taken
		canceled bool           // a stop came first
	}
	exited struct {
		exit    keeper.Exit
		verdict crash.Verdict
	}
	reattached struct { // after the connection to the keeper was lost
		runID string
		found found
	}
	staleEnded struct { // what a lost keeper left behind is gone
		runID  string
		failed string // or not: who is still there
	}
	probed struct {
		runID   string
		latency time.Duration
		err     error
		listens bool // the LISTEN socket belongs to this run; only meaningful where something answered
	}
	explained struct { // why a server that does not answer well does not
		runID   string
		answer  string // what is explained
		problem string // "": nothing explains it
		sure    bool   // one look is enough
	}
	used struct {
		runID    string
		failed   bool // nothing could be measured: no children does not mean that they died
		usage    process.Usage
		children []process.Child
		dead     []int // PIDs of workers whose death the log tells of, since the last look
		logSize  int64
		machine  uint64 // how much memory there is for the run
		pressure memory.Pressure
		changed  bool // the configuration files changed since the run was started
		looked   bool // which OpenMP runtimes are mapped was looked at, too
		openmp   []string
		power    *power.State   // nil: not looked at
		wall     *crash.Verdict // a permission of macOS that the log tells of
		broken   int            // lines of the log, since the computer woke, that tell of a connection which broke off
	}
	deepProbed struct { // what came of its real work
		runID string
		err   error
	}
	sampled struct { // where the native code of its main thread was
		runID string
		where string // "" if that is not known
	}
	observed struct { // what the run does while it does not answer
		runID string
		stall stall.Stall // Kind "" if nothing could be seen
	}
	arrived struct { // which variables did not
		runID   string
		missing []string
	}
	workerDied struct { // judged from the log; nobody saw its exit status
		runID   string
		pid     int
		verdict crash.Verdict
	}
	recorded struct { // what is known of a death is kept
		death record.Death
		page  string // what was made of it for a person, "" nothing
	}
	amended struct { // evidence that came later changed the verdict
		death   record.Death // as it was judged before
		exit    *keeper.Exit // without its tail; nil of a worker
		verdict crash.Verdict
	}
	semaphores struct{ left int }
	portSeen   struct { // who has the port of a backend that does not run
		look   int        // the number of the look: only the latest counts
		owner  port.Owner // PID 0 and no Why: nobody
		failed bool
	}
	woke     struct{ slept time.Duration }
	sleeping struct{ about bool } // the computer is about to sleep, or back
	awake    struct{ held bool }  // it is kept from idle sleep, or no more
	due      struct{}             // the deadline has passed
)

// effect is what the machine wants done: one of the types below. None of them blocks the loop.
type effect any

type (
	doLaunch struct {
		attempt   int
		forget    string // the run before, whose end is told and recorded
		takeOver  bool
		automatic bool      // nobody asked just now
		fallback  bool      // a broken configuration is replaced by the last good one: the backend was running
		tookAt    time.Time // when a copy was last ended: one that is back soon is not fought
	}
	doCancel struct{ attempt int }
	doAsk    struct{ attempt int } // the launch under way is a person's wish now
	doStop   struct {
		runID  string
		ladder keeper.Ladder
	}
	doEndStale struct { // let the keeper go, if there is one, and end what is left of the run
		run    keeper.Run
		ladder keeper.Ladder
	}
	doForget struct{ runID string }
	doProbe  struct {
		run    keeper.Run
		proven bool // its LISTEN socket was seen already
	}
	doDeepProbe struct{ run keeper.Run } // have it do its real work
	doExplain   struct {                 // look why it does not answer well
		run    keeper.Run
		proven bool
		err    error
	}
	doUse struct {
		run    keeper.Run
		whole  bool
		openmp bool // look which OpenMP runtimes are mapped, too
		woke   bool // the computer slept a moment ago: what does the log say of connections?
	}
	doJudgeWorker struct {
		run   keeper.Run
		child process.Child
	}
	doObserve struct { // see what the run does; nothing is changed by it
		run   keeper.Run
		phase stall.Phase
		slept time.Duration // the machine slept a moment ago
		deep  string        // what failed of its real work, "" if that is not why
	}
	doSample       struct{ run keeper.Run } // see where its native code is
	doCheckArrival struct{ run keeper.Run }
	doCount        struct{ run keeper.Run } // the semaphores that the run left
	doRecord       struct {                 // gather what is known of a death, and keep it
		death   record.Death
		exit    *keeper.Exit // nil of a worker: nobody saw its exit status
		before  Snapshot     // the state just before it
		samples []record.Sample
		away    bool
	}
	doLookAtPort struct{ look int }
	doKeepAwake  struct{ wanted bool }
	doSave       struct{ saved record.Saved }
	doKeepStall  struct{ stall record.Stalled }
	doTell       struct{ event Event }
)

// Package postmortem gathers the evidence on one death after it happened: the kernel's word on memory, the system's crash report, the
// owner of the port, the OpenMP copies in the environment, and amends the verdict. Begin with Examiner and Case. It is given all that it
// needs in these two and tells by their functions; it must not know the supervisor's state.
package postmortem

import (
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// Case is one death and what was known of the run before it.
type Case struct {
	Death   record.Death
	Exit    *keeper.Exit // how the run ended; nil if a worker died and the run lives on
	Away    bool         // it happened while no app was there
	Run     keeper.Run
	Backend string          // the backend's name
	Dir     string          // its folder, links resolved
	Log     string          // absolute path
	Health  record.Health   // the latest word of the probe before the death
	Missing []string        // variables of the crash environment that had not arrived
	Samples []record.Sample // of the last 15 minutes, oldest first
	Known   crash.Evidence  // as it was put together while the run lived
	Memory  *MemoryWatch    // of the run, begun while it lived; nil if there is none
	Plan    *plan.Plan      // what the run was started with; nil if unknown
	Stall   *stall.Stall    // why it hung; nil if it did not, or nobody knows
	Stacks  []string        // of a hung run, masked
	Native  []string        // the native frames of its main thread, masked
	// Raised gives the exception that ended the run, as the recorder had it, in the form of a traceback; it may be nil.
	Raised func() []string
	Tail   []string // the last lines of output, oldest first
}

// Examiner gathers the evidence on deaths. Nothing in it delays a restart: an examination is held on a goroutine of its own, after the
// fork of the next run. What is known at once is kept at once; what comes later may amend the verdict.
type Examiner struct {
	ReportFolders []string // where the system leaves reports on processes that died
	Scans         *Scans
	Scan          func(ctx context.Context, in python.Interpreter) (openmp.Environment, error)
	PortOwner     func(ctx context.Context) (port.Owner, error) // who has the backend's port now
	// Programs are the largest programs at this moment, without the processes that skip says belong to the run. It may be nil.
	Programs func(skip func(pid int) bool) []memory.Program
	Log      *slog.Logger
	Keep     func(record.Record) // hears of the record each time more is known
	// Amend hears that later evidence changed what was said of the death.
	Amend func(before record.Death, exit *keeper.Exit, v crash.Verdict)
}

// examination is one death that is being looked into.
type examination struct {
	Examiner
	Case
	evidence crash.Evidence
	record   record.Record
	programs []memory.Program // the largest others, just after the death
}

// Examine gathers what is known of one death, step by step, and returns when there is nothing more to wait for.
func (e Examiner) Examine(ctx context.Context, c Case) {
	x := &examination{Examiner: e, Case: c}
	x.begin()
	x.lookAtPrograms()
	x.Keep(x.record)
	for _, look := range []func(context.Context) bool{x.lookAtException, x.lookAtMemory, x.lookAtPort, x.lookForReport, x.lookForOpenMP} {
		if look(ctx) {
			x.amend()
			x.namePrograms()
			x.Keep(x.record)
		}
	}
}

// begin puts together what is known already.
func (x *examination) begin() {
	x.record = record.Record{
		Death: x.Death, Backend: x.Backend, Dir: x.Dir, Log: x.Case.Log, PID: x.Run.PID, Away: x.Away, Tail: mask.Lines(x.Tail),
		Samples: x.Samples, Health: x.Health, Stall: x.Stall, Stacks: x.Stacks, Native: x.Native, Missing: x.Missing, Loaded: x.Known.Loaded, OpenMP: x.Known.OpenMP,
		Versions: map[string]string{systemName(runtime.GOOS): systemVersion(), "Vivarium": keeper.Version},
	}
	x.evidence = x.Known
	x.evidence.Tail, x.evidence.Missing = x.Tail, x.Missing
	x.evidence.Worker = x.Death.Worker != 0
	if x.Exit != nil {
		x.evidence.Code, x.evidence.Signal, x.evidence.Known = x.Exit.Code, proc.SignalName(x.Exit.Signal), x.Exit.Known
		x.evidence.Uptime = x.Death.Uptime
		x.record.PID, x.record.Known, x.record.Asked = x.Exit.Run.PID, x.Exit.Known, x.Exit.Asked
	} else {
		x.record.PID = x.Death.Worker
	}
	if x.Plan == nil {
		return
	}
	x.record.Env, x.record.EnvNames = x.Plan.Applied, variableNames(x.Plan.Spec.Env)
	if x.Plan.Python.Version != "" {
		x.record.Versions["Python"] = x.Plan.Python.Version
	}
	maps.Copy(x.record.Versions, packageVersions(x.Plan.Python.Site))
}

// amend judges again, and tells if that changes what was said. Why Vivarium ended a run itself it knows best.
func (x *examination) amend() {
	if x.Death.Verdict.Kind == crash.KindHung || x.Death.Verdict.Kind == crash.KindWrongAnswer || x.Exit != nil && x.Exit.Asked {
		return
	}
	v := crash.Judge(x.evidence) // of a worker, too
	if v == x.record.Verdict {
		return
	}
	var exit *keeper.Exit
	if x.Exit != nil {
		e := *x.Exit
		e.Tail = nil
		exit = &e
	}
	before := x.record.Death
	x.record.First, x.record.Verdict, x.record.Amended = before.FirstKind(), v, true
	x.Amend(before, exit, v)
}

// lookAtException takes what the recorder had of the exception that ended the run, unless the output has it.
func (x *examination) lookAtException(context.Context) bool {
	if x.Raised == nil || x.Exit == nil || x.Exit.Asked {
		return false
	}
	raised := x.Raised()
	if len(raised) == 0 {
		return false
	}
	x.evidence.Raised = raised
	if !crash.Unsaid(x.evidence) {
		return false
	}
	x.record.Raised = mask.Lines(raised)
	return true
}

// lookAtMemory asks the kernel whether it ended something for want of memory: it does that by SIGKILL, and leaves no word in the output.
func (x *examination) lookAtMemory(context.Context) bool {
	if x.Exit != nil && x.evidence.Known && x.evidence.Signal != "SIGKILL" {
		return false
	}
	m, ok := x.Memory.ended(x.record.PID)
	if !ok {
		return false
	}
	x.ranOut(m)
	return true
}

// ranOut takes the system's word that memory ran out, with what the run used a moment before.
func (x *examination) ranOut(m crash.Memory) {
	if n := len(x.Samples); n > 0 && x.Death.At.Sub(x.Samples[n-1].At) < time.Minute && !x.Samples[n-1].At.Before(x.Run.Started) {
		m.Last = x.Samples[n-1].Used()
	}
	x.evidence.Memory, x.record.Memory = m, m
}

// lookAtPrograms sees who else holds memory, at once: in a minute it may be others.
func (x *examination) lookAtPrograms() {
	mayBe := x.evidence.Signal == "SIGKILL" || x.Death.Worker != 0 || x.Death.Verdict.Kind == crash.KindOutOfMemory
	if !mayBe || x.Programs == nil || x.Away || x.Exit != nil && x.Exit.Asked {
		return
	}
	x.programs = x.Programs(func(pid int) bool { return x.Run.ID != "" && proc.RunOf(pid) == x.Run.ID })
	x.namePrograms()
}

// namePrograms has the others in the record of a death for want of memory, and of one that may be such a death.
func (x *examination) namePrograms() {
	x.record.Programs = nil
	switch x.record.Verdict.Kind {
	case crash.KindOutOfMemory, crash.KindKilled:
		x.record.Programs = x.programs
	}
}

// lookAtPort names who has the port, if that is why the run died.
func (x *examination) lookAtPort(ctx context.Context) bool {
	if x.record.Verdict.Kind != crash.KindPortTaken || x.Plan == nil {
		return false
	}
	o, err := x.PortOwner(ctx)
	if err != nil || o.PID == 0 && o.Why == "" {
		return false
	}
	owner := port.Names([]port.Owner{o})
	x.evidence.PortOwner, x.record.PortOwner = owner, owner
	return true
}

// native: the run died in native code, as far as anybody knows, so that its libraries matter.
func (x *examination) native() bool {
	return x.Exit != nil && x.Exit.Known && x.Exit.Signal != 0 || x.record.Verdict.Kind == crash.KindOpenMP || x.Death.Worker != 0
}

func variableNames(env []string) []string {
	names := make([]string, 0, len(env))
	for _, e := range env {
		if name, _, ok := strings.Cut(e, "="); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

package supervisor

import (
	"context"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// inquest gathers what is known of one death. It is held on a goroutine of its own, after the fork of the next run: nothing in it delays
// a restart. What is known at once is kept at once; what comes later may amend the verdict.
type inquest struct {
	s *Supervisor
	doRecord
	good     *goodPlan      // of the run that died
	known    crash.Evidence // before the end
	memory   *memoryWatch   // of its run
	evidence crash.Evidence
	record   Record
}

// record has the inquest held. It is called by the loop, before the next run's plan takes the place of the dead one's.
func (s *Supervisor) record(ctx context.Context, e doRecord) {
	q := &inquest{s: s, doRecord: e, good: s.good, known: s.knownNow(), memory: s.memory.Load()}
	logFrom := s.logFrom
	s.aside(func() {
		if e.exit != nil {
			q.hold(ctx, e.exit.Tail)
			return
		}
		q.hold(ctx, lastLines(e.before.Log, logFrom)) // the keeper's tail is of the run that goes on
	})
}

func (q *inquest) hold(ctx context.Context, tail []string) {
	q.begin(tail)
	q.keep(ctx)
	for _, look := range []func(context.Context) bool{q.lookAtMemory, q.lookAtPort, q.lookForReport, q.lookForOpenMP} {
		if look(ctx) {
			q.amend(ctx)
			q.keep(ctx)
		}
	}
}

// begin puts together what is known already.
func (q *inquest) begin(tail []string) {
	b := q.before
	q.record = Record{
		Death: q.death, Backend: b.Backend, Dir: b.Dir, Log: b.Log, PID: b.Run.PID, Away: q.away, Tail: crash.MaskLines(tail),
		Samples: q.samples, Health: b.Health, Missing: b.Missing, Loaded: q.known.Loaded, OpenMP: q.known.OpenMP,
		Versions: map[string]string{systemName(runtime.GOOS): systemVersion(), "Vivarium": keeper.Version},
	}
	q.evidence = q.known
	q.evidence.Tail, q.evidence.Missing = tail, b.Missing
	q.evidence.Worker = q.death.Worker != 0
	if q.exit != nil {
		q.evidence.Code, q.evidence.Signal, q.evidence.Known = q.exit.Code, SignalName(q.exit.Signal), q.exit.Known
		q.evidence.Uptime = q.death.Uptime
		q.record.PID, q.record.Known, q.record.Asked = q.exit.Run.PID, q.exit.Known, q.exit.Asked
	} else {
		q.record.PID = q.death.Worker
	}
	if q.good == nil {
		return
	}
	p := q.good.plan
	q.record.Env, q.record.EnvNames = p.Applied, variableNames(p.Spec.Env)
	if p.Python.Version != "" {
		q.record.Versions["Python"] = p.Python.Version
	}
	maps.Copy(q.record.Versions, packageVersions(p.Python.Site))
}

// keep writes the record and hands it on. Who hears of it may make a page, and the loop is told of that.
func (q *inquest) keep(ctx context.Context) {
	q.s.recording.Lock()
	defer q.s.recording.Unlock()
	r := q.record
	if err := r.write(q.s.folder); err != nil {
		q.s.log.Error("a death is not recorded", "backend", r.Backend, "error", err)
	}
	if q.s.deps.Recorded != nil {
		q.s.deps.Recorded(r)
	}
	page := r.Page()
	if _, err := os.Stat(page); err != nil {
		page = ""
	}
	q.s.post(ctx, letter{in: recorded{q.death, page}})
}

// amend judges again, and tells the loop if that changes what was said. Why Vivarium ended a run itself it knows best.
func (q *inquest) amend(ctx context.Context) {
	if q.death.Verdict.Kind == crash.KindHung || q.exit != nil && q.exit.Asked {
		return
	}
	v := crash.Judge(q.evidence) // of a worker, too
	if v == q.record.Verdict {
		return
	}
	var exit *keeper.Exit
	if q.exit != nil {
		e := *q.exit
		e.Tail = nil
		exit = &e
	}
	before := q.record.Death
	q.record.First, q.record.Verdict, q.record.Amended = before.first(), v, true
	q.s.post(ctx, letter{in: amended{before, exit, v}})
}

// lookAtMemory asks the kernel whether it ended something for want of memory: it does that by SIGKILL, and leaves no word in the output.
func (q *inquest) lookAtMemory(context.Context) bool {
	if q.exit != nil && q.evidence.Known && q.evidence.Signal != "SIGKILL" {
		return false
	}
	m, ok := q.memory.ended(q.record.PID)
	if !ok {
		return false
	}
	q.evidence.Memory, q.record.Memory = m, m
	return true
}

// lookAtPort names who has the port, if that is why the run died.
func (q *inquest) lookAtPort(ctx context.Context) bool {
	if q.record.Verdict.Kind != crash.KindPortTaken || q.good == nil {
		return false
	}
	claim, err := q.s.world.Claim(ctx, q.good.config, Mine{Folder: q.s.folder})
	if err != nil || claim.Owner.PID == 0 && claim.Owner.Why == "" {
		return false
	}
	owner := ownersText([]Owner{claim.Owner})
	q.evidence.PortOwner, q.record.PortOwner = owner, owner
	return true
}

// native: the run died in native code, as far as anybody knows, so that its libraries matter.
func (q *inquest) native() bool {
	return q.exit != nil && q.exit.Known && q.exit.Signal != 0 || q.record.Verdict.Kind == crash.KindOpenMP || q.death.Worker != 0
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

package supervisor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// trackerTime is how long multiprocessing's resource tracker may take to unlink what a dead run left; see the ladder.
const trackerTime = 6 * time.Second

// carryOut does what the machine wants. It runs in the loop, so whatever may block goes aside and comes back as a letter.
func (s *Supervisor) carryOut(ctx context.Context, e effect) {
	conn := s.conn
	switch e := e.(type) {
	case doLaunch:
		lctx, cancel := context.WithCancel(ctx)
		s.cancel = cancel
		l := launch{s: s, doLaunch: e, conn: conn, good: s.good, ours: s.ours()}
		s.aside(func() { defer cancel(); s.box.post(l.run(lctx)) })
	case doCancel:
		if s.cancel != nil {
			s.cancel()
		}
	case doStop:
		s.tellKeeper(conn, "stopping the run", func(k Keeper) error { return k.Stop(e.runID, e.ladder) })
	case doForget:
		s.tellKeeper(conn, "forgetting the run", func(k Keeper) error { return k.Forget(e.runID) })
	case doEndStale:
		s.conn = nil
		s.aside(func() {
			if err := s.world.EndStale(ctx, e.run, e.ladder); err != nil && ctx.Err() == nil {
				s.log.Error("ending what a lost keeper left behind", "error", err)
			}
			s.post(ctx, letter{in: staleEnded{e.run.ID}, conn: conn})
		})
	case doProbe:
		c := s.m.config
		s.aside(func() { s.post(ctx, letter{in: s.probe(ctx, c, e)}) })
	case doUse:
		c, before := s.m.config, s.measure
		s.aside(func() { s.post(ctx, s.use(c, e, before)) })
	case doJudgeWorker:
		log, from, known := s.m.Log, s.logFrom, s.good.evidence()
		s.aside(func() {
			known.Tail = lastLines(log, from)
			v := crash.JudgeWorker(known)
			s.post(ctx, letter{in: workerDied{e.run.ID, e.child.PID, v}})
		})
	case doCheckArrival:
		if s.good != nil {
			vars := s.good.plan.Applied
			s.aside(func() { s.checkArrival(ctx, e.run, vars) })
		}
	case doCount:
		before := s.before
		s.aside(func() { s.count(ctx, before, e.run) })
	case doLookAtPort:
		c, ours := s.m.config, s.ours()
		s.aside(func() { s.post(ctx, letter{in: s.lookAtPort(ctx, c, ours)}) })
	case doSave:
		select {
		case <-s.saves:
		default:
		}
		s.saves <- e.saved // nobody else sends: there is room
	case doTell:
		s.queue = append(s.queue, e.event)
		logEvent(s.log, e.event)
	}
}

// ours tells the Run IDs of this backend: of the runs that died, and of the last one.
func (s *Supervisor) ours() func(runID string) bool {
	deaths, last := s.m.deaths, s.m.lastRun
	return func(id string) bool {
		return id == last || slices.ContainsFunc(deaths, func(d Death) bool { return d.Run == id })
	}
}

// post drops what comes after the end.
func (s *Supervisor) post(ctx context.Context, l letter) {
	if ctx.Err() == nil {
		s.box.post(l)
	}
}

// tellKeeper hands a short request to the errands, which keep the order of requests; a keeper that does not answer holds up nobody else.
func (s *Supervisor) tellKeeper(conn Keeper, what string, f func(Keeper) error) {
	if conn == nil {
		return
	}
	name := s.m.Backend
	errand := func() {
		if err := f(conn); err != nil && !errors.Is(err, keeper.ErrLost) {
			s.log.Warn(what, "backend", name, "error", err)
		}
	}
	select {
	case s.errands <- errand:
	default:
		s.log.Error(what, "backend", name, "error", "the keeper has not answered for a long time")
	}
}

func (s *Supervisor) runErrands(ctx context.Context) {
	for {
		select {
		case f := <-s.errands:
			f()
		case <-ctx.Done():
			return
		}
	}
}

package supervisor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// trackerTime is how long multiprocessing's resource tracker may take to unlink what a dead run left; see the ladder.
const trackerTime = 6 * time.Second

// forkTime is how long the fork after a crash may keep everything else waiting.
const forkTime = 20 * time.Millisecond

// performAll carries out what a step wants. After a crash the new start comes first, and alone: to record and to tell the death at the
// same time would cost it the processor just when it needs it.
func (s *Supervisor) performAll(ctx context.Context, all []effect) {
	for i, e := range all {
		if l, ok := e.(doLaunch); ok && l.automatic {
			s.perform(ctx, e)
			s.later = append(append(s.later, all[:i]...), all[i+1:]...)
			return
		}
	}
	for i, e := range all {
		if p, ok := e.(doProbe); ok && i+1 < len(all) {
			if u, ok := all[i+1].(doUse); ok { // they are due at the same time: one goroutine, and one waking of the loop
				s.lookAt(ctx, p, u)
				s.performAll(ctx, all[i+2:])
				return
			}
		}
		s.perform(ctx, e)
	}
}

// lookAt measures the run and probes it, and tells of both at once.
func (s *Supervisor) lookAt(ctx context.Context, p doProbe, u doUse) {
	c, conn, before := s.m.config, s.conn, s.measure
	from := max(before.log, s.logFrom)
	s.background(func() {
		measured, answer := s.use(c, u, before, from), s.probe(ctx, c, conn, p)
		if ctx.Err() == nil {
			s.box.Post(measured, message{in: answer})
		}
	})
}

// catchUp does what waited for the fork.
func (s *Supervisor) catchUp(ctx context.Context) {
	waiting := s.later
	s.later = nil
	for _, e := range waiting {
		s.perform(ctx, e)
	}
}

// perform does what the machine wants. It runs in the loop, so whatever may block runs in the background and comes back as a message.
func (s *Supervisor) perform(ctx context.Context, e effect) {
	conn := s.conn
	switch e := e.(type) {
	case doLaunch:
		lctx, cancel := context.WithCancel(ctx)
		s.cancel = cancel
		l := launch{s: s, doLaunch: e, conn: conn, good: s.good, mine: s.mine(), life: ctx}
		begin := func() { s.background(func() { defer cancel(); s.box.Post(l.run(lctx)) }) }
		if e.automatic { // the fork first
			begin()
		} else { // after the wish is written
			s.inOrder(begin)
		}
	case doAsk:
		s.wished.Store(int64(e.attempt))
	case doCancel:
		if s.cancel != nil {
			s.cancel()
		}
	case doStop:
		s.tellKeeper(conn, "stopping the run", func(k platform.Keeper) error {
			err := k.Stop(e.runID, e.ladder)
			if errors.Is(err, keeper.ErrNone) { // it is dead: what it left is gone before that is forgotten
				return s.system.EndStale(ctx, keeper.Run{ID: e.runID}, e.ladder)
			}
			return err
		})
	case doForget:
		s.tellKeeper(conn, "forgetting the run", func(k platform.Keeper) error { return k.Forget(e.runID) })
	case doEndStale:
		s.conn = nil
		told := make(chan struct{})
		s.inOrder(func() { close(told) })
		s.background(func() { s.post(ctx, s.endStale(ctx, conn, e, told)) })
	case doProbe:
		c := s.m.config
		s.background(func() { s.post(ctx, message{in: s.probe(ctx, c, conn, e)}) })
	case doDeepProbe:
		s.deepProbe(ctx, e)
	case doExplain:
		c := s.m.config
		s.background(func() { s.post(ctx, message{in: s.explain(ctx, c, e)}) })
	case doUse:
		c, before := s.m.config, s.measure
		from := max(before.log, s.logFrom)
		s.background(func() { s.post(ctx, s.use(c, e, before, from)) })
	case doJudgeWorker:
		log, from, known := s.m.Log, s.logFrom, s.knownNow()
		s.background(func() {
			known.Tail = safefile.LastLines(log, from)
			if process.LeftInOrder(known.Tail, e.child.PID) {
				return
			}
			v := crash.JudgeWorker(known)
			s.post(ctx, message{in: workerDied{e.run.ID, e.child.PID, v}})
		})
	case doObserve:
		sub := s.subject(e.run, e.phase, e.slept, e.deep)
		s.background(func() {
			o := s.system.Observe(ctx, sub)
			s.post(ctx, message{in: observed{e.run.ID, o.Stall}, seen: &o})
		})
	case doSample:
		s.background(func() { s.post(ctx, s.sample(ctx, e.run)) })
	case doCheckArrival:
		s.sweepRecordings()
		if s.good != nil {
			vars := s.good.plan.Applied
			s.background(func() { s.checkArrival(ctx, e.run, vars) })
		}
	case doCount:
		before := s.before
		s.background(func() { s.count(ctx, before, e.run) })
	case doRecord:
		s.examine(ctx, e)
	case doLookAtPort:
		c, mine := s.m.config, s.mine()
		s.background(func() { s.post(ctx, message{in: s.lookAtPort(ctx, c, mine, e.look)}) })
	case doKeepAwake:
		s.awake.Set(e.wanted)
	case doSave:
		s.inOrder(func() {
			if err := record.WriteWant(s.folder, e.saved); err != nil {
				s.log.Error("what is wanted will not survive this app", "error", err)
			}
		})
	case doKeepStall:
		s.keepStall(e)
	case doTell:
		s.queue = append(s.queue, e.event)
		logEvent(s.log, e.event)
	}
}

// goodbyeTime is how long a keeper may take to end what is left of its run, and itself.
const goodbyeTime = 20 * time.Second

// endStale lets the keeper go once it was told everything, and ends what is left of the run without it. A keeper that lives forgets first,
// since it tells of a stop only when nobody is left; what a dead one knew is forgotten afterwards.
func (s *Supervisor) endStale(ctx context.Context, conn platform.Keeper, e doEndStale, told <-chan struct{}) message {
	if conn != nil && conn.Live() {
		bye, cancel := context.WithTimeout(ctx, goodbyeTime)
		defer cancel()
		select {
		case <-told:
		case <-bye.Done():
		}
		_ = conn.Forget(e.run.ID) // an answer "unknown" is as good
		conn.Goodbye(bye)
		conn = nil
	}
	in := staleEnded{runID: e.run.ID}
	if e.run.ID == "" { // it never ran
		return message{in: in, conn: conn}
	}
	if err := s.system.EndStale(ctx, e.run, e.ladder); err != nil {
		if ctx.Err() == nil { // else the app is leaving, and the next one finishes it
			s.log.Error("ending what is left of a run", "error", err)
		}
		in.failed = err.Error()
	}
	return message{in: in, conn: conn}
}

// mine tells what belongs to this backend: its keeper, and the Run IDs of the runs that died, of the last one and of the present one.
func (s *Supervisor) mine() port.Mine {
	deaths, last, now := s.m.deaths, s.m.lastRun, s.m.Run.ID
	return port.Mine{Folder: s.folder, Run: func(id string) bool {
		return id == last || id == now || slices.ContainsFunc(deaths, func(d record.Death) bool { return d.Run == id })
	}, Name: func(folder string) string {
		if w, err := record.ReadWant(folder); err == nil && w != nil {
			return w.Name
		}
		return ""
	}}
}

// post drops what comes after the end.
func (s *Supervisor) post(ctx context.Context, l message) {
	if ctx.Err() == nil {
		s.box.Post(l)
	}
}

// tellKeeper sends the keeper a short request, in the order in which they were asked for.
func (s *Supervisor) tellKeeper(conn platform.Keeper, what string, f func(platform.Keeper) error) {
	if conn == nil {
		return
	}
	name := s.m.Backend
	s.inOrder(func() {
		if err := f(conn); err != nil && !errors.Is(err, keeper.ErrLost) && !errors.Is(err, keeper.ErrUnknownRun) {
			s.log.Warn(what, "backend", name, "error", err)
		}
	})
}

// inOrder is done after those before it: what is wanted is written before the keeper hears of it. A keeper that does not answer holds
// up what comes after it, and nothing else.
func (s *Supervisor) inOrder(f func()) {
	if !s.ordered.Add(f) {
		s.log.Error("the keeper has not answered for a long time", "backend", s.m.Backend)
	}
}

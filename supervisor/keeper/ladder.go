package keeper

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// The rungs of the ladder below the grace, which the Ladder itself names.
const (
	forceWait   = 2 * time.Second // after the second stop signal: uvicorn's force
	termWait    = 2 * time.Second // after SIGTERM
	abortWait   = time.Second     // after SIGABRT, for the stacks: a dump of many threads takes milliseconds
	mostAborted = 8               // processes that get it; each writes a dump of its own
	killWait    = 5 * time.Second // after SIGKILL: longer than that a process is stuck in the kernel
	trackerWait = 5 * time.Second // for the resource trackers to unlink the named semaphores
	clearWait   = time.Second     // for the remains of a run that ended, after SIGTERM
)

// End climbs the ladder for a run that has no keeper any more: its leader, if PID and Stamp still match, and whoever carries
// its ID. It returns nil when nobody is left.
func End(ctx context.Context, r Run, l Ladder) error {
	k := &descendants{run: r.ID}
	if r.PID > 0 && r.Stamp != "" {
		k.roots = []proc.Process{{PID: r.PID, Stamp: r.Stamp}}
	}
	if err := l.climb(ctx, k, nil); err != nil {
		return fmt.Errorf("ending run %s: %w", r.ID, err)
	}
	return nil
}

// EndLast is End for the last run of the folder dir. The caller knows that no keeper is there.
func EndLast(ctx context.Context, dir string, l Ladder) error {
	last, ok := records{dir}.last()
	if !ok {
		return nil
	}
	return End(ctx, last, l)
}

// EndAll climbs the ladder for processes that were started by hand. Those of them that descend from another one leave the
// stop signal to it.
func EndAll(ctx context.Context, ps []proc.Process, l Ladder) error {
	if err := l.climb(ctx, &descendants{roots: slices.Clone(ps)}, nil); err != nil {
		return fmt.Errorf("ending %s: %w", describe(ps), err)
	}
	return nil
}

// climb ends every process in k, in the order of the ladder. Closing hurry skips the grace.
func (l Ladder) climb(ctx context.Context, k *descendants, hurry <-chan struct{}) error {
	if _, _, err := k.look(); err != nil { // before the leader goes, and the descent with it
		return err
	}
	if err := l.ask(ctx, k, hurry); err != nil {
		return err
	}
	if err := k.term(ctx, termWait); err != nil {
		return err
	}
	if l.Abort {
		if err := k.abort(ctx); err != nil {
			return err
		}
	}
	if err := k.kill(ctx, false); err != nil {
		return err
	}
	return k.awaitTrackers(ctx)
}

// ask sends the leaders the stop signal, and after the grace once more.
func (l Ladder) ask(ctx context.Context, k *descendants, hurry <-chan struct{}) error {
	sig := l.Signal
	if sig == 0 {
		sig = syscall.SIGINT
	}
	leaders := k.leaders()
	gone := func() bool { return !slices.ContainsFunc(leaders, proc.Alive) }
	signalAll(leaders, sig)
	grace, cut := context.WithCancel(ctx)
	go func() {
		select {
		case <-hurry:
			cut()
		case <-grace.Done():
		}
	}()
	until(grace, l.Grace, gone)
	cut()
	if !gone() {
		signalAll(leaders, sig)
		until(ctx, forceWait, gone)
	}
	return ctx.Err()
}

// term asks everybody with SIGTERM, which the trackers ignore by themselves.
func (k *descendants) term(ctx context.Context, wait time.Duration) error {
	others, _, err := k.look()
	if err != nil || len(others) == 0 {
		return err
	}
	if k.group != nil {
		k.group(syscall.SIGTERM) // reaches also who is being forked just now
	}
	signalAll(others, syscall.SIGTERM)
	until(ctx, wait, func() bool { return !slices.ContainsFunc(others, proc.Alive) })
	return ctx.Err()
}

// abort has each Python that did not listen to SIGTERM say what its threads do, and end by that: one after the other, so that the dumps do not
// mix in the log.
func (k *descendants) abort(ctx context.Context) error {
	others, _, err := k.look()
	if err != nil {
		return err
	}
	slices.SortFunc(others, func(a, b proc.Process) int { return cmp.Compare(a.PID, b.PID) })
	asked := 0
	for _, p := range others {
		if asked == mostAborted || ctx.Err() != nil {
			break
		}
		if !proc.TellsStacks(p) || proc.NoCore(p) != nil {
			continue
		}
		asked++
		signalAll([]proc.Process{p}, syscall.SIGABRT)
		until(ctx, abortWait, func() bool { return !proc.Alive(p) })
	}
	return ctx.Err()
}

// kill ends everybody with SIGKILL, round after round, because somebody may be forking; the trackers only if asked to.
func (k *descendants) kill(ctx context.Context, trackersToo bool) error {
	for deadline := time.Now().Add(killWait); ; {
		others, trackers, err := k.look()
		if err != nil {
			return err
		}
		if trackersToo {
			others = append(others, trackers...)
		}
		if len(others) == 0 {
			return nil
		}
		signalAll(others, syscall.SIGKILL)
		until(ctx, time.Until(deadline), func() bool { return !slices.ContainsFunc(others, proc.Alive) })
		if err := ctx.Err(); err != nil {
			return err
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("still there after SIGKILL: %s", describe(others))
		}
	}
}

// awaitTrackers lets the trackers do their work: they unlink the named semaphores once the last holder of their pipe is gone.
func (k *descendants) awaitTrackers(ctx context.Context) error {
	_, trackers, err := k.look()
	if err != nil || len(trackers) == 0 {
		return err
	}
	if until(ctx, trackerWait, func() bool { return !slices.ContainsFunc(trackers, proc.Alive) }) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return k.kill(ctx, true)
}

// clear ends what is left of a run whose leader is dead, trackers spared: SIGTERM, 1 s, SIGKILL.
func (k *descendants) clear(ctx context.Context) error {
	if err := k.term(ctx, clearWait); err != nil {
		return err
	}
	return k.kill(ctx, false)
}

func signalAll(ps []proc.Process, sig syscall.Signal) {
	for _, p := range ps {
		_ = proc.Signal(p, sig) // who is gone already is what we want; who may not be signalled is named at the end
	}
}

// until waits for done, at most d, and says whether it came. It asks often at first: most processes end within milliseconds.
func until(ctx context.Context, d time.Duration, done func() bool) bool {
	end := time.NewTimer(d)
	defer end.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		if done() {
			return true
		}
		select {
		case <-end.C:
			return done()
		case <-ctx.Done():
			return done()
		case <-time.After(pause):
		}
	}
}

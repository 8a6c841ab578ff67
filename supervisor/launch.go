package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// planned is a configuration that led to a run, kept for the automatic restart that finds a broken one.
type planned struct {
	config config.Config
	plan   plan.Plan
}

// launch is one attempt to get a run going: configuration, environment, port, keeper, fork, in that order. It holds
// what it needs and shares nothing with the loop.
type launch struct {
	s *Supervisor
	doLaunch
	conn platform.Keeper
	good *planned
	mine port.Mine
	life context.Context // of the loop; a launch that is called off ends earlier
}

// refusal is why a launch was refused, as the machine hears it.
type refusal struct{ launchFailed }

func (r *refusal) Error() string { return r.verdict.Summary }

// run answers with the message for the loop.
func (l launch) run(ctx context.Context) message {
	out, err := l.try(ctx)
	if err == nil {
		return out
	}
	var r *refusal
	switch {
	case ctx.Err() != nil:
		r = &refusal{launchFailed{canceled: true}}
	case !errors.As(err, &r):
		r = &refusal{launchFailed{verdict: crash.Verdict{Kind: crash.KindCannotStart, Summary: err.Error()}}}
	}
	r.attempt = l.attempt
	if out.good != nil {
		r.config = &out.good.config
	}
	return message{in: r.launchFailed, conn: out.conn}
}

func (l launch) try(ctx context.Context) (message, error) {
	out := message{conn: l.conn}
	good, problem, note, err := l.prepare()
	for err == nil {
		out.good = good
		var waited bool
		if waited, err = l.await(ctx, good.config, &problem); !waited || err != nil {
			break
		}
		good, problem, note, err = l.prepare() // minutes may have passed
	}
	if err != nil {
		return out, err
	}
	ended, err := l.freePort(ctx, good.config)
	if err != nil {
		return out, err
	}
	if err := ctx.Err(); err != nil {
		return out, err
	}
	out.logFrom = safefile.Size(good.config.Log.File)
	spec, trouble := l.s.withRecorder(good.config, good.plan.Spec)
	got, conn, err := l.spawn(spec)
	out.conn = conn
	if err != nil {
		return out, err
	}
	got.attempt, got.config, got.problem, got.ended, got.note = l.attempt, good.config, problem, ended, orElse(note, trouble)
	out.in = got
	out.before = process.Semaphores() // after the fork: Python needs longer to begin than this look
	return out, nil
}

// prepare reads the configuration of this moment. A broken one is replaced by the last that worked, aloud, unless a person starts
// what did not run.
func (l launch) prepare() (*planned, *config.Error, string, error) {
	c, err := l.config()
	var p plan.Plan
	if err == nil {
		p, err = l.s.system.Plan(c)
	}
	if err == nil {
		note := ""
		if len(p.Warnings) > 0 {
			note = p.Warnings[0]
		}
		for _, w := range p.Warnings {
			l.s.log.Info("planning the start", "backend", c.Name, "warning", w)
		}
		return &planned{c, p}, nil, note, nil
	}
	if l.fallback && l.good != nil {
		l.s.log.Info("starting with the last good configuration", "backend", l.good.config.Name, "error", err)
		var problem *config.Error
		if errors.As(err, &problem) {
			return l.good, problem, "started with the last good configuration", nil
		}
		return l.good, nil, "started with the last good configuration: " + err.Error(), nil
	}
	return nil, nil, "", refused(err)
}

// refused is a start that needs a person first.
func refused(err error) *refusal {
	f := launchFailed{final: true, verdict: crash.Verdict{Kind: crash.KindCannotStart, Summary: err.Error()}}
	if errors.As(err, &f.problem) {
		f.verdict = crash.Verdict{Kind: crash.KindConfig, Summary: strings.TrimSuffix(err.Error(), "; "+f.problem.Remedy), Remedy: f.problem.Remedy}
	}
	var python *python.Error
	if errors.As(err, &python) {
		f.verdict.Summary, f.verdict.Remedy = python.Problem, python.Remedy
	}
	return &refusal{f}
}

// config is the configuration of this moment. After a crash a look at its files is enough to know that they are what they were.
func (l launch) config() (config.Config, error) {
	if l.automatic && l.good != nil && !l.s.system.Changed(l.good.config) {
		return l.good.config, nil
	}
	return l.s.system.Load(l.s.dir)
}

// freePort makes sure that the port is free, or says whose it is. Only what is proven to be this backend is ended.
func (l launch) freePort(ctx context.Context, c config.Config) ([]port.Owner, error) {
	claim, err := l.s.system.Claim(ctx, c, l.mine)
	if err != nil {
		return nil, fmt.Errorf("looking at port %d: %w", c.Port, err)
	}
	if claim.Free {
		return nil, nil
	}
	o := claim.Owner
	mine := o.Ours || o.Copy && (l.takeOver || c.OnPortConflict == config.TakeOver)
	back := o.Copy && !l.tookAt.IsZero() && time.Since(l.tookAt) < 2*backWithin
	if !mine || back {
		return nil, &refusal{launchFailed{final: true, owner: o, verdict: port.Taken(o, c.Port, back)}}
	}
	if err := l.s.system.EndCopies(ctx, claim, keeper.Ladder{Signal: c.Stop.Signal, Grace: c.Stop.Grace}); err != nil {
		return nil, fmt.Errorf("ending %s on port %d: %w", port.Names([]port.Owner{o}), c.Port, err)
	}
	after, err := l.s.system.Claim(ctx, c, l.mine)
	if err != nil {
		return nil, fmt.Errorf("looking at port %d: %w", c.Port, err)
	}
	if !after.Free {
		return nil, &refusal{launchFailed{final: true, owner: after.Owner, verdict: port.Taken(after.Owner, c.Port, after.Owner.Copy)}}
	}
	if o.Ours {
		return nil, nil // our own remains, no news
	}
	return []port.Owner{o}, nil
}

// spawnTime is how long a keeper may take to fork: it ends what the last run left behind first.
const spawnTime = 30 * time.Second

// spawn forks through the keeper that is there, or through a new one. It is not called off in the middle: a request that is on its way
// is carried out, and a run that nobody knows of must not be. A keeper that leaves or dies at this moment is followed by another.
func (l launch) spawn(spec keeper.Spec) (launched, platform.Keeper, error) {
	ctx, cancel := context.WithTimeout(l.life, spawnTime)
	defer cancel()
	conn := l.conn
	for try := 0; ; try++ {
		if conn != nil && !conn.Live() { // the records of a dead keeper: what it left must be gone before they are forgotten
			if _, _, err := l.settleOld(ctx, conn); err != nil {
				return launched{}, conn, err
			}
		}
		if conn != nil && l.forget != "" {
			_ = conn.Forget(l.forget) // told and recorded; an answer "unknown" is as good
		}
		if conn == nil || !conn.Live() {
			next, err := l.s.system.Launch(ctx, l.s.deps.KeeperExe, l.s.folder)
			if err != nil {
				return launched{}, conn, &refusal{launchFailed{verdict: platform.LaunchTrouble(err)}}
			}
			conn = next
		}
		if run, ok, err := l.settleOld(ctx, conn); ok || err != nil {
			return launched{run: run, adopted: true}, conn, err
		}
		run, err := conn.Spawn(ctx, spec)
		lost := errors.Is(err, keeper.ErrLost) || errors.Is(err, keeper.ErrLeaving)
		if err == nil || try == 3 || !lost && !errors.Is(err, keeper.ErrUnforgotten) && !errors.Is(err, keeper.ErrRunning) {
			return launched{run: run}, conn, notSpawned(err, spec.Log)
		}
		if lost {
			_ = conn.Close()
			conn = nil
		}
	}
}

// settleOld deals with what a keeper already has: a run that outlived whoever started it is taken over, one that is being stopped is
// waited for, one whose keeper died half-way is ended. true: there is a run, none is to be started.
func (l launch) settleOld(ctx context.Context, conn platform.Keeper) (keeper.Run, bool, error) {
	if run, ok := conn.Current(); ok && !conn.Stopping() {
		return run, true, nil
	} else if ok {
		if _, err := conn.Wait(ctx); err != nil {
			return keeper.Run{}, false, err
		}
	}
	now, cancel := context.WithCancel(ctx)
	cancel() // an exit that is known already is returned all the same
	exit, err := conn.Wait(now)
	if err != nil {
		return keeper.Run{}, false, nil
	}
	if !exit.Known || !conn.Live() {
		if err := l.s.system.EndStale(ctx, exit.Run, keeper.Ladder{}); err != nil {
			return keeper.Run{}, false, fmt.Errorf("ending what a lost keeper left behind: %w", err)
		}
	}
	err = conn.Forget(exit.Run.ID) // one that was lost meanwhile is told again by the next keeper
	if err != nil && !errors.Is(err, keeper.ErrUnknownRun) && !errors.Is(err, keeper.ErrLost) {
		return keeper.Run{}, false, err
	}
	return keeper.Run{}, false, nil
}

// notSpawned is a start that the keeper could not make of a program or a log.
func notSpawned(err error, log string) error {
	v, ok := platform.SpawnTrouble(err, log)
	if !ok {
		return err
	}
	return &refusal{launchFailed{final: true, verdict: v}}
}

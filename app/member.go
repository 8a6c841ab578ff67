package app

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/hook"
	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// member is one registered backend. Its fields belong to the app's loop, but for dir and folder, which never change.
type member struct {
	dir, folder string
	cancel      context.CancelFunc
	super       control.Supervision // nil while nobody is reached
	here        bool                // super is a supervisor of this process
	settled     bool                // it is known what is there
	snapshot    supervisor.Snapshot
	wishes      []func(control.Supervision) // what a person asked for before anybody was reached
	removing    bool                        // to be taken off the list once it has stopped
	visit       bool                        // to be opened in the browser once it is healthy
	front       *front                      // nil while another program keeps it
	ending      func(control.Supervision)   // the stop that waits until others have ended; nil: none does
}

// Waits between two attempts to take a backend that another program has.
const (
	minHoldWait = 20 * time.Millisecond
	maxHoldWait = 2 * time.Second
)

// runsHere: a process of ours is there, or about to be, or nobody knows yet.
func (m *member) runsHere() bool {
	return !m.settled || m.here && m.snapshot.State != supervisor.Stopped && m.snapshot.State != supervisor.GaveUp
}

// quits: a Quit of ours is not done with yet.
func (m *member) quits() bool { return !m.settled || m.here && m.snapshot.State != supervisor.Stopped }

// wish tells the backend's supervisor what a person wants, now or as soon as it is reached.
func (m *member) wish(f func(control.Supervision)) {
	if m.super == nil {
		m.wishes = append(m.wishes, f)
		return
	}
	f(m.super)
}

// join adds a backend to the menu, and sets it going.
func (a *App) join(dir string) *member {
	ctx, cancel := context.WithCancel(a.ctx)
	m := &member{
		dir: dir, folder: keeper.BackendFolder(a.state, dir), cancel: cancel,
		snapshot: supervisor.Snapshot{Backend: filepath.Base(dir), Dir: dir, Since: time.Now()},
	}
	a.members = append(a.members, m)
	a.work.Go(func() { a.keep(ctx, m) })
	return m
}

// keep supervises the backend, or shows it while another program does, until ctx ends.
func (a *App) keep(ctx context.Context, m *member) {
	wait := minHoldWait
	for ctx.Err() == nil {
		held, err := control.Hold(m.folder)
		var other *control.HeldError
		switch {
		case err == nil:
			a.superviseHere(ctx, m, held)
			wait = minHoldWait
		case errors.As(err, &other):
			a.postTo(ctx, func() { m.settled, m.here, m.snapshot.HeldBy = true, false, other.PID })
			if a.watchThere(ctx, m) {
				wait = minHoldWait
			}
		default:
			a.postTo(ctx, func() { m.trouble(err) })
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, maxHoldWait)
		}
	}
}

// trouble shows a backend that cannot even be held: a state folder without room, a socket path too long.
func (m *member) trouble(err error) {
	m.settled = true
	m.snapshot.ConfigProblem = words.Plain(err.Error())
}

// superviseHere runs a supervisor of our own until ctx ends.
func (a *App) superviseHere(ctx context.Context, m *member, held *control.Held) {
	s := a.supervise(m.dir)
	shown := &front{held: held}
	a.postTo(ctx, func() { m.front = shown; a.reached(m, s, true) })
	held.Heard = a.heard(func(do func()) { a.postTo(ctx, do) }, m)
	hooks := hook.New(m.dir, a.log, func(text string) { a.postTo(a.ctx, func() { a.hookFailed(m, text) }) })
	defer hooks.Close()
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(ctx, s) })
	work.Go(func() {
		defer cancel()
		if err := s.Run(ctx); err != nil {
			a.log.Error("supervising", "dir", m.dir, "error", err)
		}
	})
	a.pump(ctx, m, s, held, shown, hooks.Tell)
	work.Wait()
	if a.ctx.Err() != nil && !a.leave { // the loop has ended, so a.leave is settled; the supervisor may have ended before it heard
		if err := record.RememberQuit(m.folder); err != nil {
			a.log.Error("the quit is not remembered", "dir", m.dir, "error", err)
		}
	}
	_ = held.Close()
	a.postTo(a.ctx, func() { m.super, m.front, m.ending = nil, nil, nil })
}

func (a *App) supervise(dir string) control.Supervision {
	if a.options.Supervise != nil {
		return a.options.Supervise(dir)
	}
	return supervisor.New(dir, supervisor.Deps{State: a.state, KeeperExe: a.options.Keeper, Log: a.log,
		Recorded: Recorded(a.log, a.state, a.options.Pages),
		Await:    Waiter(a.state).Await, KeepAwake: a.desktop.KeepAwake})
}

// watchThere shows what another program does with the backend, until that ends. false: it could not be reached.
func (a *App) watchThere(ctx context.Context, m *member) bool {
	dctx, cancel := context.WithTimeout(ctx, control.HelloTime)
	client, err := control.Dial(dctx, m.folder)
	cancel()
	if err != nil { // on its way in or out, or too busy: it is known to be there, no more
		return false
	}
	r := control.NewRemote(client)
	a.postTo(ctx, func() { a.reached(m, r, false) })
	a.log.Info("another program keeps this backend", "dir", m.dir, "pid", r.PID())
	ctx, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() {
		defer stop()
		_ = r.Run(ctx)
	})
	a.pump(ctx, m, r, nil, nil, nil)
	work.Wait()
	a.postTo(a.ctx, func() { m.super = nil })
	return true
}

// pump carries news to the loop, and to whoever follows over the control socket, until ctx ends.
func (a *App) pump(ctx context.Context, m *member, s control.Supervision, held *control.Held, shown *front, hear func(supervisor.Event)) {
	for {
		select {
		case snapshot := <-s.Changed():
			if shown != nil {
				shown.show(snapshot)
			}
			a.postTo(ctx, func() {
				if shown != nil {
					snapshot = shown.now()
				}
				a.changed(m, snapshot)
			})
		case e := <-s.Events():
			if held != nil {
				held.Tell(e)
				hear(e)
			}
			a.postTo(ctx, func() { a.happened(m, held != nil, e) })
		case <-ctx.Done():
			return
		}
	}
}

func (a *App) postTo(ctx context.Context, do func()) {
	select {
	case a.inputs <- do:
	case <-ctx.Done():
	}
}

// reached: from now on wishes are heard.
func (a *App) reached(m *member, s control.Supervision, here bool) {
	m.super, m.here = s, here
	for _, f := range m.wishes {
		f(s)
	}
	m.wishes = nil
	if !a.quitting.IsZero() {
		s.Quit()
	}
}

func (a *App) changed(m *member, s supervisor.Snapshot) {
	m.snapshot, m.settled = s, true
	if s.Want && words.Alive(s) && s.State != supervisor.Starting { // somebody started it again: the wish to remove it is an old one
		m.removing = false
	}
	if m.visit && s.State == supervisor.Healthy && s.URL != "" {
		m.visit = false
		a.open(a.desktop.OpenURL, s.URL)
	}
	if m.removing && !m.runsHere() {
		a.remove(m)
	}
}

// happened tells a person. What another program keeps is that program's to tell, but a menu-bar app is where people look, and
// a run in a terminal raises no notices.
func (a *App) happened(m *member, here bool, e supervisor.Event) {
	if !here {
		a.log.Info(string(e.What), "backend", e.Snapshot.Backend, "kept_by", m.snapshot.HeldBy, "verdict", e.Verdict.Summary)
	}
	if e.What == supervisor.EventAmended {
		a.notifier.Tell(notice.Correction(e))
	} else if n, ok := notice.Of(e); ok {
		a.notifier.Tell(n)
	}
}

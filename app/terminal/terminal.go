// Package terminal is the app's other view: one backend in the foreground, a line for each event.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/hook"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// Options is one backend to run in the foreground.
type Options struct {
	Config config.Config // of the backend
	State  string        // the state folder
	Keeper string        // the keeper's program
	JSON   bool          // a row for each event instead of a line
	Colour bool
	Out    io.Writer
	Log    *slog.Logger // what is no event; if nil, nothing is logged
	// Signals asks for the end: the first is a Stop, the second skips the grace, the third leaves the rest to the keeper.
	Signals <-chan os.Signal
	// Closed says that nobody reads Out any more. If nil, a write that fails says so.
	Closed <-chan struct{}
	// Supervise makes the supervisor. If nil, the real one.
	Supervise func(dir string) control.Supervision
}

// EndError is an end that is no success: the backend gave up for good, or crashed and is not to be restarted.
type EndError struct {
	Verdict crash.Verdict
	Owner   port.Owner
}

func (e *EndError) Error() string {
	if e.Verdict.Summary == "" {
		return "the backend ended"
	}
	return e.Verdict.Summary
}

// holderTime is how long a program that has the backend but does not answer may take: it is on its way in or out.
const holderTime = 15 * time.Second

// Run keeps the backend running until somebody wants its end, and waits until nothing of it is left. If another Vivarium program
// keeps it, Run shows that one's events, and goes on itself where that one ends without a stop. Its errors are an *EndError or
// trouble with the state folder.
func Run(ctx context.Context, o Options) error {
	r := &run{Options: o, folder: keeper.BackendFolder(o.State, o.Config.Dir), print: newPrinter(o), closed: o.Closed}
	var since time.Time // when the holder was first found not to answer
	for {
		held, err := control.Hold(r.folder)
		if err == nil {
			return r.here(ctx, held)
		}
		var other *control.HeldError
		if !errors.As(err, &other) {
			return err
		}
		client, err := control.Dial(ctx, r.folder)
		if err == nil {
			since = time.Time{}
			if over, err := r.there(ctx, client); over {
				return err
			}
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since) > holderTime {
			return fmt.Errorf("%w, but does not answer: %w", other, err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-r.Signals:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// run is a backend in the foreground.
type run struct {
	Options
	folder  string
	print   *printer
	closed  <-chan struct{}
	stops   int  // how often the end was asked for
	heard   bool // of anything but the end of an earlier run
	began   bool // there was a run
	last    supervisor.Snapshot
	unheard bool // the wish to stop
}

// unreachableTime is how long a keeper that is to be told to stop may be out of reach: it may be on its way in or out.
const unreachableTime = 5 * time.Second

// shows says once that nobody can be asked about the backend.
func (r *run) shows(s supervisor.Snapshot) {
	if s.State == supervisor.Unreachable && r.last.State != supervisor.Unreachable {
		r.print.say(fmt.Sprintf("%s; trying again, Ctrl-C leaves it as it is", words.Plain(s.Note)))
	}
	if s.Awaits != r.last.Awaits && s.Awaits.Name != "" {
		r.print.say("waits for " + words.AwaitsText(s.Awaits))
	}
	r.last = s
}

// unreachable is the answer to a wish to end what cannot be told to: it is left, and that is no success.
func (r *run) unreachable() error {
	if r.last.State != supervisor.Unreachable {
		return nil
	}
	r.unheard = true
	return fmt.Errorf("the server may be running and cannot be stopped: %s", words.Plain(r.last.Note))
}

// here supervises the backend in this process.
func (r *run) here(ctx context.Context, held *control.Held) error {
	s := r.supervision()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(inner, s) })
	ended := make(chan error, 1)
	work.Go(func() { ended <- s.Run(inner) })
	said := make(chan string, 16)
	hooks := hook.New(r.Config.Dir, r.Log, func(text string) {
		select {
		case said <- text:
		default:
		}
	})
	defer func() {
		cancel()
		work.Wait()
		hooks.Close()
		if r.unheard { // whoever reaches the keeper next ends the run
			_ = record.Unwant(r.folder)
		}
		_ = held.Close()
	}()
	s.Start()
	if r.print.hello(r.Config) != nil {
		r.stop(s)
	}
	done := ctx.Done()
	var calm, unanswered <-chan time.Time
	for {
		select {
		case snapshot := <-s.Changed():
			held.Show(snapshot)
			r.shows(snapshot)
			if unanswered == nil && r.stops > 0 && snapshot.State == supervisor.Unreachable {
				unanswered = time.After(unreachableTime)
			}
		case <-unanswered:
			unanswered = nil
			if err := r.unreachable(); err != nil {
				return err
			}
		case <-calm:
			idle()
		case text := <-said:
			r.print.say(text)
		case e := <-s.Events():
			held.Tell(e)
			hooks.Tell(e)
			if r.print.event(e) != nil {
				r.closed = nil
				r.stopOnce(s)
			}
			if over, err := r.over(e, true); over {
				return err
			}
			if e.What == supervisor.EventHealthy {
				idle()
				calm = time.After(calmTime)
			}
		case sig := <-r.Signals:
			if err := r.unreachable(); err != nil {
				return err
			}
			if sig != os.Interrupt { // the end of a terminal sends SIGHUP twice: only a person's Ctrl-C is impatience
				r.stopOnce(s)
				continue
			}
			if r.stop(s); r.stops > 2 {
				return nil
			}
		case <-r.closed:
			r.closed = nil
			r.stopOnce(s)
		case <-done:
			done = nil
			r.stopOnce(s)
		case err := <-ended:
			return err
		}
	}
}

func (r *run) supervision() control.Supervision {
	if r.Supervise != nil {
		return r.Supervise(r.Config.Dir)
	}
	return supervisor.New(r.Config.Dir, supervisor.Deps{
		State: r.State, KeeperExe: r.Keeper, Interactive: true, Log: r.Log, Recorded: app.Recorded(r.Log, r.State, nil), Await: app.Waiter(r.State).Await,
	})
}

func (r *run) stopOnce(s control.Supervision) {
	if r.stops == 0 {
		r.stop(s)
	}
}

// stop is what a Ctrl-C means: Stop, then skip the grace, then leave it to the keeper.
func (r *run) stop(s control.Supervision) {
	r.stops++
	switch r.stops {
	case 1:
		s.Stop()
	case 2:
		s.Hurry()
	default:
		r.print.say("left to the keeper, which ends it alone")
	}
}

// over says whether this event is the end, and whether that is a success. Giving up waits for a person, but for a port that
// another program has, and for a start that could not even be tried. What happened before we came ends nothing. here: the supervisor is ours,
// and has heard of the wish to start before it told anything.
func (r *run) over(e supervisor.Event, here bool) (bool, error) {
	if e.Away || !here && !r.heard && e.What == supervisor.EventStopped {
		return false, nil
	}
	r.heard = true
	r.began = r.began || e.What == supervisor.EventStarted || e.What == supervisor.EventAttached
	end := &EndError{Verdict: e.Verdict, Owner: e.Snapshot.Owner}
	switch e.What {
	case supervisor.EventStopped:
		return e.Snapshot.State == supervisor.Stopped, nil
	case supervisor.EventCrashed:
		return e.Snapshot.State == supervisor.Stopped, end // its policy is never to restart
	case supervisor.EventGaveUp, supervisor.EventPortTaken:
		if e.Snapshot.State != supervisor.GaveUp {
			return false, nil
		}
		k := e.Verdict.Kind
		if k == crash.KindPortTaken || !r.began && (k == crash.KindConfig || k == crash.KindCannotStart) {
			return true, end
		}
		r.print.say("waiting for you: mend it, then “vivarium start” in another terminal, or Ctrl-C")
	}
	return false, nil
}

// there shows what another program does with the backend. over is false if that program ended and left the backend to us.
func (r *run) there(ctx context.Context, c *control.Client) (over bool, err error) {
	remote := control.NewRemote(c)
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	ended := make(chan error, 1)
	work.Go(func() { ended <- remote.Run(ctx) })
	defer work.Wait()
	defer cancel()
	remote.Start()
	var last supervisor.Snapshot
	first := true
	var doubt <-chan time.Time // a stop that may have been there before our start
	for {
		select {
		case <-doubt:
			if doubt = nil; last.State == supervisor.Stopped && !last.Want {
				return true, nil
			}
		case last = <-remote.Changed():
			r.shows(last)
			if first {
				first = false
				if r.print.kept(last) != nil {
					return true, nil
				}
			}
		case e := <-remote.Events():
			if r.print.event(e) != nil {
				return true, nil
			}
			early := !r.heard
			if over, err := r.over(e, false); over {
				return true, err
			}
			if early && e.What == supervisor.EventStopped {
				doubt = time.After(doubtTime)
			}
		case <-ended:
			gone := last.State == supervisor.Stopped || last.State == supervisor.Stopping
			return gone && !last.Want && !first, nil
		case <-r.Signals:
			return true, nil
		case <-r.closed:
			return true, nil
		case <-ctx.Done():
			return true, nil
		}
	}
}

// doubtTime is how long a holder may take to begin a start that it was asked for.
const doubtTime = 2 * time.Second

package app

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/order"
	"github.com/vivarium-app/vivarium/supervisor"
)

// Waiter knows which backends there are beside one, and waits for those before it.
func Waiter(state string) order.Waiter {
	return order.Waiter{State: state, Known: func() []string {
		list, err := OpenBackends(state)
		if err != nil {
			return nil
		}
		return list.All()
	}}
}

// front is what this program shows of a backend that it keeps: the supervisor's snapshots, but for a stop that waits until others have ended.
// That one shows at once as not wanted any more, so that whoever asked for it knows that it was heard.
type front struct {
	mu     sync.Mutex
	held   *control.Held
	latest supervisor.Snapshot
	known  bool     // there was one
	ending bool     // its stop was asked for, and the supervisor has not said so yet
	behind []string // the backends that end first
}

// show takes the supervisor's newest snapshot.
func (f *front) show(s supervisor.Snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest, f.known = s, true
	f.ending = f.ending && (s.Want || len(f.behind) > 0)
	f.held.Show(f.dressed())
}

// now is what is shown at this moment.
func (f *front) now() supervisor.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dressed()
}

// end says that a stop was asked for, and waits for those behind.
func (f *front) end(behind []string) supervisor.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ending && slices.Equal(f.behind, behind) {
		return f.dressed()
	}
	f.ending, f.behind = f.latest.Want || len(behind) > 0, behind
	s := f.dressed()
	if f.known {
		f.held.Show(s)
	}
	return s
}

// cancel says that it is to run after all, and whether that changed anything.
func (f *front) cancel() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ending {
		return false
	}
	f.ending, f.behind = false, nil
	f.held.Show(f.latest)
	return true
}

func (f *front) dressed() supervisor.Snapshot {
	s := f.latest
	if f.ending {
		s.Want = false
	}
	if len(f.behind) > 0 {
		s.Note = "stops once " + strings.Join(f.behind, " and ") + " has stopped"
	}
	return s
}

// end stops m by how, a Stop or a Quit, once those that were started after it have ended; they are ended the same way first. Only what this
// program keeps is put in order: what another one keeps is that one's.
func (a *App) end(m *member, how func(control.Supervision)) {
	switch {
	case m.super == nil || !m.here || m.front == nil:
		m.wish(how)
		return
	case m.ending != nil:
		return
	}
	behind := a.behind(m)
	if len(behind) == 0 {
		m.wish(how)
		return
	}
	m.ending = how
	m.snapshot = m.front.end(namesOfMembers(behind))
	for _, d := range behind {
		a.end(d, how)
	}
}

// cancelEnd: a person wants it to run after all. Those that ended for it stay stopped.
func (a *App) cancelEnd(m *member) {
	m.ending = nil
	if m.front != nil && m.front.cancel() {
		m.snapshot = m.front.now()
	}
}

// behind are the backends that run here and were started after m.
func (a *App) behind(m *member) []*member {
	var running []*member
	var nodes []order.Node
	at := -1
	for _, o := range a.members {
		if o != m && (!o.here || !o.runsHere() || o.snapshot.State == supervisor.Unreachable) {
			continue
		}
		if o == m {
			at = len(running)
		}
		running = append(running, o)
		nodes = append(nodes, order.Node{Name: o.snapshot.Backend, Dir: o.dir, After: o.snapshot.After})
	}
	if at < 0 {
		return nil
	}
	var behind []*member
	for _, i := range order.Behind(at, nodes) {
		behind = append(behind, running[i])
	}
	return behind
}

func namesOfMembers(all []*member) []string {
	var names []string
	for _, m := range all {
		names = append(names, m.snapshot.Backend)
	}
	return names
}

// endInTurn goes on with the stops that waited. A Quit has little time: in the second half of it nobody is waited for any more, and the keepers
// end the rest by themselves.
func (a *App) endInTurn(now time.Time) {
	hurry := !a.quitting.IsZero() && !now.Before(a.quitting.Add(-quitTime/2))
	for _, m := range a.members {
		if m.ending == nil {
			continue
		}
		behind := a.behind(m)
		if len(behind) > 0 && !hurry && m.super != nil {
			m.snapshot = m.front.end(namesOfMembers(behind))
			continue
		}
		a.endNow(m)
	}
}

// endNow does not wait any longer.
func (a *App) endNow(m *member) {
	how := m.ending
	m.ending = nil
	if m.super == nil {
		return
	}
	m.snapshot = m.front.end(nil)
	how(m.super)
}

// heard is told what other programs want of a backend of ours, before its supervisor is. done: it has been taken care of.
func (a *App) heard(post func(func()), m *member) func(what control.Wish) (done bool) {
	return func(what control.Wish) bool {
		if what == control.WishStop {
			post(func() { a.end(m, control.Supervision.Stop) })
			return true
		}
		post(func() { a.cancelEnd(m) })
		return false
	}
}

package order

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

const (
	lookAgain  = 200 * time.Millisecond // while nobody keeps the one before, there is nothing that tells of news
	readAgain  = 2 * time.Second        // who is known, and what the configurations say, may change
	settleTime = time.Second            // an app that has just come up takes its backends one after the other
	maxKnown   = 256
)

// Waiter waits for the backends before one. They may be kept by this program or by another one: both are asked over the control socket.
type Waiter struct {
	State string          // the state folder
	Known func() []string // the folders of the backends on the list
}

// Check says what is wrong with the key after of c, beside the other backends: a *config.Error, or nil.
func (w Waiter) Check(c config.Config) error {
	if len(c.After) == 0 {
		return nil
	}
	_, err := Before(c, w.all(c))
	return err
}

// Await returns once the backends before c are healthy, all of them at the same time; see supervisor.Deps. Where a person asked for the start
// of c, those before it are started, too, if they are stopped or were given up. A configuration that is changed meanwhile ends the wait.
func (w Waiter) Await(ctx context.Context, c config.Config, asked func() bool, tell func(supervisor.Awaits)) (waited bool, err error) {
	s := wait{Waiter: w, asked: asked, started: map[string]bool{}, unheld: time.Now()}
	var told supervisor.Awaits
	for {
		before, err := Before(c, w.all(c))
		if err != nil {
			return waited, err
		}
		on, news, done := s.first(ctx, before)
		if on.Name == "" || waited && c.Changed() {
			done()
			return waited, nil
		}
		if on != told {
			tell(on)
			told = on
		}
		waited = true
		again := time.NewTimer(readAgain)
		if news == nil {
			again.Reset(lookAgain)
		}
		select {
		case <-ctx.Done():
		case <-news:
		case <-again.C:
		}
		again.Stop()
		done()
		if ctx.Err() != nil {
			return waited, ctx.Err()
		}
	}
}

// wait is one Await under way.
type wait struct {
	Waiter
	asked   func() bool
	started map[string]bool // folders of those that were asked to start
	unheld  time.Time       // since when the one that is waited for is kept by nobody, as far as we looked
}

// first is the first of before that is not healthy, and what tells of its news; Name "": all are. done ends the telling.
func (s *wait) first(ctx context.Context, before []config.Config) (on supervisor.Awaits, news <-chan control.Row, done func()) {
	for _, c := range before {
		client, err := control.Dial(ctx, keeper.BackendFolder(s.State, c.Dir))
		if err != nil {
			return s.unreached(c, err), nil, func() {}
		}
		row, news, err := client.Follow(ctx)
		if err == nil && row.State == supervisor.Healthy.String() && row.Want {
			client.Close()
			continue
		}
		s.unheld = time.Now()
		if err != nil {
			client.Close()
			return supervisor.Awaits{Name: c.Name}, nil, func() {}
		}
		return s.judge(ctx, c, client, row), news, client.Close
	}
	return supervisor.Awaits{}, nil, func() {}
}

// unreached: nobody keeps it, or whoever does cannot be asked.
func (s *wait) unreached(c config.Config, err error) supervisor.Awaits {
	on := supervisor.Awaits{Name: c.Name}
	switch {
	case time.Since(s.unheld) < settleTime:
	case errors.Is(err, control.ErrNotHeld):
		on.Why = "which no Vivarium program keeps"
	default:
		on.Why = "whose Vivarium program does not answer"
	}
	return on
}

// judge says what is with one that is kept and not healthy, and starts it if that is wanted.
func (s *wait) judge(ctx context.Context, c config.Config, client *control.Client, row control.Row) supervisor.Awaits {
	on := supervisor.Awaits{Name: row.Backend}
	down := row.State == supervisor.Stopped.String() || row.State == supervisor.GaveUp.String()
	if down && s.asked() && !s.started[c.Dir] {
		s.started[c.Dir] = true
		_, _ = client.Start(ctx) // what comes of it is told by its state
		return on
	}
	reason := ""
	if last := row.Snapshot().Last; last.Kind != "" && last.Summary != "" {
		reason = ": " + words.Plain(last.Summary)
	}
	switch {
	case row.Awaits != nil && row.Awaits.Name != "":
		on.Why, on.Stuck = words.Short("which waits for "+words.AwaitsText(*row.Awaits), words.MaxLine), row.Awaits.Stuck
	case down && row.Problem != "":
		on.Why, on.Stuck = "whose configuration cannot be used", true
	case row.State == supervisor.GaveUp.String():
		on.Why, on.Stuck = words.Short("which gave up"+reason, words.MaxLine), true
	case down:
		on.Why = "which is stopped"
	case row.State == supervisor.Unhealthy.String(), row.State == supervisor.Restarting.String(), row.State == supervisor.Unreachable.String():
		on.Why = "which is " + row.State
	}
	return on
}

// all are the configurations of the backends that may be named: those on the list, those that some Vivarium program keeps or kept, and those in
// the folders beside c, so that two that are run in two terminals find each other the first time.
func (w Waiter) all(c config.Config) []config.Config {
	dirs := []string{c.Dir}
	if w.Known != nil {
		dirs = append(dirs, w.Known()...)
	}
	folders, _ := filepath.Glob(filepath.Join(w.State, "b", "*")) // the pattern is ours
	for _, folder := range folders {
		if s, err := record.ReadWant(folder); err == nil && s != nil && filepath.IsAbs(s.Dir) && keeper.BackendFolder(w.State, s.Dir) == folder {
			dirs = append(dirs, s.Dir)
		}
	}
	beside, _ := filepath.Glob(filepath.Join(quoted(filepath.Dir(c.Dir)), "*", config.FileName))
	for _, file := range beside {
		dirs = append(dirs, filepath.Dir(file))
	}
	var all []config.Config
	for _, dir := range dirs {
		if len(all) >= maxKnown {
			break
		}
		if slices.ContainsFunc(all, func(o config.Config) bool { return o.Dir == dir }) {
			continue
		}
		if o, err := config.Load(dir); err == nil || config.Exists(dir) { // a broken one has its folder's name
			all = append(all, o)
		}
	}
	return all
}

// quoted is a path in which no character is a pattern's.
func quoted(path string) string {
	var b []rune
	for _, c := range path {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(b)
}

// Package hook runs the command of [on_event]: each chosen event of a backend as one line of JSON on its standard input, one command at a
// time, bounded in time and number. It never keeps the caller waiting, and ends with it.
// It knows events and a command; it must not know who tells a person, or what a backend does.
// Begin with Runner.
package hook

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
)

const (
	maxQueued  = 32              // events that wait for the command; more are dropped, and counted
	finishTime = 4 * time.Second // what the last events may take once the program leaves
)

// Runner passes on the events of one backend.
type Runner struct {
	dir     string
	log     *slog.Logger
	failed  func(text string) // told of the first failure, and of the next one after a success
	queue   chan supervisor.Event
	dropped atomic.Int64
	done    chan struct{}
	once    sync.Once
	work    sync.WaitGroup

	// Owned by the goroutine of run.
	good    config.OnEvent // the last that could be read
	failing bool
}

// New starts a Runner for the backend in dir. Without a command in its vivarium.toml it does nothing; the file is read at each event, so that a
// change needs no restart. failed, which may be nil, is called on a goroutine of the Runner's.
func New(dir string, log *slog.Logger, failed func(text string)) *Runner {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if failed == nil {
		failed = func(string) {}
	}
	r := &Runner{dir: dir, log: log, failed: failed, queue: make(chan supervisor.Event, maxQueued), done: make(chan struct{})}
	r.work.Go(r.run)
	return r
}

// Tell passes an event on. It never blocks: what the command is too slow for is dropped, counted, and told with the next event.
func (r *Runner) Tell(e supervisor.Event) {
	select {
	case r.queue <- e:
	default:
		r.dropped.Add(1)
	}
}

// Close lets the last events be told, for four seconds at most, ends what still runs, and returns then.
func (r *Runner) Close() {
	r.once.Do(func() { close(r.done) })
	r.work.Wait()
}

func (r *Runner) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-r.done:
			time.AfterFunc(finishTime, cancel)
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case e := <-r.queue:
			r.pass(ctx, e)
			continue
		default:
		}
		select {
		case e := <-r.queue:
			r.pass(ctx, e)
		case <-r.done:
			if len(r.queue) == 0 || ctx.Err() != nil {
				return
			}
		}
	}
}

// pass runs the command for one event, if it is one of those that were chosen.
func (r *Runner) pass(ctx context.Context, e supervisor.Event) {
	if c, err := config.Load(r.dir); err == nil {
		r.good = c.OnEvent
	}
	c := r.good
	if len(c.Command) == 0 {
		r.dropped.Store(0) // nobody missed them
		return
	}
	if ctx.Err() != nil || !slices.Contains(c.Events, string(e.What)) {
		return
	}
	lost := r.dropped.Swap(0)
	if lost > 0 {
		r.log.Warn("on_event was too slow for some events", "backend", e.Snapshot.Backend, "dropped", lost)
	}
	text, err := line(e, lost)
	if err == nil {
		err = start(ctx, c, r.dir, e, text)
	}
	if ctx.Err() != nil && err != nil {
		r.log.Warn("on_event was ended with its program", "backend", e.Snapshot.Backend, "event", e.What)
		return
	}
	r.judge(e, lost, err)
}

// judge tells of a failure once, until it went well again.
func (r *Runner) judge(e supervisor.Event, lost int64, err error) {
	if err == nil {
		r.failing = false
	}
	text := ""
	switch {
	case err != nil:
		text = fmt.Sprintf("the command of on_event failed for %s: %v", e.What, err)
		r.log.Warn("on_event", "backend", e.Snapshot.Backend, "event", e.What, "error", err)
	case lost > 0:
		text = fmt.Sprintf("the command of on_event is too slow: it was not told of %d events", lost)
	}
	if text == "" || err != nil && r.failing {
		return
	}
	r.failing = err != nil
	r.failed(mask.Line(text))
}

// row is what the command reads: the row of `vivarium run --json`, and how many events before it were dropped.
type row struct {
	control.Row
	Dropped int64 `json:"dropped,omitempty"`
}

func line(e supervisor.Event, lost int64) ([]byte, error) {
	r := row{Row: control.EventRow(e), Dropped: lost}
	r.HeldBy = os.Getpid()
	masked(&r.Row)
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("writing the event: %w", err)
	}
	return append(text, '\n'), nil
}

// masked hides secrets in the texts that come from outside: the rest are names, numbers and paths.
func masked(r *control.Row) {
	for _, text := range []*string{&r.Health.Problem, &r.Problem, &r.Note, &r.Text} {
		*text = mask.Line(*text)
	}
	for _, v := range []**control.RowVerdict{&r.Verdict, &r.Last} {
		if *v != nil {
			own := **v
			own.Summary, own.Remedy, own.Line = mask.Line(own.Summary), mask.Line(own.Remedy), mask.Line(own.Line)
			*v = &own
		}
	}
	if r.Tally != nil {
		own := *r.Tally
		own.Causes = slices.Clone(own.Causes)
		for i := range own.Causes {
			own.Causes[i].Summary = mask.Line(own.Causes[i].Summary)
		}
		r.Tally = &own
	}
	if r.Stall != nil {
		own := *r.Stall
		own.Summary, own.Remedy = mask.Line(own.Summary), mask.Line(own.Remedy)
		r.Stall = &own
	}
	if r.Owner != nil {
		own := *r.Owner
		own.Name, own.Why = mask.Line(own.Name), mask.Line(own.Why)
		r.Owner = &own
	}
	if r.Awaits != nil {
		own := *r.Awaits
		own.Why = mask.Line(own.Why)
		r.Awaits = &own
	}
}

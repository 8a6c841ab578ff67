// Package supervisor decides: what should run, whether it is well, what to do about it, and what to say. The machine is pure; the
// Supervisor is the one loop around it.
package supervisor

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/postmortem"
	"github.com/vivarium-app/vivarium/supervisor/power"
	"github.com/vivarium-app/vivarium/supervisor/queue"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// finishTime is how long the end of Run waits for what is under way.
const finishTime = 1500 * time.Millisecond

// Deps is what a Supervisor is given. State and KeeperExe are needed.
type Deps struct {
	State       string       // the state folder
	KeeperExe   string       // the program to start as keeper
	Parent      []string     // the environment the backend inherits. If nil, this process's
	Interactive bool         // started in a person's shell: its $VIRTUAL_ENV and $CONDA_PREFIX count
	Log         *slog.Logger // If nil, nothing is logged
	// Await returns once the backends that c is to be started after are healthy, and says whether it had to wait. tell hears whom it waits
	// for; asked: a person wants this start. A *config.Error refuses it. If nil, nobody is waited for.
	Await func(ctx context.Context, c config.Config, asked func() bool, tell func(Awaits)) (waited bool, err error)
	// KeepAwake keeps the computer from idle sleep until it is closed; why is for a person. If nil, power.Take.
	KeepAwake func(why string) (io.Closer, error)
	// Recorded hears of each death, once soon after it and again when later evidence changed what is known. It is called on a goroutine
	// of its own, never twice at the same time, and may write the page (see Record.Page), which is then looked for. It may be nil.
	Recorded func(record.Record)
}

// Supervisor keeps one backend running.
type Supervisor struct {
	dir, folder string
	deps        Deps
	system      platform.System
	log         *slog.Logger
	box         *queue.Box[message]
	changed     chan Snapshot
	events      chan Event
	asked       chan chan<- record.History
	ordered     *queue.Line // what is to be written and what the keeper is to be told, in order

	awake *power.Hold

	// Owned by the loop.
	m       machine
	conn    platform.Keeper
	cancel  context.CancelFunc // of the launch under way
	cutDeep context.CancelFunc // of the latest deep probe
	later   []effect           // what waits until the fork is done
	queue   []Event
	early   []message // what came before began
	begun   bool
	waiting bool // for a keeper that is there and does not answer
	shown   Snapshot
	before  map[string]time.Time // the semaphores that were there before the present run
	logFrom int64                // size of the log when the present run began
	measure measure
	seen    *observation.Observation // the latest of the present run, or of the one before
	native  []string                 // where the native code of the present run was, or of the one before
	good    *planned                 // the last that worked
	running sync.WaitGroup

	// For those who look at the end of a run.
	known      atomic.Pointer[knowledge]              // of the present run
	memory     atomic.Pointer[postmortem.MemoryWatch] // of the present run
	scans      postmortem.Scans
	wished     atomic.Int64 // the launch that a person asked for while it waited
	noRecorder sync.Once    // why there is none is said once
	recording  sync.Mutex   // one record is written and told at a time
}

// New prepares a Supervisor of the backend in dir (absolute, links resolved). Run sets it going.
func New(dir string, d Deps) *Supervisor {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.KeepAwake == nil {
		d.KeepAwake = power.Take
	}
	real := platform.Real(d.State, d.Parent, d.Interactive)
	s := &Supervisor{
		m:   machine{sampler: real.Sample != nil},
		dir: dir, folder: keeper.BackendFolder(d.State, dir), deps: d, system: real, log: d.Log,
		box:     queue.NewBox[message](),
		changed: make(chan Snapshot, 1), events: make(chan Event), asked: make(chan chan<- record.History), ordered: queue.NewLine(256),
	}
	s.awake = power.NewHold(d.KeepAwake, "The backend in "+filepath.Base(dir)+" is not to be put to sleep", func(held bool, problem error) {
		if problem != nil {
			s.log.Warn("keep_awake has no effect", "backend", s.dir, "error", problem)
		}
		s.box.Post(message{in: awake{held}})
	})
	return s
}

// Start and its sisters tell what a person wants. They never block and never fail; what comes of it is told by Changed and
// Events.
func (s *Supervisor) Start() { s.box.Post(message{in: start{}}) }

// Stop asks for the end of what runs, and of every wish to start it again.
func (s *Supervisor) Stop() { s.box.Post(message{in: stop{}}) }

// Restart stops what runs and starts it anew with the configuration of that moment.
func (s *Supervisor) Restart() { s.box.Post(message{in: restart{}}) }

// TakeOver starts, and first ends a copy of this backend that was started by hand.
func (s *Supervisor) TakeOver() { s.box.Post(message{in: takeOver{}}) }

// Hurry skips the grace of the stop that is under way.
func (s *Supervisor) Hurry() { s.box.Post(message{in: hurry{}}) }

// Quit is a Stop that is not remembered: the next time autostart decides.
func (s *Supervisor) Quit() { s.box.Post(message{in: quit{}}) }

// Look says that somebody looks: fresh figures are worth their price.
func (s *Supervisor) Look() { s.box.Post(message{in: look{}}) }

// Changed gives the newest Snapshot; older ones that nobody took are dropped.
func (s *Supervisor) Changed() <-chan Snapshot { return s.changed }

// Events gives every event, in order.
func (s *Supervisor) Events() <-chan Event { return s.events }

// Run is the loop. It ends with ctx and leaves the child alone: the keeper goes on without us.
func (s *Supervisor) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	s.background(func() { s.ordered.Run(ctx) })
	s.background(func() { s.begin(ctx) })
	timer := time.NewTimer(time.Hour)
	sleep := power.NewSleep(s.system.Asleep, time.Now())
	if s.system.Sleeps != nil {
		s.background(func() {
			s.system.Sleeps(ctx, func(about bool) { s.post(ctx, message{in: sleeping{about}}) })
		})
	}
	defer func() {
		timer.Stop()
		cancel()
		s.finish()
	}()
	for {
		var out chan<- Event
		var next Event
		if len(s.queue) > 0 {
			out, next = s.events, s.queue[0]
		}
		var messages []message
		select {
		case <-ctx.Done():
			s.catchUp(ctx)
			return nil
		case out <- next:
			s.queue = s.queue[1:]
			continue
		case answer := <-s.asked:
			answer <- s.m.past()
			continue
		case <-s.box.Ready():
			messages = s.box.Take()
		case <-timer.C:
			if len(s.later) > 0 {
				s.catchUp(ctx)
			} else {
				messages = []message{{in: due{}}}
			}
		}
		now := time.Now()
		if d := sleep.Since(now); d > 0 {
			messages = append([]message{{in: woke{d}}}, messages...)
		}
		for _, l := range messages {
			s.receive(ctx, now, l)
		}
		s.publish()
		timer.Stop()
		if len(s.later) > 0 {
			timer.Reset(forkTime)
		} else if d := s.m.deadline; !d.IsZero() {
			timer.Reset(max(time.Until(d), 0))
		}
	}
}

// finish lets what is under way end, within reason: the last requests are to be sent, but an app that is told to quit does not wait
// for a keeper or a system call that does not answer.
func (s *Supervisor) finish() {
	s.awake.Close()
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	t := time.NewTimer(finishTime)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
	if s.conn != nil { // a keeper with nothing to keep is not left behind
		ctx, cancel := context.WithTimeout(context.Background(), finishTime)
		defer cancel()
		s.conn.Goodbye(ctx)
	}
}

// receive feeds the machine and carries out what it wants. Before began nothing else is heard: an intent must not be decided on
// a state that is not known yet.
func (s *Supervisor) receive(ctx context.Context, now time.Time, l message) {
	_, first := l.in.(began)
	_, early := l.in.(unreachable)
	if !s.begun && !first && !early {
		s.early = append(s.early, l)
		return
	}
	if l.subject != nil {
		l.subject <- s.subject(s.m.Run, stall.Asked, 0, "") // there is room
		return
	}
	s.catchUp(ctx)
	if l.conn != nil {
		s.conn = l.conn
	}
	switch in := l.in.(type) {
	case reattached:
		s.conn = l.conn // nil: there is none any more
	case unreachable:
		s.waiting = true
	case began:
		s.good, s.logFrom = l.good, l.logFrom
		s.learn()
	case launched:
		s.before, s.good, s.logFrom = l.before, l.good, l.logFrom
		s.measure, s.native = measure{}, nil
	case used:
		s.measure = l.measure
		if in.looked {
			defer s.learn()
		}
	case arrived:
		defer s.learn()
	case observed:
		if in.runID == s.m.Run.ID {
			s.seen = l.seen
		}
	case sampled:
		if in.runID == s.m.Run.ID {
			s.native = l.native
		}
	case semaphores:
		if in.left > 0 {
			s.log.Warn("the ended run left named semaphores behind", "backend", s.m.Backend, "count", in.left)
		}
	}
	s.performAll(ctx, s.m.step(now, l.in))
	if s.cutDeep != nil && !s.m.running() { // a server that stops waits for the requests that are under way
		s.cutDeep()
	}
	if s.watched(l) {
		conn, run := s.conn, s.m.Run
		s.learn()
		s.background(func() { s.await(ctx, conn, run) })
	}
	if first {
		s.begun = true
		early := s.early
		s.early = nil
		for _, l := range early {
			s.receive(ctx, now, l)
		}
	}
}

// watched: this message brought a run, or a connection to it, whose end is to be waited for.
func (s *Supervisor) watched(l message) bool {
	if s.conn == nil || s.m.Run.ID == "" {
		return false
	}
	switch in := l.in.(type) {
	case launched:
		return in.attempt == s.m.attempt
	case began:
		return in.found.run.ID == s.m.Run.ID
	case reattached:
		return in.found.run.ID == s.m.Run.ID
	}
	return false
}

func (s *Supervisor) publish() {
	if !s.begun && !s.waiting || reflect.DeepEqual(s.shown, s.m.Snapshot) {
		return
	}
	s.shown = s.m.Snapshot
	select {
	case <-s.changed:
	default:
	}
	s.changed <- s.shown // nobody else sends: there is room
}

// background runs what may block outside the loop; Run waits for it at the end.
func (s *Supervisor) background(f func()) {
	s.running.Go(f)
}

// message is an input with what the loop, not the machine, needs of it.
type message struct {
	in      input
	conn    platform.Keeper
	before  map[string]time.Time
	logFrom int64
	good    *planned
	measure measure
	seen    *observation.Observation
	native  []string
	subject chan<- observation.Subject // no input: somebody wants to look at the run
}

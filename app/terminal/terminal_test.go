package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

const patience = 20 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, "not within "+patience.String()+": "+what)
		}
	}
}

// actor is a supervisor that does what a test says; told to stop it is stopped, unless it is stubborn.
type actor struct {
	changed  chan supervisor.Snapshot
	events   chan supervisor.Event
	stubborn bool
	silent   bool // says nothing of a start

	mu    sync.Mutex
	heard []string
}

func newActor() *actor {
	return &actor{changed: make(chan supervisor.Snapshot, 1), events: make(chan supervisor.Event, 16)}
}

func (a *actor) hear(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = append(a.heard, what)
}

func (a *actor) count(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, h := range a.heard {
		if h == what {
			n++
		}
	}
	return n
}

func snapshot(s supervisor.State) supervisor.Snapshot {
	n := supervisor.Snapshot{Backend: "brain", Dir: "/srv/brain", State: s, Log: "/l", URL: "http://127.0.0.1:8000"}
	if s == supervisor.Healthy || s == supervisor.Starting {
		n.Want, n.Run = true, keeper.Run{ID: "r", PID: 4711}
	}
	return n
}

func (a *actor) say(what supervisor.What, s supervisor.State, f ...func(*supervisor.Event)) {
	e := supervisor.Event{What: what, At: time.Now(), Snapshot: snapshot(s)}
	for _, change := range f {
		change(&e)
	}
	a.show(e.Snapshot)
	a.events <- e
}

func (a *actor) show(s supervisor.Snapshot) {
	select {
	case <-a.changed:
	default:
	}
	a.changed <- s
}

func asked(e *supervisor.Event) { e.Asked = true }

func verdict(k crash.Kind) func(*supervisor.Event) {
	return func(e *supervisor.Event) {
		e.Verdict = crash.Verdict{Kind: k, Summary: "because of " + string(k), Remedy: "do something"}
	}
}

func (a *actor) Start() {
	a.hear("start")
	if !a.silent {
		a.say(supervisor.EventStarted, supervisor.Starting)
	}
}

func (a *actor) Stop() {
	a.hear("stop")
	a.say(supervisor.EventStopping, supervisor.Stopping, asked)
	if !a.stubborn {
		a.say(supervisor.EventStopped, supervisor.Stopped, asked)
	}
}

func (a *actor) Hurry() {
	a.hear("hurry")
	a.say(supervisor.EventStopped, supervisor.Stopped, asked)
}

func (a *actor) Restart()                            { a.hear("restart") }
func (a *actor) TakeOver()                           { a.hear("take-over") }
func (a *actor) Quit()                               { a.hear("quit") }
func (a *actor) Look()                               { a.hear("look") }
func (a *actor) Changed() <-chan supervisor.Snapshot { return a.changed }
func (a *actor) Events() <-chan supervisor.Event     { return a.events }
func (a *actor) Run(ctx context.Context) error       { <-ctx.Done(); return nil }

// screen is a place to print that a test can read meanwhile, and can close.
type screen struct {
	mu     sync.Mutex
	text   bytes.Buffer
	closed bool
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, syscall.EPIPE
	}
	return s.text.Write(b)
}

func (s *screen) has(part string) bool { return strings.Contains(s.all(), part) }

func (s *screen) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// foreground is a `run` under way.
type foreground struct {
	*actor
	screen  *screen
	signals chan os.Signal
	closed  chan struct{}
	done    chan error
}

func start(t *testing.T, state string, a *actor, change ...func(*Options)) *foreground {
	t.Helper()
	f := &foreground{actor: a, screen: &screen{}, signals: make(chan os.Signal, 4), closed: make(chan struct{}), done: make(chan error, 1)}
	o := Options{
		Config: config.Config{Name: "brain", Dir: "/srv/brain", Log: config.Log{File: "/l"}}, State: state,
		Out: f.screen, Signals: f.signals, Closed: f.closed, Supervise: func(string) control.Supervision { return a },
	}
	for _, c := range change {
		c(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { f.done <- Run(ctx, o) }()
	return f
}

func (f *foreground) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-f.done:
		return err
	case <-time.After(patience):
		require.FailNow(t, "run has not ended:\n"+f.screen.all())
		return nil
	}
}

func state(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "viv")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestALineForEachEvent(t *testing.T) {
	f := start(t, state(t), newActor())
	eventually(t, "it started", func() bool { return f.screen.has("started · process 4711") })
	f.say(supervisor.EventHealthy, supervisor.Healthy)
	eventually(t, "it is healthy", func() bool { return f.screen.has("healthy") })
	f.signals <- syscall.SIGINT
	require.NoError(t, f.ended(t))
	require.True(t, f.screen.has("stopped"))
	require.NotContains(t, f.screen.all(), "\x1b", "no colour where nobody asked for it")
	for line := range strings.Lines(f.screen.all()) {
		require.Regexp(t, `^\d\d:\d\d:\d\d  \S`, line)
	}
}

func TestColoursAreForThoseWhoAskedForThem(t *testing.T) {
	f := start(t, state(t), newActor(), func(o *Options) { o.Colour = true })
	f.say(supervisor.EventCrashed, supervisor.Restarting, verdict(crash.KindSegfault))
	eventually(t, "red", func() bool { return f.screen.has(red + "crashed") })
	f.signals <- syscall.SIGTERM
	require.NoError(t, f.ended(t))
}

func TestWithJSONEveryLineIsARow(t *testing.T) {
	f := start(t, state(t), newActor(), func(o *Options) { o.JSON = true })
	eventually(t, "it started", func() bool { return f.screen.has("started") })
	f.say(supervisor.EventHealthy, supervisor.Healthy)
	f.say(supervisor.EventCrashed, supervisor.Restarting, verdict(crash.KindSegfault))
	f.signals <- syscall.SIGHUP
	require.NoError(t, f.ended(t))
	var seen []supervisor.What
	d := json.NewDecoder(strings.NewReader(f.screen.all()))
	for {
		var r control.Row
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, 1, r.V)
		require.Equal(t, "brain", r.Backend)
		seen = append(seen, r.Event)
	}
	require.Equal(t, []supervisor.What{"started", "healthy", "crashed", "stopping", "stopped"}, seen)
}

func TestTheSecondCtrlCSkipsTheGraceAndTheThirdLeavesItToTheKeeper(t *testing.T) {
	a := newActor()
	a.stubborn = true
	f := start(t, state(t), a)
	f.signals <- syscall.SIGINT
	eventually(t, "it stops", func() bool { return f.screen.has("stopping") })
	f.signals <- syscall.SIGINT
	require.NoError(t, f.ended(t))
	require.Equal(t, 1, a.count("hurry"))

	b := &deaf{newActor()}
	b.stubborn = true
	g := start(t, state(t), b.actor, func(o *Options) { o.Supervise = func(string) control.Supervision { return b } })
	for range 3 {
		g.signals <- syscall.SIGINT
	}
	require.NoError(t, g.ended(t))
	require.True(t, g.screen.has("left to the keeper"))
}

// deaf does not even hurry.
type deaf struct{ *actor }

func (d *deaf) Hurry() {}

func TestAClosedOutputIsAStop(t *testing.T) {
	f := start(t, state(t), newActor())
	eventually(t, "it started", func() bool { return f.screen.has("started") })
	close(f.closed)
	require.NoError(t, f.ended(t))
	require.Equal(t, 1, f.count("stop"))

	g := start(t, state(t), newActor(), func(o *Options) { o.Closed = nil })
	eventually(t, "it started", func() bool { return g.screen.has("started") })
	g.screen.mu.Lock()
	g.screen.closed = true
	g.screen.mu.Unlock()
	g.say(supervisor.EventHealthy, supervisor.Healthy)
	require.NoError(t, g.ended(t))
	require.Equal(t, 1, g.count("stop"))
}

func TestAPipeWithoutAReaderIsClosed(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	closed := Closed(w)
	select {
	case <-closed:
		require.Fail(t, "somebody still reads")
	case <-time.After(20 * time.Millisecond):
	}
	require.NoError(t, r.Close())
	select {
	case <-closed:
	case <-time.After(patience):
		require.Fail(t, "nobody noticed")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer f.Close()
	select {
	case <-Closed(f):
		require.Fail(t, "a file has no reader")
	case <-time.After(20 * time.Millisecond):
	}
}

func TestAStopFromElsewhereEndsRunToo(t *testing.T) {
	st := state(t)
	f := start(t, st, newActor())
	eventually(t, "it started", func() bool { return f.screen.has("started") })
	c, err := control.Dial(t.Context(), keeper.BackendFolder(st, "/srv/brain"))
	require.NoError(t, err)
	_, news, err := c.Follow(t.Context())
	require.NoError(t, err)
	_, err = c.Stop(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.ended(t))
	stopped := false
	for r := range news {
		stopped = stopped || r.Event == supervisor.EventStopped
	}
	require.True(t, stopped, "who asked for the stop is told of it before run is gone")
}

func TestHowAnEarlierRunEndedIsNotTheEndOfThisOne(t *testing.T) {
	a := newActor()
	a.silent = true
	f := start(t, state(t), a)
	away := func(e *supervisor.Event) { e.Away = true }
	a.say(supervisor.EventStopped, supervisor.Stopped, asked, away)
	a.say(supervisor.EventCrashed, supervisor.Stopped, verdict(crash.KindSegfault), away) // its policy is never to restart
	a.say(supervisor.EventStarted, supervisor.Starting)
	eventually(t, "it started", func() bool { return f.screen.has("started") })
	f.signals <- syscall.SIGINT
	require.NoError(t, f.ended(t))
}

func TestAStopThatIsTheFirstThingToHappenIsTheEnd(t *testing.T) {
	a := newActor()
	a.silent = true
	f := start(t, state(t), a)
	a.say(supervisor.EventStopped, supervisor.Stopped, asked)
	require.NoError(t, f.ended(t))
}

func TestARunWhoseKeeperCannotBeReachedSaysSoAndEndsWithOneSignal(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		a := newActor()
		a.silent, a.stubborn = true, true
		f := start(t, state(t), a)
		s := snapshot(supervisor.Unreachable)
		s.Note = "the keeper cannot be reached: it is silent"
		a.show(s)
		eventually(t, "it says so", func() bool { return f.screen.has("it is silent") })
		f.signals <- sig
		require.ErrorContains(t, f.ended(t), "cannot be stopped")
	}
}

func TestAStopThatIsUnderWayWhenTheKeeperGoesOutOfReachIsAnsweredAfterAWhile(t *testing.T) {
	a := newActor()
	a.stubborn = true
	f := start(t, state(t), a)
	eventually(t, "it started", func() bool { return f.screen.has("started") })
	f.signals <- syscall.SIGTERM
	eventually(t, "it is told to stop", func() bool { return a.count("stop") == 1 })
	a.show(snapshot(supervisor.Unreachable))
	require.ErrorContains(t, f.ended(t), "cannot be stopped")
}

func TestGivingUpWaitsForAPersonButNotForAForeignPort(t *testing.T) {
	f := start(t, state(t), newActor())
	eventually(t, "it started", func() bool { return f.screen.has("started") })
	f.say(supervisor.EventGaveUp, supervisor.GaveUp, verdict(crash.KindSegfault))
	eventually(t, "it says that it waits", func() bool { return f.screen.has("waiting for you") })
	f.say(supervisor.EventGaveUp, supervisor.GaveUp, verdict(crash.KindConfig)) // a person's try that came to nothing
	select {
	case err := <-f.done:
		require.Fail(t, "it did not wait", "%v", err)
	case <-time.After(20 * time.Millisecond):
	}
	f.say(supervisor.EventGaveUp, supervisor.GaveUp, verdict(crash.KindPortTaken))
	var end *EndError
	require.ErrorAs(t, f.ended(t), &end)
	require.Equal(t, crash.KindPortTaken, end.Verdict.Kind)
	require.Equal(t, "because of port-taken", end.Error())
}

func TestAStartThatCouldNotEvenBeTriedIsTheEnd(t *testing.T) {
	for _, k := range []crash.Kind{crash.KindConfig, crash.KindCannotStart} {
		a := newActor()
		a.silent = true
		f := start(t, state(t), a)
		f.say(supervisor.EventGaveUp, supervisor.GaveUp, verdict(k))
		var end *EndError
		require.ErrorAs(t, f.ended(t), &end)
	}
}

func TestWithoutARestartACrashIsTheEndAndACleanExitASuccess(t *testing.T) {
	f := start(t, state(t), newActor())
	f.say(supervisor.EventCrashed, supervisor.Stopped, verdict(crash.KindSegfault))
	var end *EndError
	require.ErrorAs(t, f.ended(t), &end)
	g := start(t, state(t), newActor())
	eventually(t, "it started", func() bool { return g.screen.has("started") })
	g.say(supervisor.EventStopped, supervisor.Stopped, verdict(crash.KindCleanExit))
	require.NoError(t, g.ended(t))
}

func TestASecondRunFollowsTheFirst(t *testing.T) {
	for _, inJSON := range []bool{false, true} {
		st := state(t)
		first := start(t, st, newActor())
		eventually(t, "it started", func() bool { return first.screen.has("started") })
		never := newActor()
		second := start(t, st, never, func(o *Options) { o.JSON = inJSON })
		eventually(t, "it says who keeps it", func() bool { return second.screen.has("kept by Vivarium (PID ") && second.screen.has("4711") })
		eventually(t, "Start is passed on", func() bool { return first.count("start") == 2 })
		first.say(supervisor.EventHealthy, supervisor.Healthy)
		eventually(t, "it shows events", func() bool { return second.screen.has("healthy") })
		second.signals <- syscall.SIGINT
		require.NoError(t, second.ended(t))
		require.Zero(t, first.count("stop"), "only the following ended")
		require.Zero(t, never.count("start"), "there was never a second supervisor")

		third := start(t, st, newActor())
		eventually(t, "it follows", func() bool { return third.screen.has("kept by") })
		first.signals <- syscall.SIGINT
		require.NoError(t, first.ended(t))
		require.NoError(t, third.ended(t), "a stop ends what both are there for")
	}
}

func TestAFollowerGoesOnItselfWhereTheHolderEndsWithoutAStop(t *testing.T) {
	st := state(t)
	held, err := control.Hold(keeper.BackendFolder(st, "/srv/brain"))
	require.NoError(t, err)
	theirs := newActor()
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(ctx, theirs) })
	held.Show(snapshot(supervisor.Healthy))
	mine := newActor()
	f := start(t, st, mine)
	eventually(t, "it follows", func() bool { return f.screen.has("kept by") })
	cancel()
	work.Wait()
	require.NoError(t, held.Close())
	eventually(t, "it has it", func() bool { return mine.count("start") == 1 })
	f.signals <- syscall.SIGINT
	require.NoError(t, f.ended(t))
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

func TestQuitStopsEveryBackendWithoutRememberingIt(t *testing.T) {
	one, two := backendFolder(t, "one"), backendFolder(t, "two")
	s := play(t, one, two)
	s.puppet(one).BecomeHealthy()
	p := s.puppet(two)
	s.clickTail(TailQuit)
	s.ended()
	require.True(t, s.puppet(one).Has("quit"))
	require.True(t, p.Has("quit"))
	require.False(t, p.Has("stop"))
}

func TestSIGTERMIsAQuit(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	s.status("Stopped")
	p.BecomeHealthy()
	s.status("Healthy")
	s.cancel()
	s.ended()
	require.True(t, p.Has("quit"))
}

func TestAServerThatDoesNotStopDoesNotHoldUpTheQuit(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	p.Slow = true
	p.BecomeHealthy()
	s.status("Healthy")
	s.clickTail(TailQuit)
	s.ended()
	require.True(t, p.Has("quit"))
}

func TestAQuitOfABackendThatGaveUpIsWaitedForSoThatItIsForgotten(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	p.Become(func(n *supervisor.Snapshot) { n.State = supervisor.GaveUp })
	s.status("Gave up")
	s.clickTail(TailQuit)
	s.ended()
	p.Mu.Lock()
	defer p.Mu.Unlock()
	require.Equal(t, supervisor.Stopped, p.Shown.State)
}

func TestABrokenListOfBackendsIsToldAndTheAppRuns(t *testing.T) {
	s := &stage{t: t, state: filepath.Join(testkit.ShortDir(t), "s"), actions: make(chan Action, 16), puppets: map[string]*testkit.Puppet{}, done: make(chan error, 1)}
	require.NoError(t, os.MkdirAll(s.state, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(s.state, "backends.json"), []byte("{"), 0o600))
	s.start()
	s.status("Add a backend")
	testkit.Eventually(t, "it is told", func() bool { return s.told("backends.json") })
}

func TestTheMenuHasRoomForSoManyBackendsAndNoMore(t *testing.T) {
	var dirs []string
	for i := range words.MaxBackends {
		dirs = append(dirs, backendFolder(t, fmt.Sprint("b", i)))
	}
	s := play(t, dirs...)
	s.status("8 backends")
	s.clickTail(TailAdd)
	testkit.Eventually(t, "it says so", func() bool { return s.hasDone("tell Add Backend") })
	require.False(t, s.hasDone("folder"))
}

func TestQuitAndLeaveRunningStopsNothing(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	p.BecomeHealthy()
	s.status("Healthy")
	s.clickTail(TailLeave)
	s.ended()
	require.False(t, p.Has("quit"))
	require.False(t, p.Has("stop"))
}

func TestASecondAppTellsTheFirstAndLeaves(t *testing.T) {
	s := play(t)
	s.status("Add a backend")
	s.set(func() { s.fail = errors.New("no dashboard here") })
	_, err := New(Options{State: s.state, Log: slog.New(slog.DiscardHandler), AtLogin: true})
	require.ErrorIs(t, err, ErrRunning)
	_, err = New(Options{State: s.state, Log: slog.New(slog.DiscardHandler), Supervise: s.supervise})
	require.ErrorIs(t, err, ErrRunning)
	testkit.Eventually(t, "it is told", func() bool { return s.told("already running") })
	s.clickTail(TailQuit)
	s.ended()
	again, err := New(Options{State: s.state, Log: slog.New(slog.DiscardHandler), Supervise: s.supervise})
	require.NoError(t, err, "after the first one's end there is room")
	again.Close()
}

func TestABackendThatARunHoldsIsShownAndTakenOverWhenItEnds(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := &stage{t: t, state: filepath.Join(testkit.ShortDir(t), "s"), actions: make(chan Action, 16), puppets: map[string]*testkit.Puppet{}, done: make(chan error, 1)}
	list, err := OpenBackends(s.state)
	require.NoError(t, err)
	require.NoError(t, list.Add(dir))
	held, err := control.Hold(keeper.BackendFolder(s.state, dir))
	require.NoError(t, err)
	theirs := testkit.NewPuppet(dir)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(ctx, theirs) })
	work.Go(func() {
		for {
			select {
			case n := <-theirs.Changed():
				held.Show(n)
			case <-ctx.Done():
				return
			}
		}
	})
	theirs.BecomeHealthy()
	s.start()
	s.status("kept by vivarium run")
	s.click(ItemRestart)
	testkit.Eventually(t, "it is heard over there", func() bool { return theirs.Has("restart") })
	s.mu.Lock()
	require.Empty(t, s.puppets, "there is one supervisor")
	s.mu.Unlock()
	cancel()
	work.Wait()
	require.NoError(t, held.Close())
	ours := s.puppet(dir)
	s.status("Stopped")
	s.click(ItemStart)
	testkit.Eventually(t, "it is heard here", func() bool { return ours.Has("start") })
}

func TestQuitLeavesWhatAnotherProgramKeeps(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := &stage{t: t, state: filepath.Join(testkit.ShortDir(t), "s"), actions: make(chan Action, 16), puppets: map[string]*testkit.Puppet{}, done: make(chan error, 1)}
	list, err := OpenBackends(s.state)
	require.NoError(t, err)
	require.NoError(t, list.Add(dir))
	held, err := control.Hold(keeper.BackendFolder(s.state, dir)) // it has the backend, but says nothing yet
	require.NoError(t, err)
	defer held.Close()
	s.start()
	s.clickTail(TailQuit)
	s.ended()
}

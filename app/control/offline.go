package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// Look is how the backend of c is: the word of the program that keeps it, or what can be seen while none does.
func Look(ctx context.Context, state string, c config.Config) (Row, error) {
	folder := keeper.BackendFolder(state, c.Dir)
	for {
		client, err := Dial(ctx, folder)
		if err == nil {
			var row Row
			row, err = client.Status(ctx)
			client.Close()
			if !errors.Is(err, ErrHolderGone) {
				return row, err
			}
		}
		if !errors.Is(err, ErrNotHeld) && !errors.Is(err, ErrHolderGone) {
			return Row{}, err
		}
		s, err := unwatched(ctx, folder, c)
		var held *HeldError
		if !errors.As(err, &held) {
			return StatusRow(s, time.Now()), err
		}
		select { // its holder is on its way in or out
		case <-ctx.Done():
			return Row{}, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// alone runs f while nobody else can supervise the backend. It returns a *HeldError if somebody does.
func alone(folder string, f func() error) error {
	path := filepath.Join(folder, holderLock)
	lock, err := keeper.Lock(path)
	if errors.Is(err, keeper.ErrLocked) {
		return &HeldError{PID: holderOf(path)}
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return f()
}

// unwatched is how a backend is that no Vivarium program keeps: a run may have outlived its app.
func unwatched(ctx context.Context, folder string, c config.Config) (supervisor.Snapshot, error) {
	s := supervisor.Snapshot{Backend: c.Name, Dir: c.Dir, Port: c.Port, URL: c.URL(), Log: c.Log.File}
	err := alone(folder, func() error {
		m, err := record.Remember(folder, time.Now())
		if err != nil {
			return err
		}
		s.Want, s.Last, s.LastAt, s.LastReport, s.Tally = m.Want, m.Last, m.LastAt, m.Report, m.Tally
		if m.GaveUp {
			s.State = supervisor.GaveUp
		}
		conn, err := keeper.Attach(ctx, folder)
		if errors.Is(err, keeper.ErrNone) {
			return nil
		}
		if err != nil {
			s.State, s.Note = supervisor.Unreachable, "the keeper cannot be reached: "+err.Error()
			return nil
		}
		defer conn.Close()
		if run, ok := conn.Current(); ok && conn.Live() {
			s.State, s.Run, s.Since = supervisor.Healthy, run, run.Started
			s.Note = "no Vivarium program watches it: it outlived its app"
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) { // it never ran
		return s, nil
	}
	if s.State == supervisor.Healthy {
		s.Health = ask(ctx, c)
		if s.Health.Phase != record.PhaseOK {
			s.State = supervisor.Unhealthy
		}
	}
	return s, err
}

// ask probes once, for somebody who looks. What the run answered before is not known to it.
func ask(ctx context.Context, c config.Config) record.Health {
	if !c.HasHealth() && c.Port == 0 {
		return record.Health{Phase: record.PhaseOK}
	}
	latency, err := probe.Backend(ctx, c, probe.Options{})
	var answer *probe.AnswerError
	switch {
	case errors.As(err, &answer):
		phase := record.PhaseMisconfigured
		if answer.Status >= 500 {
			phase = record.PhaseWrongAnswer
		}
		return record.Health{Phase: phase, Failures: 1, Problem: c.Target().Path() + " " + err.Error()}
	case err != nil:
		return record.Health{Phase: record.PhaseHung, Failures: 1, Problem: err.Error()}
	}
	return record.Health{Phase: record.PhaseOK, Latency: latency, Good: time.Now()}
}

// DefaultLadder is how a backend is stopped whose configuration is not known.
var DefaultLadder = keeper.Ladder{Signal: syscall.SIGINT, Grace: 10 * time.Second}

// LadderOf is how the configuration of the backend in dir wants it stopped; a broken one says nothing.
func LadderOf(dir string) keeper.Ladder {
	c, err := config.Load(dir)
	if err != nil {
		return DefaultLadder
	}
	return keeper.Ladder{Signal: c.Stop.Signal, Grace: c.Stop.Grace, Abort: true}
}

// EndUnwatched ends what runs in a backend's state folder while no Vivarium program keeps it, and sees to it that the next one
// does not start it again. It returns once nothing is left, and no keeper either; stopped is false if nothing ran. A *HeldError means: ask its holder.
func EndUnwatched(ctx context.Context, folder string, l keeper.Ladder) (stopped bool, err error) {
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	err = alone(folder, func() error {
		forgotten := unwant(folder) // what runs is ended all the same
		for {
			some, err := endWithKeeper(ctx, folder, l)
			stopped = stopped || some
			if !errors.Is(err, keeper.ErrLost) || ctx.Err() != nil {
				return errors.Join(err, forgotten)
			}
		} // the keeper died in the middle of it: what it left is found the next time
	})
	return stopped, err
}

// unwant is record.Unwant, also where the file is broken: reading it puts it aside, and what a person wants now begins a new one.
func unwant(folder string) error {
	if record.Unwant(folder) == nil {
		return nil
	}
	return record.Unwant(folder)
}

func endWithKeeper(ctx context.Context, folder string, l keeper.Ladder) (stopped bool, err error) {
	conn, err := keeper.Attach(ctx, folder)
	if errors.Is(err, keeper.ErrNone) { // the last keeper may have died before it had ended what its run left
		return false, keeper.EndLast(ctx, folder, l)
	}
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if stopped, err = endRun(ctx, conn, l); err != nil {
		return stopped, err
	}
	conn.Goodbye(ctx)
	return stopped, keeper.EndLast(ctx, folder, l)
}

// endRun stops the keeper's run, or what a dead keeper left.
func endRun(ctx context.Context, conn *keeper.Conn, l keeper.Ladder) (stopped bool, err error) {
	run, running := conn.Current()
	if conn.Live() && running {
		if err := conn.Stop(run.ID, l); err != nil {
			return false, fmt.Errorf("stopping the run: %w", err)
		}
		stopped = true
	} else if conn.Live() {
		return false, nil
	}
	exit, err := conn.Wait(ctx)
	if err != nil {
		return stopped, fmt.Errorf("waiting for the end of the run: %w", err)
	}
	if !exit.Known || !conn.Live() { // there is nobody else who would end what is left
		if err := keeper.End(ctx, exit.Run, l); err != nil {
			return stopped, fmt.Errorf("ending what a lost keeper left: %w", err)
		}
		stopped = true
	}
	if err := conn.Forget(exit.Run.ID); err != nil && !errors.Is(err, keeper.ErrUnknownRun) {
		return stopped, fmt.Errorf("forgetting the run: %w", err)
	}
	return stopped, nil
}

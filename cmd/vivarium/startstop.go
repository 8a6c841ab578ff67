package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/wait"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// intent is what a person can want of a backend that some Vivarium program keeps.
type intent struct {
	word, short, told string
	ask               func(*control.Client, context.Context) (control.Row, error)
}

var (
	startIntent   = intent{"start", "Start a backend that a Vivarium program keeps", "starting", (*control.Client).Start}
	restartIntent = intent{"restart", "Stop a backend and start it anew", "restarting", (*control.Client).Restart}
)

// answerTime is how long a holder may take to hear a wish.
const answerTime = 10 * time.Second

func intentCommand(c console, i intent) *cobra.Command {
	var asJSON, all, waits bool
	timeout := wait.DefaultTimeout
	cmd := &cobra.Command{
		Use: i.word + " [NAME|DIR]", Short: i.short, Args: atMostOne("backend"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if waits { // before anything is asked for
				if err := checkTimeout(timeout); err != nil {
					return err
				}
			}
			h, err := openHome()
			if err != nil {
				return err
			}
			dirs, err := h.chosen(cmd.Context(), args, all)
			if err != nil {
				return err
			}
			ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return h.each(dirs, func(dir string) error {
				asked := time.Now()
				if err := h.ask(ctx, c, dir, i, asJSON); err != nil || !waits {
					return err
				}
				return h.waitHere(ctx, c, dir, wait.Healthy, timeout, asked, asJSON)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&waits, "wait", false, "return when it is healthy; exit code 1 if it is not in time")
	timeoutFlag(cmd, &timeout)
	cmd.Flags().BoolVar(&all, "all", false, "every backend")
	return cmd
}

// each does something with every backend, and tells which ones it failed with.
func (h home) each(dirs []string, do func(dir string) error) error {
	if len(dirs) == 1 {
		return do(dirs[0])
	}
	var failed error
	for _, dir := range dirs {
		if err := do(dir); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", nameOf(dir), err))
		}
	}
	return failed
}

func (h home) ask(ctx context.Context, c console, dir string, i intent, asJSON bool) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	client, err := control.Dial(ctx, h.folder(dir))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := h.load(dir); err != nil { // said here and now, not in the holder's own words later
		return err
	}
	row, err := i.ask(client, ctx)
	if err != nil {
		return err
	}
	if i.word == restartIntent.word {
		h.untilItHeard(ctx, client, row)
	}
	if asJSON {
		return printJSON(c.out, row)
	}
	_, err = fmt.Fprintf(c.out, "%s: %s\n", words.Plain(row.Backend), i.told)
	return err
}

// untilItHeard returns when a restart shows in the state, so that nobody takes the former run for the new one.
func (h home) untilItHeard(ctx context.Context, client *control.Client, before control.Row) {
	ctx, cancel := context.WithTimeout(ctx, takeHold)
	defer cancel()
	row, news, err := client.Follow(ctx)
	for err == nil && row.State == supervisor.Healthy.String() && row.Run == before.Run {
		select {
		case r, more := <-news:
			if !more {
				return
			}
			row = r
		case <-ctx.Done():
			return
		}
	}
}

func stopCommand(c console) *cobra.Command {
	var asJSON, all, noWait bool
	cmd := &cobra.Command{
		Use: "stop [NAME|DIR]", Short: "Stop a backend, and wait until nothing of it is left", Args: atMostOne("backend"),
		Long: "Stops a backend and waits until nothing of it is left; Ctrl-C ends only the waiting. With --all every backend that runs is\n" +
			"stopped, also those whose app is gone.",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			h, err := openHome()
			if err != nil {
				return err
			}
			s := stopper{h, c, asJSON, !noWait}
			if all {
				if len(args) > 0 {
					return usage("either a backend or --all")
				}
				return s.everything(ctx)
			}
			dir, err := h.resolve(ctx, first(args))
			if err != nil {
				return err
			}
			return s.stop(ctx, h.folder(dir), nameOf(dir), control.LadderOf(dir))
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&all, "all", false, "every backend, also those whose app is gone")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "return once the stop is asked for")
	return cmd
}

type stopper struct {
	home
	console
	asJSON, wait bool
}

// everything goes by the state folders: a keeper may serve a backend that nobody has on a list.
func (s stopper) everything(ctx context.Context) error {
	folders, err := filepath.Glob(filepath.Join(s.state, "b", "*"))
	if err != nil {
		return fmt.Errorf("looking for keepers: %w", err)
	}
	names, ladders := map[string]string{}, map[string]keeper.Ladder{}
	listed, err := s.registered()
	if err != nil {
		fmt.Fprintln(s.err, "vivarium: "+words.Plain(err.Error())) // the keepers are found all the same
	}
	for _, dir := range listed {
		names[s.folder(dir)], ladders[s.folder(dir)] = nameOf(dir), control.LadderOf(dir)
	}
	s.out = &inTurn{out: s.out}
	results := make(chan error)
	for _, folder := range folders {
		name, ladder := names[folder], ladders[folder]
		if name == "" {
			ladder = control.DefaultLadder
		}
		go func() { results <- s.stop(ctx, folder, name, ladder) }()
	}
	var failed error
	for range folders {
		failed = errors.Join(failed, <-results)
	}
	return failed
}

// stop asks the holder, or stops what runs without one. name may be "".
func (s stopper) stop(ctx context.Context, folder, name string, l keeper.Ladder) error {
	for begin := time.Now(); ; {
		client, err := control.Dial(ctx, folder)
		if err == nil {
			left, err := s.ask(ctx, client, name)
			client.Close()
			if !left {
				return err
			}
			begin = time.Now()
			continue // the holder ended before the backend did: what is left is ours to end
		}
		if !errors.Is(err, control.ErrNotHeld) {
			return fmt.Errorf("stopping %s: %w", orFolder(name, folder), err)
		}
		stopped, err := control.EndUnwatched(ctx, folder, l)
		var held *control.HeldError
		if errors.As(err, &held) && time.Since(begin) < absentTime {
			select { // its holder is on its way in or out
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("stopping %s: %w", orFolder(name, folder), err)
		}
		return s.tell(name, stopped)
	}
}

// absentTime is how long a holder may hold a backend without answering for it: it is on its way in or out, or makes its socket again.
const absentTime = 15 * time.Second

func orFolder(name, folder string) string {
	if name == "" {
		return "the backend in " + folder
	}
	return name
}

func (s stopper) tell(name string, stopped bool) error {
	if s.asJSON {
		if name == "" && !stopped {
			return nil
		}
		return printJSON(s.out, map[string]any{"v": control.RowVersion, "backend": name, "state": "stopped", "stopped": stopped})
	}
	switch {
	case stopped:
		fmt.Fprintf(s.out, "%s: stopped\n", words.Plain(orFolder(name, "its state folder")))
	case name != "":
		fmt.Fprintf(s.out, "%s: is not running\n", words.Plain(name))
	}
	return nil
}

// ask tells the holder to stop, and waits for the news of it. left: the holder is gone before it was done.
func (s stopper) ask(ctx context.Context, client *control.Client, name string) (left bool, err error) {
	row, news, err := client.Follow(ctx)
	if err != nil {
		return errors.Is(err, control.ErrHolderGone), err
	}
	if name == "" {
		name = row.Backend
	}
	ran := row.State != supervisor.Stopped.String()
	if _, err := client.Stop(ctx); err != nil {
		return errors.Is(err, control.ErrHolderGone), err
	}
	if !s.wait && s.asJSON {
		return false, printJSON(s.out, row)
	}
	if !s.wait {
		fmt.Fprintf(s.out, "%s: stopping\n", words.Plain(name))
		return false, nil
	}
	if !ran && !row.Want {
		return false, s.tell(name, false)
	}
	w := stopWatch{name: orFolder(name, "its folder"), asked: time.Now(), row: row}
	for {
		patience := w.patience()
		select {
		case r, more := <-news:
			if !more {
				return true, control.ErrHolderGone
			}
			if over, err := w.hears(r); err != nil {
				return false, err
			} else if over {
				return false, s.tell(name, ran)
			}
		case <-patience:
			return false, fmt.Errorf("%s cannot be stopped: %s; its server may be running, and ends as soon as its keeper can be reached", w.name, orUnknown(w.row.Note))
		case <-ctx.Done():
			return false, fmt.Errorf("%s is still stopping: %w", w.name, ctx.Err())
		}
	}
}

// unreachableTime is how long a stop waits for a keeper that does not answer: it may be on its way in or out, or busy.
const unreachableTime = 5 * time.Second

// stopWatch follows a stop until it is answered.
type stopWatch struct {
	name   string
	asked  time.Time
	row    control.Row // the latest
	heard  bool        // of the stop: it is not wanted any more
	silent time.Time   // since when its keeper cannot be reached
}

// patience ends when the keeper could not be reached for too long; nil: it can.
func (w *stopWatch) patience() <-chan time.Time {
	if w.row.State != supervisor.Unreachable.String() {
		w.silent = time.Time{}
		return nil
	}
	if w.silent.IsZero() {
		w.silent = time.Now()
	}
	return time.After(time.Until(w.silent.Add(unreachableTime)))
}

// hears takes news. over: nothing is left. A stop that can have no good end any more is an error: somebody wants the backend to run, or it
// cannot be ended.
func (w *stopWatch) hears(r control.Row) (over bool, err error) {
	w.row = r
	w.heard = w.heard || !r.Want
	switch {
	case r.State == supervisor.Stopped.String() && (r.Event != "" || !r.Want):
		return true, nil
	case r.Want && (w.heard || r.At.After(w.asked.Add(time.Second))):
		return false, fmt.Errorf("%s was started again before its stop was done", w.name)
	case r.State == supervisor.GaveUp.String() && !r.Want:
		text := "it could not be ended"
		if v := r.Verdict; v != nil {
			text = words.Plain(v.Summary)
		}
		return false, fmt.Errorf("%s cannot be stopped: %s", w.name, text)
	}
	return false, nil
}

func orUnknown(note string) string {
	if note = words.Plain(note); note == "" {
		return "its keeper cannot be reached"
	}
	return note
}

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
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
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
	var asJSON, all bool
	cmd := &cobra.Command{
		Use: i.word + " [NAME|DIR]", Short: i.short, Args: atMostOne("backend"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome()
			if err != nil {
				return err
			}
			dirs, err := h.chosen(cmd.Context(), args, all)
			if err != nil {
				return err
			}
			return h.each(dirs, func(dir string) error { return h.ask(cmd.Context(), c, dir, i, asJSON) })
		},
	}
	jsonFlag(cmd, &asJSON)
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
	if _, err := config.Load(dir); err != nil { // said here and now, not in the holder's own words later
		return err
	}
	row, err := i.ask(client, ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, row)
	}
	_, err = fmt.Fprintf(c.out, "%s: %s\n", words.Plain(row.Backend), i.told)
	return err
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
			return s.stop(ctx, h.folder(dir), nameOf(dir), ladderOf(dir))
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

// ladderOf is how the backend's configuration wants it stopped; a broken one says nothing.
func ladderOf(dir string) keeper.Ladder {
	c, err := config.Load(dir)
	if err != nil {
		return defaultLadder
	}
	return keeper.Ladder{Signal: c.Stop.Signal, Grace: c.Stop.Grace}
}

var defaultLadder = keeper.Ladder{Signal: syscall.SIGINT, Grace: 10 * time.Second}

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
		names[s.folder(dir)], ladders[s.folder(dir)] = nameOf(dir), ladderOf(dir)
	}
	results := make(chan error)
	for _, folder := range folders {
		name, ladder := names[folder], ladders[folder]
		if name == "" {
			ladder = defaultLadder
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
	for {
		client, err := control.Dial(ctx, folder)
		if err == nil {
			left, err := s.ask(ctx, client, name)
			client.Close()
			if !left {
				return err
			}
			continue // the holder ended before the backend did: what is left is ours to end
		}
		if !errors.Is(err, control.ErrNotHeld) {
			return fmt.Errorf("stopping %s: %w", orFolder(name, folder), err)
		}
		stopped, err := control.EndUnwatched(ctx, folder, l)
		var held *control.HeldError
		if errors.As(err, &held) {
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
	for {
		select {
		case r, more := <-news:
			if !more {
				return true, control.ErrHolderGone
			}
			if r.State == supervisor.Stopped.String() && (r.Event != "" || !r.Want) {
				return false, s.tell(name, ran)
			}
		case <-ctx.Done():
			return false, fmt.Errorf("%s is still stopping: %w", orFolder(name, "its folder"), ctx.Err())
		}
	}
}

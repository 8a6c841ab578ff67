package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/wait"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
)

func waitCommand(c console) *cobra.Command {
	var asJSON bool
	var goal string
	timeout := wait.DefaultTimeout
	cmd := &cobra.Command{
		Use: "wait [NAME|DIR]", Short: "Wait until a backend is healthy, or stopped; exit code 1 if it is not in time", Args: atMostOne("backend"),
		Long: "Returns as soon as the backend is healthy (or, with --for stopped, when nothing of it is left). A backend that no Vivarium\n" +
			"program keeps yet is waited for, too. A configuration that cannot be used, or a supervisor that gave up, ends the waiting at once.",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			g, err := wait.ParseGoal(goal)
			if err != nil {
				return &codeError{codeUsage, err}
			}
			if err := checkTimeout(timeout); err != nil {
				return err
			}
			h, err := openHome()
			if err != nil {
				return err
			}
			dir, err := h.resolve(ctx, first(args))
			if err != nil {
				return err
			}
			return h.waitHere(ctx, c, dir, g, timeout, time.Time{}, asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().StringVar(&goal, "for", string(wait.Healthy), "what to wait for: healthy or stopped")
	timeoutFlag(cmd, &timeout)
	return cmd
}

func timeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", wait.DefaultTimeout, "how long to wait at most")
}

func checkTimeout(timeout time.Duration) error {
	if timeout <= 0 {
		return usage("--timeout is %s: it has to be more than nothing", timeout)
	}
	return nil
}

// waited is how waiting ended, for programs.
type waited struct {
	V       int       `json:"v"`
	Backend string    `json:"backend"`
	Dir     string    `json:"dir"`
	For     wait.Goal `json:"for"`
	Reached bool      `json:"reached"`
	Reason  string    `json:"reason,omitempty"`
}

// waitHere waits, and says how it ended.
func (h home) waitHere(ctx context.Context, c console, dir string, g wait.Goal, timeout time.Duration, asked time.Time, asJSON bool) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reached, reason, err := h.waitFor(ctx, dir, g, asked)
	if err != nil {
		return err
	}
	name := nameOf(dir)
	if asJSON {
		if err := printJSON(c.out, waited{control.RowVersion, name, dir, g, reached, reason}); err != nil {
			return err
		}
	}
	switch {
	case reached && !asJSON:
		_, err = fmt.Fprintf(c.out, "%s: %s\n", words.Plain(name), g)
		return err
	case reached:
		return nil
	case asJSON:
		return &codeError{code: codeFailed}
	}
	return &codeError{codeFailed, fmt.Errorf("%s is not %s: %s", name, g, reason)}
}

const (
	lookAgain = 200 * time.Millisecond // while nobody keeps the backend, there is nothing that tells of news
	takeHold  = 2 * time.Second        // how long a wish may take to show in the state
)

// waitFor waits until the goal is reached, cannot be, or ctx ends; reason says why it is not. asked is when a start was asked for, if it was:
// what gave up before that does not count.
func (h home) waitFor(ctx context.Context, dir string, g wait.Goal, asked time.Time) (reached bool, reason string, err error) {
	for {
		answer, why, err := h.followTo(ctx, dir, g, asked)
		if err != nil && ctx.Err() == nil {
			return false, "", err
		}
		if why != "" {
			reason = why
		}
		switch {
		case answer == wait.Done:
			return true, "", nil
		case answer == wait.Failed:
			return false, reason, nil
		}
		select {
		case <-ctx.Done():
			if reason == "" {
				reason = "it is not known how it is"
			}
			return false, reason, nil
		case <-time.After(lookAgain):
		}
	}
}

// followTo judges what the backend's holder tells until the waiting is over or the holder is gone; without a holder it looks once.
func (h home) followTo(ctx context.Context, dir string, g wait.Goal, asked time.Time) (wait.Answer, string, error) {
	client, err := control.Dial(ctx, h.folder(dir))
	if errors.Is(err, control.ErrNotHeld) {
		return h.judgeUnheld(ctx, dir, g)
	}
	if err != nil {
		if errors.Is(err, control.ErrHolderGone) {
			return wait.Continue, "", nil
		}
		return wait.Continue, "", err
	}
	defer client.Close()
	row, news, err := client.Follow(ctx)
	if err != nil {
		return wait.Continue, "", nil // it is on its way out
	}
	for {
		answer, reason := wait.Judge(g, sightOf(row))
		if answer == wait.Failed && row.Since.Before(asked) && time.Since(asked) < takeHold {
			answer = wait.Continue
		}
		if answer != wait.Continue {
			return answer, reason, nil
		}
		select {
		case r, more := <-news:
			if !more {
				return wait.Continue, reason, nil
			}
			row = r
		case <-ctx.Done():
			return wait.Continue, reason, nil
		}
	}
}

func (h home) judgeUnheld(ctx context.Context, dir string, g wait.Goal) (wait.Answer, string, error) {
	s := wait.Sight{}
	if _, err := h.load(dir); err != nil {
		s.ConfigProblem = err.Error()
	}
	if g == wait.Stopped {
		row, err := h.look(ctx, dir)
		if err != nil {
			return wait.Continue, "", err
		}
		if s.Runs = row.PID != 0; row.HeldBy != 0 {
			return wait.Continue, "it has just been taken up", nil
		}
	}
	answer, reason := wait.Judge(g, s)
	return answer, reason, nil
}

// sightOf is what a holder's row shows. A verdict of long ago is no reason for anything.
func sightOf(r control.Row) wait.Sight {
	s := wait.Sight{Held: true, Runs: r.PID != 0, State: r.State, ConfigProblem: r.Problem, Problem: r.Health.Problem}
	ended := r.State == supervisor.GaveUp.String() || r.State == supervisor.Restarting.String()
	if last := r.Snapshot().Last; last.Kind != "" && (ended || r.Crashes > 0) {
		s.Summary, s.Remedy = last.Summary, last.Remedy
	}
	if r.Awaits != nil {
		s.Awaits, s.Stuck = words.AwaitsText(*r.Awaits), r.Awaits.Stuck
	}
	if r.Stall != nil && r.PID != 0 {
		s.Summary, s.Remedy = r.Stall.Summary, r.Stall.Remedy
	}
	return s
}

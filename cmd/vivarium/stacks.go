package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/observation"
)

func stacksCommand(c console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "stacks [NAME|DIR]", Short: "Say what a backend's Python does at this moment, thread by thread", Args: atMostOne("backend"),
		Long: "Asks the running server for the stacks of all its threads, three times within a second, and says what it does. The server goes on\n" +
			"meanwhile. Frames of your own code are marked with >. Threads in the same frames are shown once, with their number.",
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome()
			if err != nil {
				return err
			}
			dir, err := h.resolve(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			seen, _, err := h.stacks(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, seen)
			}
			return printStacks(c.out, seen, dir)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// lookTime is how long a look at a run may take: a process that does not answer is waited for.
const lookTime = 15 * time.Second

// stacks asks the program that keeps the backend.
func (h home) stacks(ctx context.Context, dir string) (observation.Observation, control.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	client, err := control.Dial(ctx, h.folder(dir))
	if errors.Is(err, control.ErrNotHeld) {
		return observation.Observation{}, control.Row{}, &codeError{codeNotRunning, err}
	}
	if err != nil {
		return observation.Observation{}, control.Row{}, err
	}
	defer client.Close()
	row, err := client.Status(ctx)
	if err != nil {
		return observation.Observation{}, row, err
	}
	if row.PID == 0 {
		return observation.Observation{}, row, &codeError{codeNotRunning, fmt.Errorf("%s does not run", nameOf(dir))}
	}
	seen, err := client.Stacks(ctx)
	if err != nil {
		return observation.Observation{}, row, fmt.Errorf("looking at %s: %w", nameOf(dir), err)
	}
	return seen, row, nil
}

// printStacks tells the stacks to a person.
func printStacks(out io.Writer, o observation.Observation, dir string) error {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(strings.TrimRight(mask.Line(fmt.Sprintf(format, args...)), " ") + "\n")
	}
	line("%s", words.Plain(o.Stall.Summary))
	if o.Stall.Remedy != "" {
		line("  %s", words.Plain(o.Stall.Remedy))
	}
	for _, p := range o.Processes {
		line("")
		line("%s %d, %s CPU", words.Chosen(p.Worker, "worker", "process"), p.PID, words.Percent(p.CPU))
		if p.Stopped {
			line("  it is stopped")
		}
		if p.Silent {
			line("  its main thread ran no Python for a second")
		}
		if p.Problem != "" {
			line("  %s", words.Plain(p.Problem))
		}
		for _, t := range append(p.Threads, p.Tasks...) {
			line("  %s", words.Plain(t.Title()))
			for _, f := range t.Frames {
				line("  %s %s:%d  %s", words.Chosen(f.Own, ">", " "), words.Plain(shortFile(f.File, dir)), f.Line, words.Plain(f.Function))
			}
		}
		if p.Cut > 0 {
			line("  %s", words.Count(p.Cut, "more thread", "more threads"))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// shortFile is a file as a person reads it: below the backend's folder, or below site-packages.
func shortFile(file, dir string) string {
	if rest, ok := strings.CutPrefix(file, dir+string(filepath.Separator)); ok && !strings.Contains(rest, "site-packages") {
		return rest
	}
	if _, rest, ok := strings.Cut(file, "/site-packages/"); ok {
		return rest
	}
	return file
}

// stacksPage is the file in the backend's state folder: the latest look, no history.
const stacksPage = "stacks.html"

func (h home) writeStacks(ctx context.Context, dir string) (string, error) {
	seen, row, err := h.stacks(ctx, dir)
	if err != nil {
		return "", err
	}
	seen.At = seen.At.Local()
	var b bytes.Buffer
	s := row.Snapshot()
	s.HeldBy = 0
	err = pageWords().Stacks(&b, page.Stacks{
		Backend: row.Backend, Dir: dir, State: words.StateWord(s), Seen: seen, Version: keeper.Version,
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(h.folder(dir), stacksPage)
	return path, replaceFile(path, b.Bytes())
}

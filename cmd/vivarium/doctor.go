package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/doctor"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/process"
)

func doctorCommand(c console) *cobra.Command {
	var asJSON, clean bool
	var cure cureOptions
	cmd := &cobra.Command{
		Use: "doctor [NAME|DIR]", Short: "Find what is wrong before anything crashes, and cure two OpenMP runtimes", Args: atMostOne("backend"),
		Long: "Looks at configuration, interpreter, packages, OpenMP runtimes, port, log and system, and says of each whether it is well, and\n" +
			"what to do if not. Nothing is started. Only --fix, --undo and --clean change anything.",
		RunE: func(cmd *cobra.Command, args []string) error {
			curing, err := cure.wanted()
			switch {
			case err != nil:
				return err
			case clean && (curing || len(args) > 0):
				return usage("--clean goes alone: what dead processes left belongs to no backend")
			case clean:
				return cleanUp(c, asJSON)
			}
			h, err := openHome()
			if err != nil {
				return err
			}
			dir, err := h.resolve(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			if curing {
				cure.asJSON = asJSON
				return h.cure(cmd.Context(), c, dir, cure)
			}
			return h.examine(cmd.Context(), c, dir, asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&clean, "clean", false, "remove the semaphores and OpenMP marks that dead processes left in shared memory")
	cure.flags(cmd)
	return cmd
}

func (h home) examine(ctx context.Context, c console, dir string, asJSON bool) error {
	bar := newBar(c.err, !asJSON && isTerminal(c.err))
	x, err := doctor.Diagnose(ctx, h.state, dir, bar.seen)
	bar.end()
	if err != nil {
		return err
	}
	if err := tellChecks(c, x.Checks, asJSON); err != nil {
		return err
	}
	if x.Failed() {
		return &codeError{code: codeFailed}
	}
	return nil
}

func tellChecks(c console, checks []doctor.Check, asJSON bool) error {
	mark := map[doctor.CheckState]string{doctor.Pass: "pass", doctor.Warn: "WARN", doctor.Fail: "FAIL"}
	colour := map[doctor.CheckState]string{doctor.Pass: "\x1b[32m", doctor.Warn: "\x1b[33m", doctor.Fail: "\x1b[31m"}
	for _, k := range checks {
		if asJSON {
			if err := printJSON(c.out, k); err != nil {
				return err
			}
			continue
		}
		m := mark[k.State]
		if colourful(c.out) {
			m = colour[k.State] + m + "\x1b[0m"
		}
		fmt.Fprintf(c.out, "%s  %s  %s: %s\n", m, k.Code, k.Name, k.Text)
		if k.Remedy != "" {
			fmt.Fprintf(c.out, "              %s\n", k.Remedy)
		}
	}
	return nil
}

// cleanUp removes what dead processes left behind.
func cleanUp(c console, asJSON bool) error {
	removed, err := process.Clean()
	if asJSON {
		if removed == nil {
			removed = []string{}
		}
		if perr := printJSON(c.out, map[string]any{"v": control.RowVersion, "removed": removed}); perr != nil {
			return perr
		}
		return err
	}
	for _, path := range removed {
		fmt.Fprintf(c.out, "removed %s\n", words.Plain(path))
	}
	if len(removed) == 0 && err == nil {
		fmt.Fprintln(c.out, "there was nothing to remove")
	}
	return err
}

// bar says on a terminal that a long walk goes on. Who is done at once sees nothing of it.
type bar struct {
	out   io.Writer
	shown bool
	count atomic.Int64
	stop  chan struct{}
	done  chan struct{}
}

const barDelay = 300 * time.Millisecond

func newBar(out io.Writer, shown bool) *bar {
	b := &bar{out: out, shown: shown, stop: make(chan struct{}), done: make(chan struct{})}
	go b.run()
	return b
}

func (b *bar) seen(files int) { b.count.Store(int64(files)) }

func (b *bar) run() {
	defer close(b.done)
	if !b.shown {
		return
	}
	tick := time.NewTicker(barDelay)
	defer tick.Stop()
	drawn := false
	for {
		select {
		case <-tick.C:
			drawn = true
			fmt.Fprintf(b.out, "\rreading the environment: %d files\x1b[K", b.count.Load())
		case <-b.stop:
			if drawn {
				fmt.Fprint(b.out, "\r\x1b[K")
			}
			return
		}
	}
}

func (b *bar) end() {
	close(b.stop)
	<-b.done
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
)

func statusCommand(c console) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use: "status [NAME|DIR]", Short: "Say how a backend is; exit code 3 if it does not run, 1 if that cannot be told", Args: atMostOne("backend"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome()
			if err != nil {
				return err
			}
			dirs, err := h.chosen(cmd.Context(), args, all)
			if err != nil {
				return err
			}
			return h.status(cmd.Context(), c, dirs, asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&all, "all", false, "every backend")
	return cmd
}

// status prints a row for each backend. One that cannot be asked does not keep the others from being shown.
func (h home) status(ctx context.Context, c console, dirs []string, asJSON bool) error {
	if len(dirs) == 0 {
		return &codeError{codeNotRunning, errors.New("there is no backend")}
	}
	runs, unknown := false, false
	var troubles []error
	for _, dir := range dirs {
		row, err := h.look(ctx, dir)
		if err != nil {
			troubles = append(troubles, fmt.Errorf("%s: %w", nameOf(dir), err))
			continue
		}
		runs, unknown = runs || running(row), unknown || row.State == supervisor.Unreachable.String()
		if asJSON {
			err = printJSON(c.out, row)
		} else {
			err = printStatus(c.out, row, colourful(c.out))
		}
		if err != nil {
			return err
		}
	}
	if desktop.HiddenIcon(h.state) && !asJSON {
		if _, err := fmt.Fprintln(c.out, "note: "+desktop.IconHidden); err != nil {
			return err
		}
	}
	if err := errors.Join(troubles...); err != nil {
		return err
	}
	if unknown {
		return &codeError{code: codeFailed}
	}
	if !runs {
		return &codeError{code: codeNotRunning}
	}
	return nil
}

// look asks the backend's holder, or looks itself. A broken configuration is part of the answer.
func (h home) look(ctx context.Context, dir string) (control.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	row, err := control.LookAt(ctx, h.state, dir)
	if row.Backend == "" {
		row.Backend = nameOf(dir)
	}
	return row, err
}

// running: there is a process, or there will be one in a moment without anybody's doing.
func running(r control.Row) bool {
	switch r.State {
	case supervisor.Starting.String(), supervisor.Healthy.String(), supervisor.Unhealthy.String(), supervisor.Restarting.String(), supervisor.Stopping.String():
		return true
	}
	return false
}

func printStatus(w io.Writer, r control.Row, colour bool) error {
	now := time.Now()
	s := r.Snapshot()
	s.HeldBy = 0 // who keeps it has a line of its own here
	line := words.StatusLine(s, now)
	if colour {
		line = statusColour(s) + line + "\x1b[0m"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", words.Plain(r.Backend), line)
	detail := func(name, text string) {
		if text = words.Plain(text); text != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", name, text)
		}
	}
	if r.PID != 0 {
		up := ""
		if !r.Started.IsZero() {
			up = ", up " + words.Duration(now.Sub(r.Started))
		}
		if u := s.Usage; u.Used() > 0 {
			up += fmt.Sprintf(", %s, %s CPU", words.Size(u.Used()), words.Percent(u.CPU))
		}
		detail("process", fmt.Sprint(r.PID)+up)
	}
	detail("address", r.URL)
	if text := words.StallText(s); text != "" {
		detail("does", text)
		detail("remedy", s.Stall.Remedy)
	}
	if r.State == supervisor.Unhealthy.String() {
		detail("health", s.Health.Problem)
	}
	detail("memory", words.MemoryNote(s, now))
	detail("workers", words.WorkerDeaths(s))
	if last := s.Last; last.Kind != "" && last.Kind != crash.KindConfig { // which has a line of its own, as long as it lasts
		detail("last end", last.Summary+" ("+words.Clock(s.LastAt, now)+")")
		detail("remedy", last.Remedy)
	}
	detail("report", s.LastReport)
	if r.Crashes > 0 {
		detail("crashes", fmt.Sprintf("%d in a row", r.Crashes))
	}
	detail("today", words.TallyLine(s.Tally, now))
	if text, ok := strings.CutPrefix(words.OpenMPText(r.OpenMP), "OpenMP: "); ok {
		detail("openmp", text)
	}
	if len(r.Missing) > 0 {
		detail("missing", strings.Join(r.Missing, ", ")+" did not arrive in Python")
	}
	if r.Semaphores > 0 {
		detail("left", words.Count(r.Semaphores, "named semaphore", "named semaphores")+" behind by ended runs")
	}
	if r.Changed && r.Problem == "" {
		detail("config", "changed since the start: restart to apply")
	}
	detail("config", r.Problem)
	detail("note", r.Note)
	detail("log", r.Log)
	if r.HeldBy != 0 {
		detail("kept by", fmt.Sprintf("Vivarium, PID %d", r.HeldBy))
	}
	detail("folder", r.Dir)
	_, err := io.WriteString(w, b.String())
	return err
}

func statusColour(s supervisor.Snapshot) string {
	switch app.IconOf(s) {
	case assets.Healthy:
		return "\x1b[32m"
	case assets.Starting, assets.Unhealthy:
		return "\x1b[33m"
	case assets.Crashed:
		return "\x1b[31m"
	}
	return ""
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/supervisor"
)

// check is one thing that doctor looked at. Code keeps its name: programs may count on it.
type check struct {
	Code   string `json:"code"`
	State  string `json:"state"` // well, warning, bad
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

const (
	well    = "well"
	warning = "warning"
	bad     = "bad"
)

func doctorCommand(c console) *cobra.Command {
	var asJSON bool
	var cure cureOptions
	cmd := &cobra.Command{
		Use: "doctor [NAME|DIR]", Short: "Check configuration, interpreter, port and log before anything crashes", Args: atMostOne("backend"),
		RunE: func(cmd *cobra.Command, args []string) error {
			curing, err := cure.wanted()
			if err != nil {
				return err
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
			return tellChecks(c, h.examine(cmd.Context(), dir), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	cure.flags(cmd)
	return cmd
}

func tellChecks(c console, checks []check, asJSON bool) error {
	failed := false
	mark := map[string]string{well: "ok  ", warning: "warn", bad: "BAD "}
	for _, k := range checks {
		failed = failed || k.State == bad
		if asJSON {
			if err := printJSON(c.out, k); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(c.out, "%s  %-7s %s\n", mark[k.State], k.Code, app.Plain(k.Text))
		if k.Remedy != "" {
			fmt.Fprintf(c.out, "              %s\n", app.Plain(k.Remedy))
		}
	}
	if failed {
		return &codeError{code: codeFailed}
	}
	return nil
}

// examine looks at everything that a start needs. Nothing is started, and nothing is changed.
func (h home) examine(ctx context.Context, dir string) []check {
	config, err := supervisor.LoadConfig(dir)
	if err != nil {
		var broken *supervisor.ConfigError
		if errors.As(err, &broken) {
			return []check{{"config", bad, err.Error(), ""}}
		}
		return []check{{"config", bad, err.Error(), "Look whether the folder can be read."}}
	}
	checks := []check{configCheck(config)}
	checks = append(checks, planChecks(dir)...)
	return append(checks, h.portCheck(ctx, config), logCheck(config), keeperCheck())
}

func configCheck(c supervisor.Config) check {
	if _, err := os.Stat(c.File); err != nil {
		return check{"config", warning, "there is no " + supervisor.ConfigName + ": every key has its default", "“vivarium init” writes one that fits."}
	}
	return check{"config", well, c.File, ""}
}

func planChecks(dir string) []check {
	_, plan, err := app.Planned(dir, true)
	var python *supervisor.PythonError
	switch {
	case errors.As(err, &python):
		return []check{{"python", bad, python.Problem, python.Remedy}}
	case err != nil:
		return []check{{"command", bad, err.Error(), ""}}
	}
	checks := []check{{"python", well, plan.Python.Path, ""}}
	if plan.Python.Path == "" {
		checks[0].Text = "the command needs none"
	} else if plan.Python.Version != "" {
		checks[0].Text += " (" + plan.Python.Version + ")"
	}
	for _, w := range plan.Warnings {
		checks = append(checks, check{"start", warning, w, ""})
	}
	return checks
}

// portCheck asks whose the port is: it may well be the backend itself that runs.
func (h home) portCheck(ctx context.Context, c supervisor.Config) check {
	if c.Port == 0 {
		return check{"port", well, "it listens nowhere", ""}
	}
	if row, err := h.look(ctx, c.Dir); err == nil && row.PID != 0 {
		return check{"port", well, fmt.Sprintf("port %d: the backend runs (PID %d)", c.Port, row.PID), ""}
	}
	free, err := supervisor.PortFree(c.Host(), c.Port)
	switch {
	case err != nil:
		return check{"port", bad, fmt.Sprintf("port %d cannot be bound: %v", c.Port, err), "Choose another port or host in vivarium.toml."}
	case free:
		return check{"port", well, fmt.Sprintf("port %d is free", c.Port), ""}
	}
	text := fmt.Sprintf("port %d is taken", c.Port)
	if owners, err := supervisor.PortOwners(ctx, c.Port); err == nil && len(owners) > 0 {
		text += " by a process of another user"
		if o := owners[0]; o.PID != 0 {
			text = fmt.Sprintf("port %d is taken by %s (PID %d)", c.Port, o.Name, o.PID)
		}
	}
	return check{"port", bad, text, "End that program, or choose another port in vivarium.toml."}
}

// logCheck looks without writing: the nearest folder that exists has to be writable.
func logCheck(c supervisor.Config) check {
	path := c.Log.File
	for {
		st, err := os.Stat(path)
		if err == nil {
			if path == c.Log.File && st.IsDir() {
				return check{"log", bad, path + " is a folder", "Name a file with [log] file."}
			}
			if !writable(path) {
				return check{"log", bad, path + " cannot be written", "Change its permissions, or name another file with [log] file."}
			}
			return check{"log", well, c.Log.File, ""}
		}
		up := filepath.Dir(path)
		if up == path {
			return check{"log", bad, err.Error(), ""}
		}
		path = up
	}
}

func keeperCheck() check {
	exe, err := app.Program(app.KeeperProgram)
	if err != nil {
		return check{"keeper", bad, err.Error(), "Build all programs with “make build”, or install Vivarium anew."}
	}
	return check{"keeper", well, exe, ""}
}

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func crashesCommand(c console) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use: "crashes [NAME|DIR]", Short: "List the crashes on record, the latest last, with the report on each", Args: atMostOne("backend"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome()
			if err != nil {
				return err
			}
			dirs, err := h.chosen(cmd.Context(), args, all)
			if err != nil {
				return err
			}
			return h.each(dirs, func(dir string) error {
				deaths, err := record.All(h.folder(dir))
				if err != nil {
					return err
				}
				return printDeaths(c.out, nameOf(dir), dir, deaths, asJSON)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&all, "all", false, "every backend")
	return cmd
}

// deathRow is a crash on record, for programs.
type deathRow struct {
	V       int           `json:"v"`
	At      time.Time     `json:"at"`
	Backend string        `json:"backend"`
	Dir     string        `json:"dir"`
	Run     string        `json:"run,omitempty"`
	Uptime  float64       `json:"uptime_s"`
	Healthy bool          `json:"healthy"` // it had been
	Signal  string        `json:"signal,omitempty"`
	Code    *int          `json:"code,omitempty"`
	Verdict crash.Verdict `json:"verdict"`
	First   crash.Kind    `json:"first,omitempty"`  // what it was taken for at once, if later evidence changed that
	Worker  int           `json:"worker,omitempty"` // PID, if a worker died and not the run
	Record  string        `json:"record,omitempty"` // the file with all that is known of it
	Report  string        `json:"report,omitempty"` // the page about it
}

func printDeaths(w io.Writer, name, dir string, deaths []record.Kept, asJSON bool) error {
	if len(deaths) == 0 && !asJSON {
		_, err := fmt.Fprintf(w, "%s: no crash on record\n", words.Plain(name))
		return err
	}
	for _, d := range deaths {
		var err error
		if asJSON {
			err = printJSON(w, deathRow{
				V: control.RowVersion, At: d.At, Backend: name, Dir: dir, Run: d.Run, Uptime: d.Uptime.Seconds(), Healthy: d.Healthy, Signal: d.Signal,
				Code: exitCodeOf(d.Death), Verdict: d.Verdict, First: d.First, Worker: d.Worker, Record: d.File, Report: d.Page,
			})
		} else {
			_, err = io.WriteString(w, deathLines(name, d))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// exitCodeOf is a death's exit code; nil if it has none.
func exitCodeOf(d record.Death) *int {
	if d.Signal != "" || d.Worker != 0 || d.Verdict.Kind == crash.KindKeeperLost {
		return nil
	}
	return &d.Code
}

// deathLines is a death as one line for a person, and where to read more about it in another.
func deathLines(name string, d record.Kept) string {
	line := fmt.Sprintf("%s  %s: %s", d.At.Local().Format("2006-01-02 15:04:05"), words.Plain(name), words.Plain(d.Verdict.Summary))
	how := d.Signal
	if code := exitCodeOf(d.Death); code != nil {
		how = fmt.Sprintf("exit code %d", *code)
	}
	if how != "" {
		line += " (" + how + ")"
	}
	if d.Worker == 0 {
		line += ", after " + words.Duration(d.Uptime)
	}
	line += "\n"
	switch {
	case d.Page != "":
		line += "    report  " + words.Plain(d.Page) + "\n"
	case d.File != "":
		line += "    record  " + words.Plain(d.File) + "\n"
	}
	return line
}

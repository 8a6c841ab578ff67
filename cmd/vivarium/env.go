package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
)

// supervised is said and not exported: a shell is not supervised.
const supervised = `
# The server also finds VIVARIUM_RUN, the ID of its run: the mark "you are supervised".
# A program that sees it need not restart itself, reload, or start a second copy: the port is kept, and "vivarium restart" applies an edit.
`

func envCommand(c console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "env [NAME|DIR]", Short: "Print the crash environment as export lines, with the reason for each", Args: atMostOne("backend"),
		Long: "Prints the variables of the crash environment as the backend's next start would set them, with the reason for each; while it\n" +
			"runs, for the Python that it runs with. Of what you set yourself it prints only what replaces one of them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome()
			if err != nil {
				return err
			}
			dir, err := h.resolve(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			row, _ := h.look(cmd.Context(), dir) // nobody who answers: it does not run
			cfg, plan, differs, err := setup.PlannedLike(dir, row.PID)
			if err != nil {
				return err
			}
			if differs != "" {
				fmt.Fprintln(c.err, "vivarium: "+words.Plain(differs)+"; these are the variables for the running one's Python")
			}
			for _, w := range plan.Warnings {
				fmt.Fprintln(c.err, "vivarium: "+words.Plain(w))
			}
			if asJSON {
				return printJSON(c.out, plan.Applied)
			}
			_, err = io.WriteString(c.out, environment.Exports(plan.Applied)+setup.RecorderComment(cfg)+supervised)
			return err
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

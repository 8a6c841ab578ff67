package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/crash"
)

func envCommand(c console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "env [NAME|DIR]", Short: "Print the crash environment as export lines, with the reason for each", Args: atMostOne("backend"),
		Long: "Prints the variables of the crash environment as the backend's next start would set them, with the reason for each. Of what\n" +
			"you set yourself it prints only what replaces one of them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome()
			if err != nil {
				return err
			}
			dir, err := h.resolve(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			cfg, plan, err := setup.Planned(dir, true)
			if err != nil {
				return err
			}
			for _, w := range plan.Warnings {
				fmt.Fprintln(c.err, "vivarium: "+words.Plain(w))
			}
			if asJSON {
				return printJSON(c.out, plan.Applied)
			}
			_, err = io.WriteString(c.out, crash.Exports(plan.Applied)+setup.RecorderComment(cfg))
			return err
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

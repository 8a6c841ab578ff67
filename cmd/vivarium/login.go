package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/login"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

func loginCommand(c console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "login on|off|status", Short: "Start the menu-bar app at login, or not", ValidArgs: []string{"on", "off", "status"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(cmd.ValidArgs, args[0]) {
				return usage("say one of: login on, login off, login status")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			state, err := keeper.StateFolder()
			if err == nil {
				err = safefile.Folder(state)
			}
			if err != nil {
				return err
			}
			l, err := app.LoginSetting(state, nil)
			if err != nil {
				return err
			}
			if args[0] != "status" {
				if err := l.Set(args[0] == "on"); err != nil {
					return err
				}
			}
			return printLogin(c, l, asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// printLogin says whether, by what, and what only a person can do.
func printLogin(c console, l *login.Setting, asJSON bool) error {
	file, err := l.Item.Status()
	if err != nil {
		return err
	}
	st, err := l.Status()
	if err != nil {
		return err
	}
	by := file.File // on Linux, and where a file is all there is
	if st.Way == login.Service {
		by = st.Way.String()
	}
	if asJSON {
		return printJSON(c.out, map[string]any{"enabled": st.On, "other": file.Other, "file": file.File, "by": words.Chosen(st.On, by, ""), "note": st.Words})
	}
	switch {
	case st.On:
		_, err = fmt.Fprintf(c.out, "on: %s starts at login (%s)\n", l.Item.Program, by)
	case file.Other != "":
		_, err = fmt.Fprintf(c.out, "on, but for another program: %s (%s)\n", file.Other, file.File)
	default:
		_, err = fmt.Fprintln(c.out, "off"+words.Prefixed(": ", st.Words))
	}
	return err
}

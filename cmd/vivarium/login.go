package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/login"
)

func loginCommand(c console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "login on|off|status", Short: "Start the menu-bar app at login, or not", ValidArgs: []string{"on", "off", "status"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !strings.Contains(" on off status ", " "+args[0]+" ") {
				return usage("say one of: login on, login off, login status")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := app.LoginItem()
			if err != nil {
				return err
			}
			switch args[0] {
			case "on":
				err = l.On()
			case "off":
				err = l.Off()
			}
			if err != nil {
				return err
			}
			return printLogin(c, l, asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printLogin(c console, l login.Item, asJSON bool) error {
	st, err := l.Status()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, map[string]any{"enabled": st.Enabled, "other": st.Other, "file": st.File})
	}
	switch {
	case st.Enabled:
		_, err = fmt.Fprintf(c.out, "on: %s starts at login (%s)\n", l.Program, st.File)
	case st.Other != "":
		_, err = fmt.Fprintf(c.out, "on, but for another program: %s (%s)\n", st.Other, st.File)
	default:
		_, err = fmt.Fprintln(c.out, "off")
	}
	return err
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/app/words"
)

type initOptions struct {
	force, dry bool
	app        string
	port       int
}

func initCommand(c console) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use: "init [DIR]", Short: "Set up a folder: find interpreter, app and port, write vivarium.toml and ./start", Args: atMostOne("folder"),
		Long: "Looks at the folder without running anything of it, and writes vivarium.toml and ./start. Nothing is overwritten: a\n" +
			"vivarium.toml that is there is kept, and so is a ./start, as start.before-vivarium.",
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := folderOf(first(args))
			if err != nil {
				return err
			}
			if o.port < 0 || o.port > 65535 {
				return usage("%d is no port", o.port)
			}
			return setUp(c, dir, o)
		},
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "ask nothing")
	cmd.Flags().BoolVar(&o.dry, "dry-run", false, "say what was found, and write nothing")
	cmd.Flags().StringVar(&o.app, "app", "", "the app to start, as module:name")
	cmd.Flags().IntVar(&o.port, "port", 0, "the port it is to listen on")
	return cmd
}

func setUp(c console, dir string, o initOptions) error {
	found, err := setup.Inspect(dir)
	if err != nil {
		return err
	}
	if o.app != "" {
		if err := found.Choose(o.app); err != nil {
			return &codeError{codeUsage, err}
		}
	}
	if o.port != 0 {
		found.Port, found.PortFrom = o.port, ""
	}
	for _, line := range found.Lines() {
		fmt.Fprintln(c.out, line)
	}
	if o.dry {
		return nil
	}
	if found.Command == nil && !found.Configured {
		return &codeError{codeUsage, setup.ErrNoServer}
	}
	write, err := agree(c, found, o.force)
	if err != nil {
		return err
	}
	done, err := found.Write(write)
	if err != nil {
		return err
	}
	tellWritten(c, found, done)
	return nil
}

// agree asks what has to be asked. Without a terminal only --force is a Yes.
func agree(c console, f setup.Found, force bool) (setup.WriteOptions, error) {
	w := setup.WriteOptions{Force: force, Environment: force}
	if force {
		return w, nil
	}
	asks := isTerminal(c.in) && isTerminal(c.out)
	in := bufio.NewReader(c.in)
	if f.Start && !f.StartOurs {
		if !asks {
			return w, &codeError{codeUsage, &setup.StartExistsError{Path: f.Dir + "/start"}}
		}
		if !yes(c, in, "Replace ./start? The present one is kept as start.before-vivarium.") {
			return w, &codeError{codeFailed, errors.New("nothing was written")}
		}
		w.Force = true
	}
	if asks && len(f.Environment) > 0 && !f.Configured {
		w.Environment = yes(c, in, fmt.Sprintf("Take over %s into [environment]?", words.Count(len(f.Environment), "export line", "export lines")))
	}
	return w, nil
}

func yes(c console, in *bufio.Reader, question string) bool {
	fmt.Fprint(c.out, question+" [y/N] ")
	answer, err := in.ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "y" || answer == "yes")
}

func tellWritten(c console, f setup.Found, done setup.Written) {
	if f.Configured {
		fmt.Fprintln(c.out, "vivarium.toml is there already and was kept")
	}
	if done.Kept != "" {
		fmt.Fprintf(c.out, "The former ./start is now %s\n", done.Kept)
	}
	for _, name := range done.Files {
		fmt.Fprintf(c.out, "Wrote %s\n", name)
	}
	fmt.Fprintln(c.out, "Start it with ./start")
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
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
	cmd.Flags().StringVar(&o.app, "app", "", "the app to start, as module:name, a file, or a process of the Procfile")
	cmd.Flags().IntVar(&o.port, "port", 0, "the port it is to listen on")
	return cmd
}

func setUp(c console, dir string, o initOptions) error {
	found, err := setup.Inspect(dir, true)
	if err != nil {
		return err
	}
	if o.app != "" {
		if err := wrongChoice(found.Choose(o.app)); err != nil {
			return err
		}
	}
	if o.port != 0 {
		found.ListenOn(o.port)
	}
	for _, line := range found.Lines() {
		text := strings.TrimLeft(line, " ")
		fmt.Fprintln(c.out, line[:len(line)-len(text)]+words.Plain(text)) // a folder may have any name
	}
	if o.dry {
		return nil
	}
	if found.Command == nil && !found.Configured {
		return &codeError{codeUsage, setup.ErrNoServer}
	}
	if err := chooseServer(c, &found, o); err != nil {
		return err
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

// chooseServer asks which of several servers is meant where nothing in the folder says it. Without a terminal the first is taken, and the
// others were listed.
func chooseServer(c console, f *setup.Found, o initOptions) error {
	if !f.Ask || f.Configured || o.app != "" || o.force {
		return nil
	}
	if !isTerminal(c.in) || !isTerminal(c.out) {
		fmt.Fprintf(c.err, "vivarium: %s is taken; for another one say --app\n", f.App)
		return nil
	}
	names := []string{f.App}
	for _, other := range f.Others {
		name, _, _ := strings.Cut(other, " (")
		names = append(names, name)
	}
	for i, name := range names {
		fmt.Fprintf(c.out, "  %d  %s\n", i+1, words.Plain(name))
	}
	fmt.Fprint(c.out, "Which server is meant? [1] ")
	answer, err := bufio.NewReader(c.in).ReadString('\n')
	if err != nil {
		return &codeError{codeFailed, errors.New("nothing was written")}
	}
	n := 1
	if answer = strings.TrimSpace(answer); answer != "" {
		if n, err = strconv.Atoi(answer); err != nil || n < 1 || n > len(names) {
			return usage("%q is none of them: nothing was written", answer)
		}
	}
	if n == 1 {
		return nil
	}
	return wrongChoice(f.Choose(names[n-1]))
}

// wrongChoice makes a wrong choice an error of usage.
func wrongChoice(err error) error {
	if err != nil {
		return &codeError{codeUsage, err}
	}
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
	if offered := f.Offered(); asks && offered > 0 && !f.Configured {
		w.Environment = yes(c, in, fmt.Sprintf("Take over %s into [environment]?", words.Count(offered, "export line", "export lines")))
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
	if f.Mend != "" && (f.Python == "" || len(f.Missing) > 0) {
		fmt.Fprintf(c.out, "Before it can start: %s\n", f.Mend)
		return
	}
	if len(f.Stops) > 0 {
		fmt.Fprintln(c.out, "Mend what is said above, then start it with "+f.StartWith())
		return
	}
	fmt.Fprintln(c.out, "Start it with "+f.StartWith())
}

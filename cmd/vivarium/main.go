// Command vivarium is the command line, and with `vivarium run` one backend in the foreground. Without arguments it is the
// menu-bar app, or, where there is none, the same as run.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/app/terminal"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/python"
)

// The exit codes.
const (
	codeWell       = 0
	codeFailed     = 1
	codeUsage      = 2 // or the configuration
	codeNotRunning = 3
)

func main() {
	quitQuietly()
	os.Exit(execute(console{os.Stdin, safe(os.Stdout), safe(os.Stderr)}, os.Args[1:]))
}

// quitQuietly ends the program at a Ctrl-\ without the stacks of its goroutines, which Go prints: they are no news to a person. The exit
// code is that of a program which the signal ended.
func quitQuietly() {
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	go func() {
		<-quit
		os.Exit(128 + int(syscall.SIGQUIT))
	}()
}

// console is where a command reads and writes.
type console struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// codeError is an error with an exit code of its own. Without an err nothing is printed: everything was said.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &codeError{codeUsage, fmt.Errorf(format, args...)}
}

func execute(c console, args []string) int {
	root := rootCommand(c)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return codeWell
	}
	code := codeOf(err)
	if text := words.Plain(err.Error()); text != "" {
		fmt.Fprintln(c.err, "vivarium: "+text)
	}
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(c.err, hint)
	}
	return code
}

func codeOf(err error) int {
	var coded *codeError
	var config *config.Error
	var python *python.Error
	var ended *terminal.EndError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &config), errors.As(err, &python):
		return codeUsage
	case errors.As(err, &ended) && ended.Verdict.Kind == crash.KindConfig:
		return codeUsage
	case errors.Is(err, control.ErrNotHeld):
		return codeNotRunning
	}
	return codeFailed
}

// hintFor is what a person can do about an error, where the error does not say so itself.
func hintFor(err error) string {
	var ended *terminal.EndError
	var missing *desktop.MissingError
	var start *setup.StartExistsError
	switch {
	case errors.As(err, &ended):
		return words.Plain(ended.Verdict.Remedy)
	case errors.As(err, &missing):
		return "Build all programs with “make build”, or install Vivarium anew."
	case errors.As(err, &start):
		return "It would be kept as start.before-vivarium: say --force."
	case errors.Is(err, setup.ErrNoServer):
		return "Say which app to start with --app module:name, or write a vivarium.toml with a command of your own."
	case errors.Is(err, control.ErrNotHeld):
		return "Start the app with “vivarium”, or the backend in this terminal with “vivarium run”."
	}
	return ""
}

func rootCommand(c console) *cobra.Command {
	root := &cobra.Command{
		Use:           "vivarium",
		Short:         "Keeps a local Python AI backend alive, and says why when it dies",
		Long:          "Vivarium keeps a local Python AI backend alive: it starts the server in the one environment in which it does not\ncrash, watches it, and when Python terminates it says why. Without a command it is the menu-bar app.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       keeper.Version,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q: see “vivarium --help”", args[0])
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return menubar(c) },
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w: see “%s --help”", err, cmd.CommandPath())
	})
	root.AddCommand(
		runCommand(c), initCommand(c),
		statusCommand(c), dashboardCommand(c), intentCommand(c, startIntent), stopCommand(c), intentCommand(c, restartIntent), waitCommand(c), mcpCommand(c), logsCommand(c),
		envCommand(c), doctorCommand(c), explainCommand(c), crashesCommand(c), stacksCommand(c),
		loginCommand(c), versionCommand(c), pageCommand(c),
	)
	return root
}

// atMostOne is the argument check of commands on one backend.
func atMostOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("too many arguments: at most one %s", what)
		}
		return nil
	}
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func versionCommand(c console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("version takes no arguments")
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return printJSON(c.out, map[string]string{"version": keeper.Version})
			}
			_, err := fmt.Fprintln(c.out, "vivarium", keeper.Version)
			return err
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON, for programs")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/terminal"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/quiet"
	"github.com/vivarium-app/vivarium/supervisor/ready"
)

func runCommand(c console) *cobra.Command {
	var asJSON, demo, verbose bool
	cmd := &cobra.Command{
		Use: "run [DIR]", Short: "Keep one backend running in the foreground, with a line for each event", Args: atMostOne("folder"),
		Long: "Keeps the backend in DIR, or in the working directory, running in the foreground. Ctrl-C stops it and waits until nothing\n" +
			"of it is left; a second Ctrl-C skips the grace. If another Vivarium program keeps it, its events are shown.",
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := runFolder(first(args), demo)
			if err != nil {
				return err
			}
			return runHere(c, dir, asJSON, verbose)
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&demo, "demo", false, "run the demo backend, which crashes on request")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "tell on stderr what is no event")
	return cmd
}

func runFolder(arg string, demo bool) (string, error) {
	if !demo {
		return folderOf(arg)
	}
	if arg != "" {
		return "", usage("either a folder or --demo")
	}
	h, err := openHome()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(h.state, "demo")
	if err := assets.WriteDemo(dir); err != nil {
		return "", err
	}
	return folderOf(dir)
}

// runHere is `vivarium run` on a folder.
func runHere(c console, dir string, asJSON, verbose bool) error {
	h, err := openHome()
	if err != nil {
		return err
	}
	config, err := h.load(dir)
	if err != nil {
		return err
	}
	if err := startable(config); err != nil {
		return err
	}
	exe, err := desktop.Program(desktop.KeeperProgram)
	if err != nil {
		return err
	}
	tellBefore(c, h.state, config)
	signals := make(chan os.Signal, 4)
	signal.Reset(syscall.SIGQUIT) // what main does with it
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	// An output that is closed has to be an error of the write, and not the end of this program with a server left behind.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	o := terminal.Options{
		Config: config, State: h.state, Keeper: exe, JSON: asJSON, Colour: colourful(c.out), Out: c.out, Signals: signals,
		Log: slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: logLevel(verbose)})),
	}
	if f := fileOf(c.out); f != nil {
		o.Closed = terminal.Closed(f)
	}
	quiet.Begin()
	return terminal.Run(context.Background(), o)
}

// tellBefore says before the start what would end it, where that is seen without running anything. The start is made all the same: what is seen
// may be mended meanwhile, and a person may know better. A server that runs is taken over, and nobody waits for this.
func tellBefore(c console, state string, conf config.Config) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if row, err := control.Look(ctx, state, conf); err != nil || row.PID != 0 {
		return
	}
	home, _ := os.UserHomeDir() // unknown: no interpreter is looked for there
	p, err := plan.Make(conf, plan.Options{Parent: os.Environ(), Home: home, Interactive: true})
	if err != nil {
		return // the start tells it
	}
	for _, v := range ready.Look(ctx, conf, p) {
		fmt.Fprintln(c.err, "vivarium: "+words.Plain(ready.Line(v)))
	}
}

// startable refuses a folder in which there is nothing to start: a start would make a log folder in it, and run whatever Python is at hand
// with a server that is not there.
func startable(c config.Config) error {
	if _, err := os.Lstat(c.File); err == nil {
		return nil
	}
	dir, module := c.Code()
	for _, name := range []string{module + ".py", module} {
		if _, err := os.Stat(filepath.Join(dir, name)); module != "" && err == nil {
			return nil
		}
	}
	return usage("there is no server in %s: neither a %s nor a %s.py; go to the backend's folder, or set one up there with “vivarium init”", c.Dir, filepath.Base(c.File), module)
}

func logLevel(verbose bool) slog.Level {
	if verbose {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// menubar becomes the menu-bar program; where there is none, or nothing to show it on, it runs in the terminal, and says so.
func menubar(c console) error {
	exe, why := menubarProgram()
	if why == "" {
		args := []string{exe}
		return fmt.Errorf("starting %s: %w", exe, syscall.Exec(exe, args, os.Environ()))
	}
	h, err := openHome()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "vivarium: %s, so it runs in the terminal\n", why)
	dir, err := h.resolve(context.Background(), "")
	if err != nil {
		return err
	}
	return runHere(c, dir, false, false)
}

// menubarProgram is the program to become, or why there is none.
func menubarProgram() (exe, why string) {
	exe, err := desktop.Program(desktop.MenubarProgram)
	if err != nil {
		return "", "the menu-bar program is not installed"
	}
	if runtime.GOOS != "darwin" && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return "", "there is no display"
	}
	// It links libraries that this program does not: whether it can be loaded at all is seen by loading it.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := exec.CommandContext(ctx, exe, "--version").Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 127 {
			return "", "the libraries of the menu-bar program are not installed"
		}
		return "", "the menu-bar program does not start"
	}
	return exe, ""
}

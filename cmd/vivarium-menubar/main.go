//go:build cgo

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/tray"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/quiet"
)

// patience is how long the end may take: the app's own two seconds for the backends, and the last notices.
const patience = 5 * time.Second

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, err := parse(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case o.version:
		fmt.Println("vivarium-menubar", keeper.Version)
		return 0
	case o.item != "" || o.notices:
		return told(o)
	case !hasDisplay(runtime.GOOS, os.Getenv):
		fmt.Fprintln(os.Stderr, "there is no display here: run “vivarium run DIR” for a backend in the terminal")
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	around := app.Desktop{Copy: tray.Copy, Awake: tray.Awake, KeepAwake: tray.KeepAwake, Folder: tray.Folder, Ask: tray.Ask, Tell: tray.Tell, Items: tray.LoginService{}}
	a, err := app.New(app.Options{Desktop: around, Center: tray.Center(), AtLogin: o.login, Welcome: !o.login && !o.demo})
	switch {
	case errors.Is(err, app.ErrRunning):
		if !o.login {
			fmt.Fprintln(os.Stderr, "Vivarium is already running: its icon is in the menu bar")
		}
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "vivarium-menubar:", err)
		return 1
	}
	serve(ctx, a, o)
	return 0
}

// told asks macOS what only this program can, and is not the app.
func told(o options) int {
	var err error
	if o.notices {
		err = tellNotices(context.Background(), tray.NoticesAllowed(), os.Stdout)
	} else {
		err = tellLoginItem(tray.LoginService{}, o.item, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vivarium-menubar:", err)
		return 1
	}
	return 0
}

// serve is the app in the tray until its end, which comes from three sides: the app is done after a Quit, a signal ends ctx, or
// the desktop ends the tray (a logout).
func serve(ctx context.Context, a *app.App, o options) {
	quiet.Begin()
	ctx, end := context.WithCancel(ctx)
	done := make(chan struct{})
	tray.Run(func(t *tray.Tray) {
		if o.demo {
			t.Click(app.Action{Item: app.TailDemo, Tail: true})
		}
		if err := a.Run(ctx, t, nil); err != nil {
			fmt.Fprintln(os.Stderr, "vivarium-menubar:", err)
		}
		close(done)
		t.Quit()
	}, func() {
		end()
		select {
		case <-done:
		case <-time.After(patience):
		}
	})
}

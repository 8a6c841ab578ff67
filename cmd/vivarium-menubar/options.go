// Command vivarium-menubar is Vivarium in the menu bar of a Mac, or in the panel of a Linux desktop. It exits 0 on Quit, on
// SIGTERM and as a second instance, so that launchd, which starts it again after any other exit, leaves it alone then.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

type options struct {
	demo    bool
	version bool
	login   bool   // launchd starts it at login, or because the login item was just registered
	item    string // what to do with macOS's login item, instead of being the app
	notices bool   // tell whether notices are allowed, likewise
}

// parse reads the command line. What it returns as an error was told on out already; flag.ErrHelp means that help was asked for.
func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("vivarium-menubar", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprintln(out, "usage: vivarium-menubar [--demo] [--version]\n\nVivarium in the menu bar. The command line is the program vivarium.\n\n"+
			"What only the app itself can ask macOS, as a line of JSON: --login-item status|register|unregister|FILE, --notices.")
	}
	flags.BoolVar(&o.demo, "demo", false, "add the demo backend and start it")
	flags.BoolVar(&o.version, "version", false, "print the version")
	flags.BoolVar(&o.login, "login", false, "for launchd: end without a word if the app runs already")
	flags.StringVar(&o.item, "login-item", "", "ask macOS about the login item in the app, or the launch agent in `FILE`")
	flags.BoolVar(&o.notices, "notices", false, "ask macOS whether notices are allowed")
	if err := flags.Parse(withoutSerial(args)); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		err := errors.New("unexpected argument: " + flags.Arg(0))
		fmt.Fprintln(out, err)
		flags.Usage()
		return o, err
	}
	return o, nil
}

// withoutSerial drops the process serial number that macOS adds when a downloaded app is opened for the first time.
func withoutSerial(args []string) []string {
	var rest []string
	for _, a := range args {
		if !strings.HasPrefix(a, "-psn_") {
			rest = append(rest, a)
		}
	}
	return rest
}

// hasDisplay says whether there is a screen to show a menu on. GTK ends the process without one.
func hasDisplay(goos string, getenv func(string) string) bool {
	return goos == "darwin" || getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != ""
}

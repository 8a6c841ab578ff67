package app

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

const helpURL = "https://github.com/vivarium-app/vivarium#readme"

func aboutText() string {
	return "Vivarium " + keeper.Version + " (" + runtime.GOOS + "/" + runtime.GOARCH + ")\n\n" +
		"Keeps a local Python backend alive: it starts the server in the environment in which it does not crash, watches it, " +
		"and when Python terminates it says why.\n\nMIT licence · github.com/vivarium-app/vivarium"
}

// diagnostics is what a person may paste into a bug report: states, no paths and no values.
func (a *App) diagnostics(all []supervisor.Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Vivarium %s, %s/%s, %s\n", keeper.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
	for i, s := range all {
		fmt.Fprintf(&b, "backend %d: %s\n", i+1, StatusLine(s, time.Now()))
	}
	return b.String()
}

package app

import (
	"runtime"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

const helpURL = "https://github.com/vivarium-app/vivarium#readme"

func aboutText() string {
	return "Vivarium " + keeper.Version + " (" + runtime.GOOS + "/" + runtime.GOARCH + ")\n\n" +
		"Keeps a local Python backend alive: it starts the server in the environment in which it does not crash, watches it, " +
		"and when Python terminates it says why.\n\nMIT licence · github.com/vivarium-app/vivarium"
}

// Command vivarium-keeper is the parent of a backend's server: see package keeper.
package main

import (
	"os"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

func main() { os.Exit(keeper.Main(os.Args[1:])) }

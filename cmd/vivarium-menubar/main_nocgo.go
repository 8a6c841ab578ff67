//go:build !cgo

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "this vivarium-menubar was built without cgo, which the menu bar needs: CGO_ENABLED=1 go build ./cmd/vivarium-menubar (Debian: libgtk-3-dev libayatana-appindicator3-dev)")
	os.Exit(1)
}

// Rooms measures how the project is divided: files, lines and exported names of each package, and for each import how many names cross it.
//
//	go run ./packaging/checks/rooms [FOLDER]
//
// It is for looking at before and after a change of the division; what has to hold is in packaging/checks/project.
package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	folder := "."
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	all, err := measure(folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rooms:", err)
		os.Exit(1)
	}
	print(os.Stdout, all)
}

// print writes two tables: the packages, and the arrows between them.
func print(w io.Writer, all []room) {
	fmt.Fprintf(w, "%-40s %5s %6s %8s\n", "package", "files", "lines", "exported")
	arrows, names := 0, 0
	for _, r := range all {
		fmt.Fprintf(w, "%-40s %5d %6d %8d\n", r.path, r.files, r.lines, r.exported)
	}
	fmt.Fprintf(w, "\n%-76s %5s\n", "arrow", "names")
	for _, r := range all {
		for _, to := range slices.Sorted(maps.Keys(r.uses)) {
			fmt.Fprintf(w, "%-76s %5d\n", r.path+" -> "+to, len(r.uses[to]))
			arrows, names = arrows+1, names+len(r.uses[to])
		}
	}
	largest := slices.MaxFunc(all, func(a, b room) int { return cmp.Compare(a.files, b.files) })
	fmt.Fprintf(w, "\n%d packages, %d arrows, %d names cross them; the largest has %d files (%s)\n", len(all), arrows, names, largest.files, strings.TrimSpace(largest.path))
}

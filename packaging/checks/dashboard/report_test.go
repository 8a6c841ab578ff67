//go:build e2e || bench

package dashboard

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// rows of the table of figures, in the order in which they were measured.
var rows [][]string

func figure(what, figure, compared string) { rows = append(rows, []string{what, figure, compared}) }

func report() {
	if len(rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tfigure\tcompared")
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush()
}

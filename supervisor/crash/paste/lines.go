package paste

import (
	"iter"
	"strings"
)

// lines yields the lines of a text without their ends.
func lines(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			line, rest, _ := strings.Cut(s, "\n")
			if !yield(strings.TrimSuffix(line, "\r")) {
				return
			}
			s = rest
		}
	}
}

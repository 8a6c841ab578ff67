package process

import (
	"slices"
	"strings"
	"time"
)

// Reading is what the processes had computed up to a moment.
type Reading struct {
	At  time.Time
	CPU time.Duration
}

// Share is how much they computed between the first and the last reading, in cores; 0 where there is nothing to compare.
func Share(all []Reading) float64 {
	if len(all) < 2 {
		return 0
	}
	a, b := all[0], all[len(all)-1]
	if !b.At.After(a.At) {
		return 0
	}
	return float64(b.CPU-a.CPU) / float64(b.At.Sub(a.At))
}

// MayHaveWorkers: the command speaks of workers, which may be gone at each look where none of them lives for long.
func MayHaveWorkers(command []string) bool {
	return slices.ContainsFunc(command, func(w string) bool { return strings.Contains(w, "worker") || w == "-w" })
}

package record

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/memory"
)

const (
	Remembered = 15 * time.Minute // how far back a history goes
	apart      = 5 * time.Second  // what is measured more often becomes one sample
	maxSamples = int(Remembered/apart) + 1
	maxMarks   = 100
)

// Samples are the samples of the last 15 minutes, oldest first: at most one for each five seconds of the clock, and so at most maxSamples. It
// goes on from run to run, because what came before a crash loop explains it.
type Samples []Sample

// Add appends s. A sample of the same five seconds and the same run, which began at since, is made one with it, of the worse of both: a
// peak is what one looks for afterwards.
func (h Samples) Add(s Sample, since time.Time) Samples {
	if n := len(h); n > 0 && !h[n-1].At.Before(since) && slot(h[n-1].At) == slot(s.At) {
		h[n-1] = worse(h[n-1], s)
		return h
	}
	if h == nil {
		h = make(Samples, 0, maxSamples)
	}
	old := 0
	for old < len(h) && (s.At.Sub(h[old].At) >= Remembered || h[old].At.After(s.At)) { // After: the clock was set back
		old++
	}
	return append(h[:copy(h, h[old:])], s)
}

func slot(at time.Time) int64 { return at.UnixNano() / int64(apart) }

func worse(a, b Sample) Sample {
	return Sample{At: b.At, CPU: max(a.CPU, b.CPU), Memory: max(a.Memory, b.Memory), RSS: max(a.RSS, b.RSS), Latency: max(a.Latency, b.Latency),
		OK: a.OK && b.OK, Pressure: memory.Worse(a.Pressure, b.Pressure)}
}

// WithMark is the list with one more mark, as long as samples are kept. What lies far ahead of it is of a clock that was set back. The list is
// never changed in place: a History may hold it.
func WithMark(marks []Mark, k Mark) []Mark {
	old := 0
	for old < len(marks) && (k.At.Sub(marks[old].At) >= Remembered || marks[old].At.Sub(k.At) > time.Minute || len(marks)-old >= maxMarks) {
		old++
	}
	return append(slices.Clone(marks[old:]), k)
}

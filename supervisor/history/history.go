// Package history is what is remembered of a backend for a quarter of an hour: what was measured, what happened, and the standstill that lasts.
// It is pure: it asks no clock, and knows neither the supervisor nor files. Begin with Samples.
package history

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

const (
	Remembered = 15 * time.Minute // how far back a history goes
	MostMarks  = 100
	apart      = 5 * time.Second // what is measured more often becomes one sample
	mostSample = int(Remembered/apart) + 1
)

// Samples are those of the last 15 minutes, oldest first: at most one for each five seconds of the clock, and so bounded. They go on from run
// to run, because what came before a crash loop explains it.
type Samples []record.Sample

// Add appends s. A sample of the same five seconds and the same run, which began at since, is made one with it, of the worse of both: a
// peak is what one looks for afterwards.
func (h Samples) Add(s record.Sample, since time.Time) Samples {
	if n := len(h); n > 0 && !h[n-1].At.Before(since) && slot(h[n-1].At) == slot(s.At) {
		h[n-1] = worse(h[n-1], s)
		return h
	}
	if h == nil {
		h = make(Samples, 0, mostSample)
	}
	old := 0
	for old < len(h) && (s.At.Sub(h[old].At) >= Remembered || h[old].At.After(s.At)) { // After: the clock was set back
		old++
	}
	return append(h[:copy(h, h[old:])], s)
}

func slot(at time.Time) int64 { return at.UnixNano() / int64(apart) }

func worse(a, b record.Sample) record.Sample {
	return record.Sample{At: b.At, CPU: max(a.CPU, b.CPU), Memory: max(a.Memory, b.Memory), RSS: max(a.RSS, b.RSS), Latency: max(a.Latency, b.Latency),
		OK: a.OK && b.OK, Pressure: memory.Worse(a.Pressure, b.Pressure)}
}

// Marks are what happened in the time for which samples are kept. They are never changed in place: a record.History may hold them.
type Marks []record.Mark

// With adds a mark, in place of one of the same kind and moment. What lies far ahead of it is of a clock that was set back.
func (m Marks) With(k record.Mark) Marks {
	if i := slices.IndexFunc(m, func(o record.Mark) bool { return o.What == k.What && k.What == record.MarkStall && o.At.Equal(k.At) }); i >= 0 {
		m = slices.Clone(m)
		m[i] = k
		return m
	}
	old := 0
	for old < len(m) && (k.At.Sub(m[old].At) >= Remembered || m[old].At.Sub(k.At) > time.Minute || len(m)-old >= MostMarks) {
		old++
	}
	return append(slices.Clone(m[old:]), k)
}

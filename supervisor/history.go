package supervisor

import (
	"context"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

const (
	remembered = 15 * time.Minute // how far back a history goes
	apart      = 5 * time.Second  // what is measured more often becomes one sample
	maxSamples = int(remembered/apart) + 1
	maxMarks   = 100
)

// history are the samples of the last 15 minutes, oldest first: at most one for each five seconds of the clock, and so at most maxSamples. It
// goes on from run to run, because what came before a crash loop explains it.
type history []record.Sample

// add appends s. A sample of the same five seconds and the same run, which began at since, is made one with it, of the worse of both: a
// peak is what one looks for afterwards.
func (h history) add(s record.Sample, since time.Time) history {
	if n := len(h); n > 0 && !h[n-1].At.Before(since) && slot(h[n-1].At) == slot(s.At) {
		h[n-1] = worse(h[n-1], s)
		return h
	}
	if h == nil {
		h = make(history, 0, maxSamples)
	}
	old := 0
	for old < len(h) && (s.At.Sub(h[old].At) >= remembered || h[old].At.After(s.At)) { // After: the clock was set back
		old++
	}
	return append(h[:copy(h, h[old:])], s)
}

func slot(at time.Time) int64 { return at.UnixNano() / int64(apart) }

func worse(a, b record.Sample) record.Sample {
	return record.Sample{At: b.At, CPU: max(a.CPU, b.CPU), RSS: max(a.RSS, b.RSS), Latency: max(a.Latency, b.Latency), OK: a.OK && b.OK}
}

// sampled keeps what was just measured.
func (m *machine) sampled(now time.Time) {
	m.history = m.history.add(record.Sample{
		At: now, CPU: m.Usage.CPU, RSS: m.Usage.RSS, Latency: m.Health.Latency, OK: m.Health.Phase == record.PhaseOK && m.Health.Failures == 0,
	}, m.started)
}

// mark keeps what happened, for the time that samples are kept. What lies far ahead of it is of a clock that was set back. The list is never
// changed in place: a History may hold it.
func (m *machine) mark(k record.Mark) {
	old := 0
	for old < len(m.marks) && (k.At.Sub(m.marks[old].At) >= remembered || m.marks[old].At.Sub(k.At) > time.Minute || len(m.marks)-old >= maxMarks) {
		old++
	}
	m.marks = append(slices.Clone(m.marks[old:]), k)
}

// History is what is known of the last fifteen minutes, as long as Run lasts.
func (s *Supervisor) History(ctx context.Context) (record.History, error) {
	answer := make(chan record.History, 1)
	select {
	case s.asked <- answer:
		return <-answer, nil
	case <-ctx.Done():
		return record.History{}, ctx.Err()
	}
}

// past is the answer to History. The samples are a copy: the loop goes on to change them.
func (m *machine) past() record.History {
	return record.History{Samples: slices.Clone(m.history), Marks: m.marks}
}

package supervisor

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

const (
	remembered = 15 * time.Minute // how far back a history goes
	apart      = 5 * time.Second  // what is measured more often becomes one sample
	maxSamples = int(remembered/apart) + 1
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

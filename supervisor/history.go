package supervisor

import (
	"context"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

// sampled keeps what was just measured.
func (m *machine) sampled(now time.Time) {
	m.history = m.history.Add(record.Sample{
		At: now, CPU: m.Usage.CPU, Memory: m.Usage.Memory, RSS: m.Usage.RSS, Latency: m.Health.Latency,
		OK: m.Health.Phase == record.PhaseOK && m.Health.Failures == 0, Pressure: m.Memory.Pressure.Level,
	}, m.started)
}

// mark keeps what happened, for the time that samples are kept.
func (m *machine) mark(k record.Mark) { m.marks = record.WithMark(m.marks, k) }

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

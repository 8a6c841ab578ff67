package supervisor

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

// standstill is the time for which the present run has not answered, as it will be on record. It is part of machine.
type standstill struct {
	record.Stalled           // At is zero: there is none
	failed         time.Time // the first health check that was not answered, from when it is to be explained on
	unwritten      bool      // more is known of it than is kept
}

// standsStill begins the record of a stall, when it is told.
func (m *machine) standsStill(now time.Time) {
	at := m.still.failed
	if at.IsZero() || at.After(now) {
		at = now
	}
	m.still.Stalled = record.Stalled{
		Run: m.Run.ID, At: at, Uptime: max(0, at.Sub(m.started)), Busy: m.Health.Phase == record.PhaseBusy, Problem: m.Health.Problem, Stall: m.Stall,
	}
	m.still.unwritten = true
}

// followStandstill comes after each step: it keeps what was learned of a stall, and that it is over. Whatever ends it, it is seen here.
func (m *machine) followStandstill(now time.Time) {
	s := &m.still
	if s.At.IsZero() || m.State == Unreachable { // whether it answers is not known
		return
	}
	same := m.Run.ID == s.Run && m.State == Unhealthy
	switch {
	case same && (m.silent() || m.wedged()):
		if m.Stall.Kind != "" && (m.Stall.Kind != s.Stall.Kind || m.Stall.Summary != s.Stall.Summary) {
			s.Stall, s.unwritten = m.Stall, true
		}
	default:
		s.Until, s.Outcome, s.unwritten = now, record.Ended, true
		if same || m.Run.ID == s.Run && m.State == Healthy {
			s.Outcome = record.Recovered
		}
	}
	m.writeStandstill()
}

// overStandstill ends the record of a stall that another one follows: it neither recovered nor ended.
func (m *machine) overStandstill(now time.Time) {
	if s := &m.still; !s.At.IsZero() {
		s.Until, s.unwritten = now, true
		m.writeStandstill()
	}
}

func (m *machine) writeStandstill() {
	s := &m.still
	if !s.unwritten {
		return
	}
	s.unwritten = false
	m.do(doKeepStall{s.Stalled})
	m.markStall(s.Stalled)
	if !s.Until.IsZero() {
		m.still = standstill{}
	}
}

// markStall has the mark of a stall say what is known of it.
func (m *machine) markStall(s record.Stalled) {
	k := record.Mark{At: s.At, Until: s.Until, What: record.MarkStall, Text: s.Why()}
	if i := slices.IndexFunc(m.marks, func(o record.Mark) bool { return o.What == record.MarkStall && o.At.Equal(s.At) }); i >= 0 {
		m.marks = slices.Clone(m.marks) // a History may hold the old one
		m.marks[i] = k
		return
	}
	m.mark(k)
}

// keepStall writes a stall, with the stacks of its run. It is called by the loop.
func (s *Supervisor) keepStall(e doKeepStall) {
	if s.seen != nil && s.seen.Run == e.stall.Run && s.seen.At.After(e.stall.At) {
		e.stall.Stacks = s.seen.Lines()
	}
	backend := s.m.Backend
	s.inOrder(func() {
		if err := e.stall.Write(s.folder); err != nil {
			s.log.Error("a stall is not recorded", "backend", backend, "error", err)
		}
	})
}

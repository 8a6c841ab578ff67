package supervisor

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

// standsStill begins the record of a stall, when it is told.
func (m *machine) standsStill(now time.Time) {
	m.still.Begin(now, m.started, record.Stalled{Run: m.Run.ID, Busy: m.Health.Phase == record.PhaseBusy, Problem: m.Health.Problem, Stall: m.Stall})
}

// followStandstill comes after each step: it keeps what was learned of a stall, and that it is over. Whatever ends it, it is seen here.
func (m *machine) followStandstill(now time.Time) {
	if !m.still.Lasts() || m.State == Unreachable { // whether it answers is not known
		return
	}
	switch same := m.Run.ID == m.still.Run; {
	case same && m.State == Unhealthy && (m.silent() || m.wedged()):
		m.still.See(m.Stall)
	case same && (m.State == Unhealthy || m.State == Healthy):
		m.still.End(now, record.Recovered)
	default:
		m.still.End(now, record.Ended)
	}
	m.writeStandstill()
}

// overStandstill ends the record of a stall that another one follows: it neither recovered nor ended.
func (m *machine) overStandstill(now time.Time) {
	if m.still.Lasts() {
		m.still.End(now, "")
		m.writeStandstill()
	}
}

func (m *machine) writeStandstill() {
	if news, fresh := m.still.News(); fresh {
		m.do(doKeepStall{news})
		m.mark(news.Mark())
	}
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

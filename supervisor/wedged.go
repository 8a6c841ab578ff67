package supervisor

import (
	"context"
	"errors"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/deep"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// unhealthy is what the health check says. It is worse than what the deep probe may have said before.
func (m *machine) unhealthy(now time.Time, phase record.Phase) {
	if m.wedged() {
		m.deep.Forget()
		m.Stall = stall.Stall{}
		m.overStandstill(now)
	}
	if m.State != Unhealthy {
		m.enter(now, Unhealthy)
	}
	m.Health.Phase = phase
}

// wedged: its health check is good, and its real work fails.
func (m *machine) wedged() bool {
	return m.State == Unhealthy && m.Health.Phase == record.PhaseWedged
}

// wedgedBy is what failed of its real work, "" if it is not wedged.
func (m *machine) wedgedBy() string {
	if !m.wedged() {
		return ""
	}
	return m.deep.Problem()
}

// workable: it may be asked for its real work, as far as its state says that.
func (m *machine) workable() bool { return m.State == Healthy || m.wedged() }

func (m *machine) onDeepProbed(now time.Time, in deepProbed) {
	if !m.present(in.runID) {
		return
	}
	a := deep.Answer{Void: !m.workable() || m.Health.Failures > 0}
	if in.err != nil {
		var failed *probe.DeepError
		a.Problem = in.err.Error()
		if errors.As(in.err, &failed) {
			a.Silent = failed.Silent
		} else { // it was not asked
			a.Void, m.Note = true, a.Problem
		}
	}
	switch m.deep.Answered(now, a) {
	case deep.Wedged:
		m.wedge(now, a)
	case deep.Recovered:
		m.healthy(now)
	default:
		m.ignore("nothing changes")
		if m.wedged() {
			m.Health.Problem = m.deep.Problem()
		}
	}
}

// wedge tells that the real work fails. What the server does instead is looked at only where it does not answer.
func (m *machine) wedge(now time.Time, a deep.Answer) {
	m.unhealthy(now, record.PhaseWedged)
	m.Health.Problem, m.Stall, m.failing = a.Problem, stall.Wedged(a.Problem, now), time.Time{}
	m.still.failed = now
	if a.Silent {
		m.explain(now, EventUnhealthy)
		return
	}
	m.untold = EventUnhealthy
	m.tellUnwell(now)
	m.endHung(now)
}

// deepProbe has the run do its real work, with the environment that it was started with, until the end of that run.
func (s *Supervisor) deepProbe(ctx context.Context, e doDeepProbe) {
	c := s.m.config
	var env []string
	if s.good != nil {
		env = s.good.plan.Spec.Env
	}
	asked, cut := context.WithCancel(ctx)
	s.cutDeep = cut
	s.background(func() {
		defer cut()
		_, err := s.system.Deep(asked, c.Target(), c.Health.Deep, env, probe.Options{Run: e.run.ID})
		s.post(ctx, message{in: deepProbed{e.run.ID, err}})
	})
}

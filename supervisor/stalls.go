package supervisor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/postmortem"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

const (
	explainTime  = 3 * time.Second  // how long the news waits for its cause, and a hung run for its end
	observeEvery = 30 * time.Second // while it does not answer
	afterSleep   = time.Minute      // so long a sleep of the machine may be the cause
)

// stalling is what is known of a run that does not answer, or that starts without a word. It is part of watch.
type stalling struct {
	observing bool
	observeAt time.Time // not before then again
	untold    What      // unhealthy or busy, which waits for its cause
	tellBy    time.Time // but no longer than this
	logSize   int64
	logAt     time.Time // when the log grew last, as far as it was looked at
	slept     time.Duration
	wokeAt    time.Time
	sampling  bool   // its native code is being looked at; it is not ended before that
	native    string // where it is, "" not known
	// hungAtStop: a person had it stopped while it hung.
	hungAtStop bool
}

// explain tells that the run does not answer, together with what it does. Without the recorder there is nothing to wait for.
func (m *machine) explain(now time.Time, what What) {
	m.untold, m.tellBy = what, now.Add(explainTime)
	m.still.Failed(m.failing)
	if m.native = ""; m.sampler && m.Health.Phase == record.PhaseHung && !m.sampling {
		m.sampling = true
		m.do(doSample{m.Run})
	}
	if !m.config.Recorder.Enabled {
		m.tellUnwell(now)
		m.endHung(now)
		return
	}
	m.observe(now)
}

// observe has the run looked at, for whatever reason there is now.
func (m *machine) observe(now time.Time) {
	if m.observing || !m.config.Recorder.Enabled {
		return
	}
	phase := stall.Starting
	if m.State == Unhealthy {
		if phase = stall.Unhealthy; m.Health.Phase == record.PhaseBusy {
			phase = stall.Busy
		}
	}
	var slept time.Duration
	if !m.wokeAt.IsZero() && now.Sub(m.wokeAt) < afterSleep {
		slept = m.slept
	}
	m.observing, m.observeAt = true, now.Add(observeEvery)
	m.do(doObserve{m.Run, phase, slept, m.wedgedBy()})
}

// watchStall looks whether there is something to explain: a start that is quiet for long, or a run that still does not answer.
func (m *machine) watchStall(now time.Time, logSize int64) {
	if logSize != m.logSize {
		m.logSize, m.logAt = logSize, now
		if m.State == Starting {
			m.Stall = stall.Stall{} // it goes on
		}
	}
	if now.Before(m.observeAt) {
		return
	}
	switch m.State {
	case Unhealthy:
		if m.silent() {
			m.observe(now)
		}
	case Starting:
		quiet := m.started
		if m.logAt.After(quiet) {
			quiet = m.logAt
		}
		if every := m.config.Health.QuietStart; every > 0 && now.Sub(quiet) >= every {
			m.observe(now)
		}
	}
}

// silent: the run does not answer at all. One that answers an error is explained by that.
func (m *machine) silent() bool {
	return m.Health.Phase == record.PhaseHung || m.Health.Phase == record.PhaseBusy
}

// onObserved keeps why the run does not answer. It is told once, and again only when its kind changes.
func (m *machine) onObserved(now time.Time, in observed) {
	if !m.present(in.runID) {
		return
	}
	m.observing = false
	if m.State == Healthy || m.State == Unhealthy && !m.silent() && (!m.wedged() || in.stall.Kind != stall.KindWedged) {
		m.ignore("it answers")
		return
	}
	in.stall = in.stall.InNative(m.native)
	known := in.stall.Kind != "" && in.stall.Kind != stall.KindUnknown
	news := known && in.stall.Kind != m.Stall.Kind
	if news || m.Stall.Kind == "" || m.wedged() || known && (in.stall.File != m.Stall.File || in.stall.Line != m.Stall.Line) {
		m.Stall = in.stall
	}
	switch {
	case m.untold != "":
		m.tellUnwell(now)
		m.endHung(now)
	case news:
		m.tell(now, Event{What: EventStalled})
	default:
		m.ignore("the kind stays")
	}
}

// tellUnwell tells what waited for its cause.
func (m *machine) tellUnwell(now time.Time) {
	if m.untold == "" {
		return
	}
	what := m.untold
	m.untold, m.tellBy = "", time.Time{}
	if m.native != "" && m.Stall.Kind == "" {
		m.Stall = m.Stall.InNative(m.native)
		m.Stall.Taken = now
	}
	m.standsStill(now)
	m.tell(now, Event{What: what, Text: m.Health.Problem})
}

// onSampled adds where native code is to what is known, or keeps it for what will be.
func (m *machine) onSampled(now time.Time, in sampled) {
	if !m.present(in.runID) {
		return
	}
	m.sampling, m.native = false, in.where
	if m.untold != "" || m.State != Unhealthy || m.Health.Phase != record.PhaseHung {
		m.ignore("it waits for what Python does, or is well again")
		return
	}
	was := m.Stall.Kind
	if m.Stall = m.Stall.InNative(in.where); m.Stall.Kind != was {
		m.Stall.Taken = now
		m.tell(now, Event{What: EventStalled})
	}
	m.endHung(now)
}

// endHung ends a run that hangs, if that is wanted. Its stacks are known by now, or never will be.
func (m *machine) endHung(now time.Time) {
	if m.State != Unhealthy || m.Health.Phase != record.PhaseHung && !m.wedged() || !m.config.Health.RestartHung || m.sampling {
		return
	}
	m.end(now, postmortem.Hung(now.Sub(m.started), "it hung", m.Stall))
}

// keepStall has kept what a run did that a person stopped because it hung: the stop destroys what it could have said. It is no death.
func (m *machine) keepStall(exit keeper.Exit, away bool) {
	if !m.hungAtStop || !exit.Known {
		return
	}
	m.hungAtStop = false
	d := m.death(exit, postmortem.Hung(exit.At.Sub(exit.Run.Started), "it hung when it was stopped", m.Stall), away)
	m.doRecord(d, &exit, m.Snapshot, away)
}

// subject is the run for whoever looks at it. It is called by the loop.
func (s *Supervisor) subject(run keeper.Run, phase stall.Phase, slept time.Duration, deep string) observation.Subject {
	sub := observation.Subject{
		Run: run.ID, Folder: recorder.RunFolder(string(s.recordings()), run.ID), Signal: signalProven, Phase: phase,
		Dir: s.dir, Log: s.m.Log, Started: run.Started, Slept: slept, Deep: deep, Memory: s.m.Memory.Pressure.Words(),
	}
	if s.good != nil {
		p := s.good.plan.Python
		if sub.Places = slices.Clone(p.Site); p.Venv && !strings.HasPrefix(s.dir+"/", p.Prefix+"/") {
			sub.Places = append(sub.Places, p.Prefix)
		}
	}
	if run.ID == "" || !s.m.running() {
		return sub
	}
	sub.Members = append(sub.Members, observation.Member{PID: run.PID, Stamp: run.Stamp, Name: "python"})
	return sub
}

// ErrNothingRuns: there is no process to look at.
var ErrNothingRuns = errors.New("nothing runs")

// Stacks says what the run does now, also when it is healthy. It takes a second, and up to three if a process does not answer.
func (s *Supervisor) Stacks(ctx context.Context) (observation.Observation, error) {
	asked := make(chan observation.Subject, 1)
	s.box.Post(message{subject: asked})
	select {
	case sub := <-asked:
		if len(sub.Members) == 0 {
			return observation.Observation{}, ErrNothingRuns
		}
		return s.system.Observe(ctx, sub), nil
	case <-ctx.Done():
		return observation.Observation{}, ctx.Err()
	}
}

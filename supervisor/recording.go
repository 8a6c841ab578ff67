package supervisor

import (
	"context"
	"errors"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/postmortem"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// withRecorder gives what is to be started, and once why the recorder is not in it. The start does not depend on it.
func (s *Supervisor) withRecorder(c config.Config, spec keeper.Spec) (keeper.Spec, string) {
	spec, err := s.system.Record(c, spec)
	if err == nil {
		return spec, ""
	}
	note := ""
	s.noRecorder.Do(func() {
		s.log.Warn("starting without the recorder", "backend", c.Name, "error", err)
		if note = "no stacks of a hung server: " + err.Error(); errors.Is(err, recorder.ErrColon) {
			note += "; VIVARIUM_HOME moves it"
		}
	})
	return spec, note
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (s *Supervisor) recordings() platform.Recordings {
	return platform.Recordings(recorder.Runs(s.folder))
}

// keptRuns is how many of the latest deaths keep their recordings: they may still be examined.
const keptRuns = 3

// sweepRecordings removes what runs before the last ones left. It is called by the loop.
func (s *Supervisor) sweepRecordings() {
	keep := []string{s.m.Run.ID, s.m.lastRun}
	for _, d := range s.m.deaths[max(0, len(s.m.deaths)-keptRuns):] {
		keep = append(keep, d.Run)
	}
	s.background(func() { s.sweep(keep) })
}

// sweepAtBegin removes what is of no run that is there, or that just ended.
func (s *Supervisor) sweepAtBegin(f found) {
	keep := []string{f.run.ID}
	if f.exit != nil {
		keep = append(keep, f.exit.Run.ID)
	}
	s.sweep(keep)
}

func (s *Supervisor) sweep(keep []string) {
	if err := s.recordings().Sweep(keep); err != nil {
		s.log.Debug("sweeping recordings", "error", err)
	}
}

// signalProven sends a signal to the process with that stamp, and to no other.
func signalProven(pid int, stamp string, sig syscall.Signal) error {
	return proc.Signal(proc.Process{PID: pid, Stamp: stamp}, sig)
}

// raised is the exception that ended a run, as the recorder had it, in the form of a traceback; nil if there is none that decides.
func (s *Supervisor) raised(exit keeper.Exit) []string {
	lines, err := s.recordings().Raised(exit)
	if err != nil {
		s.log.Debug("reading recorded exceptions", "error", err)
	}
	return lines
}

// addStacks adds to the evidence what a run did that hung and was ended: as it was seen while it lived, or as its last words tell it, where it had
// no recorder.
func (s *Supervisor) addStacks(ctx context.Context, e doRecord, c *postmortem.Case) {
	b, seen := e.before, s.seen
	c.Native = s.native
	deep := ""
	if b.Health.Phase == record.PhaseWedged {
		deep = b.Health.Problem
	}
	if seen != nil && (seen.Run != b.Run.ID || deep != "" && seen.Stall.Kind != stall.KindWedged) { // of another run, or of an earlier hang
		seen = nil
	}
	st := b.Stall
	if x := e.exit; x != nil && (seen == nil || !seen.Stacks()) {
		last := observation.Last{PID: x.Run.PID, Signal: x.Signal, At: x.At, Tail: x.Tail}
		if told, ok := observation.LastWords(s.subject(b.Run, stall.Unhealthy, 0, deep), last); ok {
			seen, st, c.Death.Verdict = &told, told.Stall, postmortem.Hung(e.death.Uptime, "it hung", told.Stall)
			s.post(ctx, message{in: amended{e.death, x, c.Death.Verdict}})
		}
	}
	if seen != nil {
		c.Stacks = seen.Lines()
		if st.Kind == "" {
			st = seen.Stall
		}
	}
	if st.Kind != "" {
		c.Stall = &st
	}
	s.log.Warn("a run that hung was ended", "backend", b.Backend, "run", b.Run.ID, "stall", st.Summary, "stacks", c.Stacks, "native", c.Native)
}

// sample looks where the native code of a run is.
func (s *Supervisor) sample(ctx context.Context, run keeper.Run) message {
	found, err := s.system.Sample(ctx, run.PID, run.Stamp)
	if err != nil {
		s.log.Info("no sample of a hung run", "run", run.ID, "error", err)
	}
	return message{in: sampled{run.ID, found.Where()}, native: found.Lines()}
}

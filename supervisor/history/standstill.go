package history

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// Standstill is the time for which a run has not answered, as it will be on record.
type Standstill struct {
	record.Stalled           // At is zero: there is none
	failed         time.Time // the first health check that was not answered
	fresh          bool      // more is known of it than was told by News
}

// Failed says when a run stopped answering, before it is told.
func (s *Standstill) Failed(at time.Time) { s.failed = at }

// Begin begins the record of a stall. started is when its run began.
func (s *Standstill) Begin(now, started time.Time, first record.Stalled) {
	first.At = s.failed
	if first.At.IsZero() || first.At.After(now) {
		first.At = now
	}
	first.Uptime = max(0, first.At.Sub(started))
	s.Stalled, s.fresh = first, true
}

// Lasts says whether there is one.
func (s *Standstill) Lasts() bool { return !s.At.IsZero() }

// See keeps why the run does not answer, once that is known.
func (s *Standstill) See(why stall.Stall) {
	if why.Kind != "" && (why.Kind != s.Stall.Kind || why.Summary != s.Stall.Summary) {
		s.Stall, s.fresh = why, true
	}
}

// End ends it.
func (s *Standstill) End(now time.Time, how record.Outcome) {
	s.Until, s.Outcome, s.fresh = now, how, true
}

// News is what is to be kept of it, if that has changed since the last time. After its end there is none any more.
func (s *Standstill) News() (record.Stalled, bool) {
	news, fresh := s.Stalled, s.fresh
	s.fresh = false
	if !news.Until.IsZero() {
		*s = Standstill{}
	}
	return news, fresh
}

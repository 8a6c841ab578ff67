package supervisor

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

// adopt takes over a run that outlived its app. One that was told to stop is let go, and started again only if it is wanted.
func (m *machine) adopt(now time.Time, in began, autostart bool) {
	s := in.saved
	m.Run = in.found.run
	if s != nil && (s.Quit || !s.Want) || in.found.ending {
		m.enter(now, Stopping)
		m.Want = m.Want || autostart
		m.again = m.Want
		m.do(doStop{m.Run.ID, m.ladder()}) // a climb that is under way only goes on
		return
	}
	m.Want = true
	m.enter(now, Starting)
	m.Health = record.Health{Phase: record.PhaseStarting}
	m.watch = watch{started: now, probeAt: now}
	m.keepsWith(s)
	m.save()
	m.tell(now, Event{What: EventAttached})
}

// keepsWith goes on with the configuration that the adopted run was started with, as far as it matters to a run: what the
// file says now is for the next one. Whether the environment arrived was looked at when it was started.
func (m *machine) keepsWith(s *record.Saved) {
	if s == nil || s.With == nil || s.With.Run != m.Run.ID {
		return
	}
	c := s.With.Apply(m.config)
	changed := s.With.Sum != c.Sum()
	m.setConfig(c)
	m.with, m.ConfigChanged = s.With, changed
	m.answers.well = s.With.Answered
}

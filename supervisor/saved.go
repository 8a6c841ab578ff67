package supervisor

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func (m *machine) saved() record.Saved {
	return record.Saved{
		Want: m.Want, GaveUp: m.State == GaveUp, Quit: m.quitting, Cleared: m.cleared, Ended: m.asked,
		Last: m.Last, LastAt: m.LastAt, Deaths: m.deaths[:len(m.deaths):len(m.deaths)], With: m.with,
		Dir: m.Dir, Name: m.Backend, Memory: m.Memory.Past,
	}
}

// clear is what a person's start does to the past: what was wrong is told no more, and stays among the recorded crashes.
func (m *machine) clear(now time.Time) {
	m.cleared, m.Crashes = now, 0
	m.guarded, m.Memory.Past = "", guard.Past{}
	m.setLast(crash.Verdict{}, time.Time{})
}

package supervisor

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/power"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// powered is what the machine knows of the computer's power, whatever runs.
type powered struct {
	power    power.State
	workedAt time.Time // when the run was last seen at work
	wakeful  bool      // the computer is to be kept awake
	across   bool      // a probe was under way when it fell asleep last
	broken   int       // how many connections the log has told of since, that broke off
}

// every is how long to wait between two looks at the run.
func (m *machine) every(now time.Time) time.Duration {
	var healthy time.Duration
	if m.State == Healthy && m.Health.Failures == 0 {
		healthy = now.Sub(m.Since)
	}
	return power.Interval(m.config.Health.Interval, m.config.IntervalNamed, healthy, m.power)
}

// looked takes what a measurement says of power, and whether the run is at work: it uses a good part of a core, or is too busy to answer.
func (m *machine) looked(now time.Time, in used) {
	if in.power != nil {
		m.power = *in.power
	}
	if in.usage.CPU >= busyShare || m.Health.Phase == record.PhaseBusy {
		m.workedAt = now
	}
	if in.wall != nil && !m.walled {
		m.walled = true
		m.tell(now, Event{What: EventPermission, Verdict: *in.wall})
	}
	if in.broken == 0 {
		return
	}
	m.broken += in.broken
	m.marks = slices.Clone(m.marks) // a History may hold the old ones
	for i := len(m.marks) - 1; i >= 0; i-- {
		if m.marks[i].What == record.MarkSleep {
			m.marks[i].Text = power.Across(m.across, m.broken)
			return
		}
	}
}

// keepAwake has the computer kept from idle sleep while that is wanted. It follows each step: what ends a run ends that, too.
func (m *machine) keepAwake(now time.Time) {
	runs := m.State == Starting || m.State == Healthy || m.State == Unhealthy
	if !runs {
		m.workedAt = time.Time{}
	}
	if wanted := power.Wants(m.config.KeepAwake, runs, m.workedAt, now); wanted != m.wakeful {
		m.wakeful = wanted
		m.do(doKeepAwake{wanted})
	}
}

// onSleeping: what fails from now on until a moment after the waking says nothing of the server. The clock that this is measured by stands
// still in sleep. How long it slept is told by the clocks, with the message that says that it is back.
func (m *machine) onSleeping(now time.Time, in sleeping) {
	if !in.about || !m.running() {
		m.ignore("nothing is probed, or it is back")
		return
	}
	m.freeUntil = now.Add(shortestGrace)
}

package supervisor

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// setLast is the last unasked end; the page about it is still to come.
func (m *machine) setLast(v crash.Verdict, at time.Time) { m.Last, m.LastAt, m.LastReport = v, at, "" }

// doRecord has what is known of a death gathered and kept. before is the state just before it.
func (m *machine) doRecord(d Death, exit *keeper.Exit, before Snapshot, away bool) {
	m.do(doRecord{death: d, exit: exit, before: before, samples: slices.Clone(m.history), away: away})
}

func (m *machine) onRecorded(in recorded) {
	if !m.LastAt.Equal(in.death.At) {
		m.ignore("stale: not the last death")
		return
	}
	if in.page == m.LastReport {
		m.ignore("its page is known, or there is none")
		return
	}
	m.LastReport = in.page
}

// onAmended corrects what was said of a death, without another notice. What was decided at the death stays decided.
func (m *machine) onAmended(now time.Time, in amended) {
	i := slices.IndexFunc(m.deaths, func(d Death) bool { return d.ID() == in.death.ID() })
	last := m.LastAt.Equal(in.death.At) && m.Last == in.death.Verdict
	switch {
	case i < 0 && (!last || in.death.Worker == 0):
		m.ignore("stale: no death on record")
		return
	case in.verdict == in.death.Verdict:
		m.ignore("the verdict stays")
		return
	}
	if i >= 0 {
		d := m.deaths[i]
		d.First, d.Verdict = d.first(), in.verdict
		m.deaths = slices.Clone(m.deaths) // an earlier save still holds the old array
		m.deaths[i] = d
		m.Tally = TallyOf(m.deaths, now)
	}
	if last {
		m.Last = in.verdict
	}
	if m.why.Kind != "" && m.why == in.death.Verdict {
		m.why = in.verdict
	}
	m.save()
	m.tell(now, Event{What: EventAmended, Verdict: in.verdict, Exit: in.exit, Text: in.death.Verdict.Summary})
}

// first is the kind that the death was judged to be at once: what later evidence makes of one death cannot be compared with another
// that has just happened.
func (d Death) first() crash.Kind {
	if d.First != "" {
		return d.First
	}
	return d.Verdict.Kind
}

package supervisor

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/postmortem"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// setLast is the last unasked end; the page about it is still to come.
func (m *machine) setLast(v crash.Verdict, at time.Time) { m.Last, m.LastAt, m.LastReport = v, at, "" }

// doRecord has what is known of a death gathered and kept. before is the state just before it.
func (m *machine) doRecord(d record.Death, exit *keeper.Exit, before Snapshot, away bool) {
	m.do(doRecord{death: d, exit: exit, before: before, samples: slices.Clone(m.history), away: away})
}

// examine has the evidence on a death gathered. It is called by the loop, before the next run's plan takes the place of the dead one's.
func (s *Supervisor) examine(ctx context.Context, e doRecord) {
	b := e.before
	c := postmortem.Case{
		Death: e.death, Exit: e.exit, Away: e.away, Run: b.Run, Backend: b.Backend, Dir: b.Dir, Log: b.Log, Health: b.Health,
		Missing: b.Missing, Samples: e.samples, Known: s.knownNow(), Memory: s.memory.Load(),
	}
	if e.death.Verdict.Kind == crash.KindHung {
		s.addStacks(ctx, e, &c)
	}
	if e.exit != nil && e.death.Worker == 0 {
		c.Raised = func() []string { return s.raised(*e.exit) }
	}
	x := postmortem.Examiner{
		ReportFolders: s.system.ReportFolders, Scans: &s.scans, Scan: s.system.Scan, Programs: s.system.Programs, Log: s.log,
		Keep: func(r record.Record) { s.keep(ctx, e.death, r) },
		Amend: func(before record.Death, exit *keeper.Exit, v crash.Verdict) {
			s.post(ctx, message{in: amended{before, exit, v}})
		},
	}
	if s.good != nil {
		p, cfg := s.good.plan, s.good.config
		c.Plan = &p
		x.PortOwner = func(ctx context.Context) (port.Owner, error) {
			claim, err := s.system.Claim(ctx, cfg, port.Mine{Folder: s.folder})
			return claim.Owner, err
		}
	}
	logFrom := s.logFrom
	s.background(func() {
		if e.exit != nil {
			c.Tail = e.exit.Tail
		} else {
			c.Tail = safefile.LastLines(b.Log, logFrom) // the keeper's tail is of the run that goes on
		}
		x.Examine(ctx, c)
	})
}

// keep writes the record and hands it on. Who hears of it may make a page, and the loop is told of that.
func (s *Supervisor) keep(ctx context.Context, death record.Death, r record.Record) {
	s.recording.Lock()
	defer s.recording.Unlock()
	if err := r.Write(s.folder); err != nil {
		s.log.Error("a death is not recorded", "backend", r.Backend, "error", err)
	}
	if s.deps.Recorded != nil {
		s.deps.Recorded(r)
	}
	page := r.Page()
	if _, err := os.Stat(page); err != nil {
		page = ""
	}
	s.post(ctx, message{in: recorded{death, page}})
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
	i := slices.IndexFunc(m.deaths, func(d record.Death) bool { return d.ID() == in.death.ID() })
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
		d.First, d.Verdict = d.FirstKind(), in.verdict
		m.deaths = slices.Clone(m.deaths) // an earlier save still holds the old array
		m.deaths[i] = d
		m.Tally = record.TallyOf(m.deaths, now)
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

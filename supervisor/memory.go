package supervisor

import (
	"runtime"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/backoff"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// guardMemory has the guard look at what was just measured. What a run needs while it starts is no leak.
func (m *machine) guardMemory(now time.Time) {
	p, held := m.config.Memory, m.Usage.Held
	m.Memory.Warn, m.Memory.Restart = p.Warn.Of(m.Memory.Machine), p.Restart.Of(m.Memory.Machine)
	if m.State == Starting || !m.running() || !p.Set() {
		return
	}
	act := m.guard.Sample(now, held, m.Memory.Machine, p, p.Every(m.every(now)))
	m.Memory.High = m.guard.Above()
	switch act {
	case guard.Warn:
		m.tell(now, Event{What: EventMemoryHigh, Text: guard.High(held, m.Memory.Machine, p.Warn, p.For)})
	case guard.Restart:
		m.restartGuarded(now, guard.High(held, m.Memory.Machine, p.Restart, p.For))
	}
}

// restartGuarded stops the run in good order, before the system ends it without a word. It is no crash, and nobody asked for it.
func (m *machine) restartGuarded(now time.Time, why string) {
	warned := m.guard.Warned()
	m.Memory.Past = m.Memory.Past.Then(now, m.Usage.Held)
	m.again, m.wasUp, m.guarded, m.why = true, true, m.Run.ID, crash.Verdict{}
	m.tellUnwell(now)
	m.enter(now, Stopping)
	if !warned {
		m.tell(now, Event{What: EventMemoryHigh, Text: why})
	}
	m.tell(now, Event{What: EventStopping, Text: "its memory: " + why})
	m.do(doStop{m.Run.ID, m.ladder()})
	m.save()
}

// startGuarded follows that stop with the next run. Where one such restart follows another closely, it does so after a while.
func (m *machine) startGuarded(now time.Time, runID string) {
	why := m.Memory.Past.Told(runtime.GOOS)
	m.again, m.wasUp, m.guarded = false, false, ""
	m.mark(record.Mark{At: now, What: record.MarkMemory, Text: why})
	m.startAgain(now, backoff.Wait(m.Memory.Past.Row, runID), nil, why)
}

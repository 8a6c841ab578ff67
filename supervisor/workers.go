package supervisor

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// watchWorkers tells of an interpreter child that vanished unasked. Under --reload children come and go with every edit: there only a
// reloader without any child is dead.
func (m *machine) watchWorkers(now time.Time, children []process.Child) {
	if process.HasReload(m.config.Command) {
		m.watchReloader(now, children)
		return
	}
	for _, c := range process.Vanished(m.children, children) {
		m.workerGone(c)
	}
	m.children = children
}

const (
	workerMemory = 10 * time.Minute // how far back deaths of workers count
	loopMinute   = 3                // so many deaths within a minute are a loop,
	loopMemory   = 5                // and so many within workerMemory
	mostWorkers  = 64               // how many PIDs of dead workers are remembered
)

// workerDeaths is what is known of the dead workers of the present run.
type workerDeaths struct {
	judged []int       // PIDs, so that a death which the log tells of and the tree shows counts once
	at     []time.Time // of the last ten minutes
	told   time.Time   // when the loop was told
}

// workerGone has the death of a worker judged, once.
func (m *machine) workerGone(c process.Child) {
	w := &m.workers
	if slices.Contains(w.judged, c.PID) {
		return
	}
	w.judged = append(w.judged, c.PID)
	if over := len(w.judged) - mostWorkers; over > 0 {
		w.judged = slices.Clone(w.judged[over:])
	}
	m.do(doJudgeWorker{m.Run, c})
}

// countWorkers forgets deaths that are long ago, and gives the number within the last minute.
func (m *machine) countWorkers(now time.Time) (minute int) {
	w := &m.workers
	w.at = slices.DeleteFunc(w.at, func(at time.Time) bool { return now.Sub(at) >= workerMemory })
	m.WorkerDeaths = len(w.at)
	for _, at := range w.at {
		if now.Sub(at) < time.Minute {
			minute++
		}
	}
	return minute
}

// watchReloader: a reloader ends its child before it starts the next one, so that one look without a child says nothing.
func (m *machine) watchReloader(now time.Time, children []process.Child) {
	if anyInterpreter(children) {
		m.children, m.childless = children, false
		return
	}
	if !anyInterpreter(m.children) { // it never had one yet
		return
	}
	if !m.childless {
		m.childless, m.useAt = true, now.Add(time.Second)
		return
	}
	gone := m.children
	m.children = nil
	if len(gone) > 0 {
		v := crash.Verdict{
			Kind:    crash.KindWorkerDied,
			Summary: "the server process below uvicorn's reloader died",
			Remedy:  "Take --reload out of the command in vivarium.toml: the reloader keeps the port open and answers nobody.",
		}
		m.tell(now, Event{What: EventWorkerDied, Verdict: v, Text: fmt.Sprintf("process %d", gone[0].PID)})
		m.end(now, v)
	}
}

func anyInterpreter(children []process.Child) bool {
	for _, c := range children {
		if c.Interpreter {
			return true
		}
	}
	return false
}

func (m *machine) onWorkerDied(now time.Time, in workerDied) {
	if !m.present(in.runID) {
		return
	}
	m.setLast(in.verdict, now)
	m.workers.at = append(m.workers.at, now)
	minute := m.countWorkers(now)
	m.doRecord(record.Death{Run: in.runID, At: now, Worker: in.pid, Verdict: in.verdict}, nil, m.Snapshot, false)
	text := fmt.Sprintf("process %d", in.pid)
	if m.WorkerDeaths > 1 {
		text += fmt.Sprintf(", the %s worker to die within 10 min", ordinal(m.WorkerDeaths))
	}
	m.tell(now, Event{What: EventWorkerDied, Verdict: in.verdict, Text: text})
	loops := minute >= loopMinute || m.WorkerDeaths >= loopMemory
	if !loops || !m.workers.told.IsZero() && now.Sub(m.workers.told) < workerMemory {
		return
	}
	m.workers.told = now
	m.tell(now, Event{What: EventWorkerLoop, Verdict: in.verdict, Text: fmt.Sprintf("%d workers died within 10 min", m.WorkerDeaths)})
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

func (m *machine) onPort(now time.Time, in portSeen) {
	if in.look != m.look || !m.looking {
		m.ignore("stale: not the latest look")
		return
	}
	m.looking = false
	if in.failed {
		m.ignore("the port could not be looked at")
		return
	}
	switch m.State {
	case Stopped, GaveUp:
		before := m.Owner
		m.Owner = in.owner
		if in.owner.Copy && in.owner.PID != before.PID && m.State == Stopped {
			m.tell(now, Event{What: EventPortTaken, Text: in.owner.Why})
		}
	case Starting:
		if m.launching || !m.fresh(now) || !in.owner.Copy {
			m.ignore("nobody came back")
			return
		}
		m.end(now, port.Taken(in.owner, m.Port, true))
		m.Owner = in.owner
	case Healthy, Unhealthy, Stopping, Restarting:
		m.ignore("the port is this run's own affair")
	}
}

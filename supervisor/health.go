package supervisor

import (
	"errors"
	"fmt"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

const (
	settledAnswer = time.Second      // an answer that stands for so long is no accident of the start
	firstLook     = 2 * time.Second  // after the start: where does it listen, if not where it is asked?
	nextLook      = 5 * time.Second  // between two such looks
	secondLook    = 2 * time.Second  // what was found by one look is looked at again after that
	lookWhileTold = 30 * time.Second // what was told may be true no more
)

// answers is what the present run has answered to its health probes so far.
type answers struct {
	well       bool      // it answered well once; its path is the right one
	answered   bool      // the latest probe got an answer, of whatever kind: it does not hang
	latest     string    // the latest answer that was no success, or why there was none
	latestAt   time.Time // since when it has been that
	explaining bool
	explainAt  time.Time // when an explanation is asked for again
	suspect    string    // an explanation that is not sure yet
	told       string    // the answer of which the explanation was told
}

// answerOf is the answer in err, nil if there was none.
func answerOf(err error) *probe.AnswerError {
	var a *probe.AnswerError
	if errors.As(err, &a) {
		return a
	}
	return nil
}

// notWell sorts what is no success: a wrong answer where good ones came before, a server that says that it is starting, a mistake in the
// configuration, and no answer at all, which alone makes a server a busy or a hung one.
func (m *machine) notWell(now time.Time, err error) {
	answer := answerOf(err)
	starting := m.State == Starting && now.Sub(m.started) < m.config.Health.Startup
	switch {
	case answer != nil && m.answers.well:
		m.wrongAnswer(now, answer)
	case answer != nil && answer.Status == 503 && starting:
		m.Health.Problem = answer.Error()
	case !m.answers.well && explainable(err):
		m.wonder(now, err, answer != nil)
	default:
		m.Health.Problem = err.Error()
		m.failed(now)
	}
}

// explainable: there may be more to say of this than that the server does not answer.
func explainable(err error) bool {
	if answerOf(err) != nil {
		return true
	}
	for _, e := range []error{probe.ErrRefused, probe.ErrNoSocket, probe.ErrClosed, probe.ErrBroken, probe.ErrNoHTTP, probe.ErrSpeaksTLS, probe.ErrNoTLS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// wonder asks for an explanation of what a server answers that has not answered well since its start.
func (m *machine) wonder(now time.Time, err error, answered bool) {
	a := &m.answers
	if latest := err.Error(); latest != a.latest {
		a.latest, a.latestAt, a.suspect = latest, now, ""
		if answered {
			a.explainAt = now.Add(settledAnswer)
		} else if first := m.started.Add(firstLook); first.After(now) {
			a.explainAt = first
		} else {
			a.explainAt = now
		}
	}
	known := m.Health.Phase == record.PhaseMisconfigured && a.told == a.latest
	switch {
	case known && answered:
		return // nothing new, and it answers
	case !known:
		m.Health.Problem = a.latest
		if !answered {
			m.failed(now)
		}
	}
	if !a.explaining && !now.Before(a.explainAt) {
		a.explaining = true
		m.do(doExplain{m.Run, m.proven, err})
	}
}

func (m *machine) onExplained(now time.Time, in explained) {
	if !m.present(in.runID) {
		return
	}
	a := &m.answers
	a.explaining = false
	switch {
	case in.answer != a.latest:
		m.ignore("stale: it answers otherwise by now")
	case in.problem == "":
		a.suspect, a.told, a.explainAt = "", "", now.Add(nextLook)
	case !in.sure && in.problem != a.suspect:
		a.suspect, a.explainAt = in.problem, now.Add(secondLook)
	default:
		a.explainAt, a.told = now.Add(lookWhileTold), a.latest
		m.misconfigured(now, in.problem)
	}
}

// misconfigured is a server that works, and is asked the wrong thing. It is told at once, also while it starts, and is never a reason to
// end it.
func (m *machine) misconfigured(now time.Time, problem string) {
	known := m.Health.Phase == record.PhaseMisconfigured && m.Health.Problem == problem
	m.Health.Failures, m.Health.Problem = 0, problem
	m.failing, m.samples, m.logGrew = time.Time{}, nil, false
	if known {
		return
	}
	m.unhealthy(now, record.PhaseMisconfigured)
	m.tell(now, Event{What: EventMisconfigured, Text: problem})
}

// wrongAnswer: the path is right, the server answers, and says that something is wrong with it.
func (m *machine) wrongAnswer(now time.Time, answer *probe.AnswerError) {
	m.Health.Failures++
	m.Health.Problem = fmt.Sprintf("%s %s", m.config.Target().Path(), answer)
	if answer.Location == "" {
		m.Health.Problem = fmt.Sprintf("%s answers %d", m.config.Target().Path(), answer.Status)
	}
	if m.failing.IsZero() {
		m.failing, m.samples, m.logGrew = now, nil, false
	}
	if m.Health.Failures < m.config.Health.Failures || m.Health.Phase == record.PhaseWrongAnswer {
		return
	}
	m.unhealthy(now, record.PhaseWrongAnswer)
	m.tell(now, Event{What: EventUnhealthy, Text: m.Health.Problem})
	if answer.Status >= 500 && m.config.Health.RestartHung {
		m.end(now, crash.Verdict{
			Kind: crash.KindWrongAnswer, Summary: fmt.Sprintf("%s answered %d, %d times in a row", m.config.Target().Path(), answer.Status, m.Health.Failures),
			Remedy: "The log's last lines show what went wrong in it; restart_hung = false leaves it alone.",
		})
	}
}

// answeredWell notes that the path is the right one, for the app that may adopt this run, too.
func (m *machine) answeredWell() {
	m.answers = answers{well: m.config.HasHealth(), answered: true}
	if m.with == nil || m.with.Answered || !m.answers.well {
		return
	}
	with := *m.with // an earlier save still holds the old one
	with.Answered = true
	m.with = &with
	m.save()
}

// stable clears the row of crashes once a run has lived long enough, and forgets a cause that has not come back for a day of health.
func (m *machine) stable(now time.Time) {
	if m.Crashes > 0 && m.config.Restart.Stable > 0 && now.Sub(m.started) >= m.config.Restart.Stable {
		m.proved, m.Crashes = now, 0
	}
	if m.Last.Kind != "" && m.State == Healthy && now.Sub(m.Since) >= healthyDay && now.Sub(m.LastAt) >= healthyDay {
		m.setLast(crash.Verdict{}, time.Time{})
		m.save()
	}
}

// healthyDay is how long a run has to be healthy until the last end is history: it stays among the recorded crashes.
const healthyDay = 24 * time.Hour

package source

import (
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// recent is how long the last end is shown although the backend runs again.
const recent = 15 * time.Minute

// notKept is what can be done about a backend that no program keeps.
const notKept = "No Vivarium program keeps it: start the app, or run “vivarium run” in its folder."

// backend is a row as the dashboard shows it. held: a Vivarium program keeps the backend.
func (s *Source) backend(row control.Row, dir string, held bool, now time.Time) page.Backend {
	was := row.Snapshot()
	was.HeldBy = 0 // who keeps it is no news here
	status := words.StatusOf(was, now, words.MaxLine)
	b := page.Backend{
		Name: words.OrElse(row.Backend, filepath.Base(dir)), Dir: dir, State: row.State, Word: words.StateWord(was), Line: status.Line, Note: noteOf(was, status),
		URL: row.URL, Log: words.OrElse(row.Log, filepath.Join(dir, "logs", "server.log")), PID: row.PID, Started: row.Started,
		Latency: was.Health.Latency, Memory: was.Usage.Used(), CPU: was.Usage.CPU, Trouble: troubleOf(was, now), Can: can(was, held),
	}
	if row.State == "" { // nothing could be found out
		b.State = supervisor.Stopped.String()
	}
	if words.Misconfigured(was) && !words.Active(was) {
		b.State, b.Word = supervisor.GaveUp.String(), "Configuration problem"
	}
	if was.State == supervisor.Stopped && was.Owner.Copy {
		b.State, b.Word = supervisor.Unhealthy.String(), "Without the crash environment"
	}
	switch {
	case held:
	case words.Alive(was): // its note says the same
		b.Note = notKept
	default:
		b.Note = words.Sentences(b.Note, notKept)
	}
	return b
}

// noteOf is what a person should know beside the state, the figures and the last end, which have places of their own.
func noteOf(s supervisor.Snapshot, status words.StatusText) string {
	switch {
	case words.Misconfigured(s) && words.Active(s):
		problem, remedy := words.ConfigProblem(s)
		return words.Facts(problem, remedy, status.Note)
	case words.Misconfigured(s), s.State == supervisor.Stopped && s.Owner != (port.Owner{}):
		return words.Facts(status.Detail, status.Note)
	case s.State == supervisor.GaveUp, s.State == supervisor.Unhealthy && s.Stall.Summary != "": // its remedy is shown with the cause
		return ""
	}
	return status.Note
}

// troubleOf is what to do something about: a server that does not answer, or the last end while it matters.
func troubleOf(s supervisor.Snapshot, now time.Time) *page.Trouble {
	if words.Wedged(s) || s.State == supervisor.Unhealthy && s.Health.Phase == record.PhaseHung {
		since := s.Health.Good
		if since.IsZero() || words.Wedged(s) {
			since = s.Since
		}
		if st := s.Stall; st.Summary != "" { // why is known
			return &page.Trouble{Stall: true, At: since, Kind: string(st.Kind), Summary: st.Summary, Remedy: st.Remedy}
		}
		return &page.Trouble{
			Stall: true, At: since, Kind: string(record.PhaseHung), Summary: "it runs, and does not answer: " + words.OrElse(s.Health.Problem, "no answer"),
			Remedy: "Read the end of the log. If it does not come back by itself, restart it.",
		}
	}
	if s.Last.Kind == "" || s.LastAt.IsZero() {
		return nil
	}
	matters := s.State == supervisor.GaveUp || s.State == supervisor.Restarting || s.State == supervisor.Starting && s.Crashes > 0
	if !matters && now.Sub(s.LastAt) > recent {
		return nil
	}
	return &page.Trouble{
		ID: idOf(s.LastReport), At: s.LastAt, Kind: string(s.Last.Kind), Summary: s.Last.Summary, Remedy: s.Last.Remedy, Line: s.Last.Line,
	}
}

// idOf is the ID of the death that a page tells of.
func idOf(report string) string {
	if report == "" {
		return ""
	}
	return strings.TrimSuffix(filepath.Base(report), filepath.Ext(report))
}

// can is what makes sense to ask for: what the menu would offer.
func can(s supervisor.Snapshot, held bool) []string {
	var all []string
	switch {
	case !held && words.Alive(s):
		all = append(all, "stop")
	case !held:
	case s.State == supervisor.Stopped && s.Owner.Copy:
		all = append(all, "take-over")
	case s.State == supervisor.Stopped:
		all = append(all, "start")
	case s.State == supervisor.GaveUp:
		all = append(all, "start")
		if s.Owner.Copy {
			all = append(all, "take-over")
		}
	case s.State == supervisor.Restarting:
		all = append(all, "start", "stop")
	case s.State == supervisor.Stopping:
		all = append(all, "hurry")
	default:
		all = append(all, "stop", "restart")
	}
	if s.URL != "" && (words.Alive(s) || s.Owner.Copy) {
		all = append(all, "open")
	}
	all = append(all, "reveal")
	if held && words.Alive(s) && s.Run.PID != 0 {
		all = append(all, "stacks")
	}
	return all
}

func same(a, b page.Backend) bool { return reflect.DeepEqual(a, b) }

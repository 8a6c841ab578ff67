package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// Sentence is an event as one line for a person, without the time and without the backend's name. Not every event deserves
// attention, but every one has words.
func Sentence(e supervisor.Event) string {
	s := e.Snapshot
	var line string
	switch e.What {
	case supervisor.EventStarted:
		line = facts("started", prefixed("process ", pid(e)), s.Note)
	case supervisor.EventHealthy:
		line = facts(chosen(e.Recovery, "healthy again", "healthy"), s.URL, Latency(s.Health.Latency))
	case supervisor.EventUnhealthy:
		line = facts("unhealthy: hung", e.Text)
	case supervisor.EventBusy:
		line = facts("busy: it works, but does not answer", e.Text)
	case supervisor.EventCrashed:
		line = facts("crashed"+ended(e)+prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventAmended:
		line = facts("the cause is clearer now"+prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventWorkerDied:
		line = facts("a worker died"+prefixed(": ", e.Verdict.Summary), e.Text, e.Verdict.Remedy)
	case supervisor.EventRestarting:
		line = facts("restarting", nextStart(e))
	case supervisor.EventGaveUp:
		line = facts("gave up"+prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventStopping:
		line = chosen(e.Asked, "stopping", "stopping: it does not answer")
	case supervisor.EventStopped:
		line = chosen(e.Asked, "stopped", "ended by itself"+ended(e)+prefixed(": ", e.Verdict.Summary))
	case supervisor.EventAttached:
		line = facts("found running, attached", prefixed("process ", pid(e)), prefixed("up ", lasting(s.Run.Started, e.At)))
	case supervisor.EventTookOver:
		line = "took over from " + orElse(e.Text, "a copy that was started by hand")
	case supervisor.EventPortTaken:
		line = facts(portHeld(s), e.Text)
	case supervisor.EventKeeperLost:
		line = facts("its keeper died"+prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventEnvMissing:
		line = "part of the crash environment did not arrive in Python: " + orElse(e.Text, "names unknown")
	default: // of a newer Vivarium
		line = facts(string(e.What), e.Text)
	}
	if e.Away {
		line = facts(line, away(e))
	}
	return Plain(line)
}

func chosen(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func orElse(s, otherwise string) string { return chosen(s != "", s, otherwise) }

// ended is how the process ended, as far as the verdict does not say it: " (SIGSEGV)", " (exit code 3)".
func ended(e supervisor.Event) string {
	switch {
	case e.Exit == nil || !e.Exit.Known:
		return ""
	case e.Exit.Signal != 0:
		name := keeper.SignalName(e.Exit.Signal)
		if strings.Contains(e.Verdict.Summary, name) {
			return ""
		}
		return " (" + name + ")"
	}
	return fmt.Sprintf(" (exit code %d)", e.Exit.Code)
}

func nextStart(e supervisor.Event) string {
	if wait := e.Snapshot.Retry.Sub(e.At); wait >= time.Second {
		return "next start in " + Duration(wait.Round(time.Second))
	}
	return ""
}

func portHeld(s supervisor.Snapshot) string {
	if s.Owner.Copy {
		return fmt.Sprintf("%s (PID %d)", wordWithoutEnv, s.Owner.PID)
	}
	return fmt.Sprintf("port %d is taken", s.Port)
}

// neverRan: the verdict is on a start that was refused, not on a death.
func neverRan(k crash.Kind) bool {
	return k == crash.KindPortTaken || k == crash.KindCannotStart || k == crash.KindConfig
}

func away(e supervisor.Event) string {
	if !e.Away {
		return ""
	}
	if e.Exit == nil || e.Exit.At.IsZero() {
		return "It happened while Vivarium was not running"
	}
	return "It happened at " + Clock(e.Exit.At, e.At) + ", while Vivarium was not running"
}

func pid(e supervisor.Event) string {
	if e.Snapshot.Run.PID == 0 {
		return ""
	}
	return fmt.Sprint(e.Snapshot.Run.PID)
}

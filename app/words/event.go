package words

import (
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// Sentence is an event as one line for a person, without the time and without the backend's name. Not every event deserves
// attention, but every one has words.
func Sentence(e supervisor.Event) string {
	s := e.Snapshot
	var line string
	switch e.What {
	case supervisor.EventStarted:
		line = Facts("started", Prefixed("process ", PID(e)), s.Note)
	case supervisor.EventHealthy:
		line = Facts(Chosen(e.Recovery, "healthy again", "healthy"), s.URL, Latency(s.Health.Latency), e.Text)
	case supervisor.EventUnhealthy:
		text := e.Text
		if Wedged(s) { // its stall begins with it
			text = ""
		}
		line = Facts(Chosen(Answers(s), "unhealthy: wrong answer", Chosen(Wedged(s), "unhealthy: wedged", "unhealthy: hung")), StallText(s), stallRemedy(s), text)
	case supervisor.EventMisconfigured:
		line = "misconfigured: the server runs, but " + e.Text
	case supervisor.EventPermission:
		line = Facts("runs, but "+e.Verdict.Summary, e.Verdict.Remedy)
	case supervisor.EventBusy:
		line = Facts("busy: it works, but does not answer", StallText(s), e.Text)
	case supervisor.EventStalled:
		line = Facts(stalledWord(s)+Prefixed(": ", s.Stall.Summary), s.Stall.Remedy)
	case supervisor.EventCrashed:
		line = Facts("crashed"+ended(e)+Prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventAmended:
		line = Facts("the cause is clearer now"+Prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventWorkerDied:
		line = Facts(Chosen(strings.HasPrefix(e.Verdict.Summary, "a worker"), e.Verdict.Summary, "a worker died"+Prefixed(": ", e.Verdict.Summary)), e.Text, e.Verdict.Remedy)
	case supervisor.EventWorkerLoop:
		line = Facts("its workers die again and again: "+OrElse(e.Text, "several of them"), e.Verdict.Summary, e.Verdict.Remedy)
	case supervisor.EventEnded:
		line = Facts("ended by itself"+ended(e)+Prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventRestarting:
		line = Facts(OrElse(e.Text, "restarting"), nextStart(e))
	case supervisor.EventMemoryHigh:
		line = Facts("memory is high: "+OrElse(e.Text, "above its limit"), MemoryRemedy(e))
	case supervisor.EventGaveUp:
		line = Facts("gave up"+Prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventStopping:
		line = Chosen(e.Asked || e.Text != "", "stopping"+Prefixed(": ", e.Text), stoppingFor(s))
	case supervisor.EventStopped:
		line = Chosen(e.Asked, "stopped", Facts("ended by itself"+ended(e)+Prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy))
	case supervisor.EventAttached:
		line = Facts("found running, attached", Prefixed("process ", PID(e)), Prefixed("up ", lasting(s.Run.Started, e.At)))
	case supervisor.EventTookOver:
		line = "took over from " + OrElse(e.Text, "a copy that was started by hand")
	case supervisor.EventPortTaken:
		line = Facts(portHeld(s), e.Text)
	case supervisor.EventKeeperLost:
		line = Facts("its keeper died"+Prefixed(": ", e.Verdict.Summary), e.Verdict.Remedy)
	case supervisor.EventEnvMissing:
		line = "part of the crash environment did not arrive in Python: " + OrElse(e.Text, "names unknown")
	default: // of a newer Vivarium
		line = Facts(string(e.What), e.Text)
	}
	if e.Away {
		line = Facts(line, Away(e))
	}
	return Plain(line)
}

// stoppingFor is why a run is stopped that nobody asked to stop.
func stoppingFor(s supervisor.Snapshot) string {
	switch {
	case s.Health.Phase == record.PhaseWedged: // it is Stopping by now
		return "stopping: its real work fails"
	case Answers(s):
		return "stopping: it answers errors"
	}
	return "stopping: it does not answer"
}

func Chosen(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func OrElse(s, otherwise string) string { return Chosen(s != "", s, otherwise) }

// ended is how the process ended, as far as the verdict does not say it: " (SIGSEGV)", " (exit code 3)".
func ended(e supervisor.Event) string {
	switch {
	case e.Exit == nil || !e.Exit.Known:
		return ""
	case e.Exit.Signal != 0:
		name := proc.SignalName(e.Exit.Signal)
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
		return fmt.Sprintf("%s (PID %d)", WithoutEnv, s.Owner.PID)
	}
	return fmt.Sprintf("port %d is taken", s.Port)
}

// NeverRan: the verdict is on a start that was refused, not on a death.
func NeverRan(k crash.Kind) bool {
	return k == crash.KindPortTaken || k == crash.KindCannotStart || k == crash.KindConfig
}

func Away(e supervisor.Event) string {
	if !e.Away {
		return ""
	}
	if e.Exit == nil || e.Exit.At.IsZero() {
		return "It happened while Vivarium was not running"
	}
	return "It happened at " + Clock(e.Exit.At, e.At) + ", while Vivarium was not running"
}

func PID(e supervisor.Event) string {
	if e.Snapshot.Run.PID == 0 {
		return ""
	}
	return fmt.Sprint(e.Snapshot.Run.PID)
}

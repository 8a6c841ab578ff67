// Package notice is what a person is told natively: Of makes a Notice of an event, the Notifier tells them, many crashes as one, and a Center or a
// plain way brings them to the desktop. Begin with Of and New. It must not know the app around it: what a click on a notice does is the
// caller's to say.
package notice

import (
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// Notice is what a person is told natively. Title names the cause; Body starts with the remedy.
type Notice struct {
	Title string
	Body  string
	Icon  assets.State
	// Backend is the folder of the backend it is about, "" for none: a click on the notice leads there.
	Backend string
	Name    string // the backend's name
	Class   Class
	Cause   string // a crash's one sentence and its remedy, for the notice that stands for several
	Remedy  string
	Was     string // of a correction: the cause that it corrects
	// Told is called once the notice was shown, or could not be. If nil, nobody waits for that.
	Told func(Way, error)
}

// HasButtons: there is something to do about it. Good news needs none.
func (n Notice) HasButtons() bool { return n.Backend != "" && n.Class != ClassRecovered }

// Class is how a notice behaves among others of its backend.
type Class uint8

// The classes.
const (
	ClassPlain      Class = iota // told at once; the same again within a minute is not
	ClassCrash                   // the first is told at once, those that follow within a minute are told as one
	ClassRecovered               // not told while crashes are held back: it would be stale
	ClassFinal                   // always told, in place of what is held back
	ClassCorrection              // never told itself: it puts a better cause into what is held back
)

// Say is a plain notice: a title, and sentences for its body.
func Say(title string, icon assets.State, parts ...string) Notice {
	n := Notice{Title: title, Icon: icon}
	n.body(parts...)
	return n
}

// Lengths that notification daemons and macOS show without cutting.
const (
	maxTitle = 100
	maxBody  = 300
)

// Of makes a notice of an event that deserves a person's attention; false: it does not. A stop that a person asked for is
// never news.
func Of(e supervisor.Event) (Notice, bool) {
	n := Notice{Backend: e.Snapshot.Dir, Name: words.NameOf(e.Snapshot), Cause: words.Plain(e.Verdict.Summary), Remedy: words.Plain(e.Verdict.Remedy)}
	remedy := e.Verdict.Remedy
	switch e.What {
	case supervisor.EventCrashed:
		n.Class, n.Icon = ClassCrash, assets.Crashed
		n.title(n.Cause, "crashed")
		n.body(remedy, next(e), words.Away(e))
	case supervisor.EventWorkerDied:
		n.Class, n.Icon = ClassCrash, assets.Crashed
		n.title(n.Cause, "a worker died")
		n.body(remedy, words.Prefixed("It was ", e.Text), words.Away(e))
	case supervisor.EventWorkerLoop:
		n.Class, n.Icon = ClassFinal, assets.Crashed
		n.title("its workers die again and again", "")
		n.body(remedy, words.Plain(e.Verdict.Summary), e.Text)
	case supervisor.EventEnded:
		n.Icon = assets.Unhealthy
		n.title(n.Cause, "ended by itself, without an error")
		n.body(remedy, next(e), words.Away(e))
	case supervisor.EventMisconfigured:
		n.Icon = assets.Unhealthy
		problem, remedy, _ := strings.Cut(e.Text, ": ")
		n.title(problem, "asked for its health where it does not answer well")
		if remedy != "" {
			remedy = strings.ToUpper(remedy[:1]) + remedy[1:]
		}
		n.body(remedy, "The server itself runs, and is left alone")
	case supervisor.EventPermission:
		n.Icon = assets.Unhealthy
		n.title(n.Cause, "macOS keeps it from something")
		n.body(remedy, "The server itself runs, and is left alone")
	case supervisor.EventKeeperLost:
		n.Class, n.Icon = ClassCrash, assets.Crashed
		n.title(n.Cause, "its keeper died, how the server ended is unknown")
		n.body(remedy, next(e), words.Away(e))
	case supervisor.EventGaveUp:
		n.Class, n.Icon = ClassFinal, assets.Crashed
		n.title(gaveUpTitle(e), "gave up")
		n.body(remedy, gaveUpNext(e), words.Away(e))
	case supervisor.EventMemoryHigh:
		if e.Snapshot.State == supervisor.Stopping { // what is done about it is told in a moment
			return Notice{}, false
		}
		n.Icon = assets.Unhealthy
		n.title("memory is high: "+e.Text, "")
		n.body(words.MemoryRemedy(e))
	case supervisor.EventRestarting:
		if e.Text == "" { // the crash before it was told
			return Notice{}, false
		}
		n.Icon = assets.Unhealthy
		n.title(e.Text, "")
		n.body("It held too much memory, and was stopped in good order", next(e))
	case supervisor.EventPortTaken:
		n.Icon = assets.Unhealthy
		n.portTaken(e)
	case supervisor.EventEnvMissing:
		n.Icon = assets.Unhealthy
		n.title("part of the crash environment did not arrive in Python", "")
		n.body("Start the interpreter itself in command, not a shell or a script around it", words.Prefixed("Missing: ", e.Text))
	case supervisor.EventUnhealthy:
		n.Icon = assets.Unhealthy
		n.unhealthy(e)
	case supervisor.EventStalled:
		if e.Snapshot.State == supervisor.Starting || e.Snapshot.Health.Phase == record.PhaseBusy { // no news: the status says it
			return Notice{}, false
		}
		n.Icon = assets.Unhealthy
		n.unhealthy(e)
	case supervisor.EventHealthy:
		if !e.Recovery {
			return Notice{}, false
		}
		n.Class, n.Icon = ClassRecovered, assets.Healthy
		n.title("healthy again", "")
		n.body(words.Prefixed("Process ", words.PID(e)))
	case supervisor.EventStopped:
		if e.Asked {
			return Notice{}, false
		}
		n.Icon = assets.Stopped
		n.title(n.Cause, "ended by itself, without an error")
		n.body(remedy, "Start in the menu runs it again", words.Away(e))
	default:
		return Notice{}, false
	}
	return n, true
}

// Correction is what an amended verdict does to the notices that are not told yet. What was told is not told again.
func Correction(e supervisor.Event) Notice {
	return Notice{
		Backend: e.Snapshot.Dir, Name: words.NameOf(e.Snapshot), Class: ClassCorrection,
		Cause: words.Plain(e.Verdict.Summary), Remedy: words.Plain(e.Verdict.Remedy), Was: words.Plain(e.Text),
	}
}

// title puts the backend's name before the cause, unless the cause begins with it.
func (n *Notice) title(cause, otherwise string) {
	cause = words.Plain(cause)
	if cause == "" {
		cause = otherwise
	}
	if len(cause) > len(n.Name) && cause[:len(n.Name)+1] == n.Name+" " {
		n.Title = words.Short(cause, maxTitle)
		return
	}
	n.Title = words.Short(n.Name+": "+cause, maxTitle)
}

func (n *Notice) body(parts ...string) {
	n.Body = words.Short(words.Sentences(parts...), maxBody)
}

// unhealthy says what the server does instead of answering, as far as that is known.
func (n *Notice) unhealthy(e supervisor.Event) {
	if text := words.StallText(e.Snapshot); text != "" {
		if words.Wedged(e.Snapshot) { // what failed begins its summary
			n.title("wedged: "+text, "")
			n.body(e.Snapshot.Stall.Remedy)
			return
		}
		n.title("hung: "+text, "")
		n.body(e.Snapshot.Stall.Remedy, e.Text)
		return
	}
	n.title(words.Chosen(words.Answers(e.Snapshot), "the server answers errors", "the server does not answer"), "")
	n.body("Restart it from the menu, or set restart_hung = true in vivarium.toml", e.Text)
}

// portTaken is told when the port of a backend that does not run is held: by a copy of it, mostly.
func (n *Notice) portTaken(e supervisor.Event) {
	o := e.Snapshot.Owner
	if o.Copy {
		n.title(fmt.Sprintf("%s (PID %d)", words.WithoutEnv, o.PID), "")
		n.body("Take Over in the menu ends it and starts it properly", e.Text)
		return
	}
	n.title(e.Verdict.Summary, fmt.Sprintf("port %d is taken", e.Snapshot.Port))
	n.body(e.Verdict.Remedy, e.Text)
}

func gaveUpTitle(e supervisor.Event) string {
	if words.NeverRan(e.Verdict.Kind) || e.Verdict.Summary == "" {
		return e.Verdict.Summary
	}
	if e.Snapshot.Crashes > 1 {
		return fmt.Sprintf("gave up after %d crashes: %s", e.Snapshot.Crashes, e.Verdict.Summary)
	}
	return "gave up: " + e.Verdict.Summary
}

func gaveUpNext(e supervisor.Event) string {
	if e.Verdict.Remedy == "" {
		return "Vivarium waits for you: read the log, then Try Again in the menu"
	}
	return "Then Try Again in the menu"
}

// next says what happens now.
func next(e supervisor.Event) string {
	s := e.Snapshot
	switch s.State {
	case supervisor.Starting:
		return "It is starting again"
	case supervisor.Restarting:
		if wait := s.Retry.Sub(e.At); wait >= time.Second {
			return "It starts again in " + words.Duration(wait.Round(time.Second))
		}
		return "It is starting again"
	case supervisor.Stopped:
		return "It stays stopped"
	}
	return ""
}

// Package wait decides when waiting for a backend is over: what `vivarium wait`, `vivarium start --wait` and the MCP tool wait_until share.
// It is pure: callers bring what they see of the backend, as often as they like. It must not know how that is found out.
// Begin with Judge.
package wait

import (
	"fmt"
	"time"
)

// Goal is what is waited for.
type Goal string

// The goals.
const (
	Healthy Goal = "healthy"
	Stopped Goal = "stopped"
)

// ParseGoal reads a goal that a person or program wrote; "" is Healthy.
func ParseGoal(s string) (Goal, error) {
	switch Goal(s) {
	case "":
		return Healthy, nil
	case Healthy, Stopped:
		return Goal(s), nil
	}
	return "", fmt.Errorf("%q cannot be waited for: it is healthy or stopped", s)
}

// DefaultTimeout is how long a caller waits that says nothing.
const DefaultTimeout = 60 * time.Second

// Sight is what is seen of a backend at one moment.
type Sight struct {
	Held  bool   // a Vivarium program keeps it
	Runs  bool   // a process of it lives, also where nobody keeps it
	State string // as in `vivarium status --json`: "starting", "gave-up"; "" where nobody keeps it

	ConfigProblem string // its configuration cannot be used: one line with file, line and remedy
	Summary       string // the last verdict or the present stall in one sentence, "" if there is none
	Remedy        string
	Problem       string // why the last probe failed, "" if it did not

	Awaits string // its start waits for another backend: "database, which gave up"
	Stuck  bool   // and that one will not become healthy by itself
}

// Answer is what to do next.
type Answer uint8

// The answers.
const (
	Continue Answer = iota // it is not so yet, and may become so
	Done                   // it is so
	Failed                 // it will not become so by itself
)

// Judge says whether the goal is reached. A backend that nobody keeps yet is not healthy yet, and is waited for: somebody may be about to
// start it. Only what no time mends ends the waiting early: a configuration that cannot be used, and a supervisor that gave up, on it or on
// one that it waits for. reason is one
// sentence for a person, "" for Done.
func Judge(g Goal, s Sight) (a Answer, reason string) {
	if g == Stopped {
		return judgeStopped(s)
	}
	switch {
	case s.Held && s.State == "healthy":
		return Done, ""
	case s.ConfigProblem != "":
		return Failed, s.ConfigProblem
	case s.State == "gave-up":
		return Failed, s.why("Vivarium gave up starting it")
	case s.Awaits != "" && s.Stuck:
		return Failed, "it waits for " + s.Awaits
	case s.Awaits != "":
		return Continue, "it waits for " + s.Awaits
	case !s.Held:
		return Continue, "no Vivarium program keeps it yet"
	case s.State == "stopped":
		return Continue, s.why("it is stopped")
	}
	return Continue, s.why("it is " + s.State)
}

func judgeStopped(s Sight) (Answer, string) {
	switch {
	case !s.Held && !s.Runs, s.Held && !s.Runs && (s.State == "stopped" || s.State == "gave-up"):
		return Done, ""
	case !s.Held:
		return Continue, "it runs, and no Vivarium program keeps it"
	case s.State == "stopped" || s.State == "gave-up":
		return Continue, "its last processes are being ended"
	}
	return Continue, "it is " + s.State
}

// why puts what is known of the cause behind the state.
func (s Sight) why(state string) string {
	switch {
	case s.Summary != "" && s.Remedy != "":
		return state + ": " + s.Summary + ". " + s.Remedy
	case s.Summary != "":
		return state + ": " + s.Summary
	case s.Problem != "":
		return state + ": " + s.Problem
	}
	return state
}

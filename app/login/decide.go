package login

import (
	"errors"
	"fmt"
)

// State is what macOS says of a login item. The first four have the numbers of SMAppServiceStatus.
type State int

const (
	NotRegistered    State = 0
	Enabled          State = 1
	RequiresApproval State = 2 // a person switched it off in System Settings, or has yet to switch it on
	NotFound         State = 3 // macOS has never heard of it, or has lost it
	Unavailable      State = -1
	Failed           State = -2
)

// Way is by what the app is started at login.
type Way int

const (
	None Way = iota
	Service
	Agent
)

func (w Way) String() string {
	return [...]string{"nothing", "macOS's login items", "a launch agent in ~/Library/LaunchAgents"}[w]
}

// Seen is what there is, before anything is done.
type Seen struct {
	Service State // of the agent that the app's bundle holds
	// File: there is a launch agent of ours in a file. It starts this app if FileStartsUs.
	File, FileStartsUs bool
	FileState          State  // what macOS says of that file; Unavailable before macOS 13
	FileDisabled       bool   // macOS 12: launchctl says that it is switched off
	Inside             bool   // this very process is the service's job: to unregister it now would end it
	Build              string // of this app: a service that refused one may take another
}

// Step is one thing to do, in the order given.
type Step int

const (
	Register Step = iota
	Unregister
	UnregisterAtTheEnd // of the app, when nobody minds that it ends
	WriteFile
	RemoveFile
)

// Decide says what brings the system to what the person wants. refused is that the service has refused this app before, as it does with some
// builds that have no Developer ID; then the file serves.
func Decide(want bool, s Seen, refused bool) []Step {
	if !want {
		return off(s)
	}
	if s.Service == Unavailable || s.Service == Failed || refused {
		if s.File && s.FileStartsUs && !s.FileDisabled {
			return nil
		}
		return []Step{WriteFile}
	}
	var steps []Step
	if s.Service == NotRegistered || s.Service == NotFound {
		steps = append(steps, Register)
	}
	if s.File { // from an older version: two would start two
		steps = append(steps, RemoveFile)
	}
	return steps
}

func off(s Seen) []Step {
	var steps []Step
	if s.File {
		steps = append(steps, RemoveFile)
	}
	if s.Service == Enabled || s.Service == RequiresApproval {
		if s.Inside {
			return append(steps, UnregisterAtTheEnd)
		}
		steps = append(steps, Unregister)
	}
	return steps
}

// Status is what a person is told.
type Status struct {
	On  bool
	Way Way
	// Words say what only a person can do, or what is to come; "" if there is nothing to say.
	Words string
}

const inSettings = "System Settings → General → Login Items"

// Tell says how it stands. leaving is that it was switched off and ends with the app.
func Tell(s Seen, leaving bool) Status {
	switch {
	case leaving:
		return Status{Way: None, Words: "it is off from the next login on"}
	case s.Service == Enabled:
		return Status{On: true, Way: Service}
	case s.File && s.FileStartsUs && (s.FileDisabled || s.FileState == RequiresApproval):
		return Status{Way: Agent, Words: "it is switched off in " + inSettings}
	case s.File && s.FileStartsUs:
		return Status{On: true, Way: Agent}
	case s.Service == RequiresApproval:
		return Status{Way: Service, Words: "it is switched off in " + inSettings}
	}
	return Status{Way: None}
}

// System does what steps ask for.
type System interface {
	See() (Seen, error)
	Register() (State, error)
	Unregister() (State, error)
	WriteFile() error
	RemoveFile() error
}

// Memory is what the state folder remembers, because the system can forget: an upgrade by Homebrew or a move of the app may take a login
// item away.
type Memory struct {
	Want    *bool  `json:"want,omitempty"`    // nil: the person never said
	Refused string `json:"refused,omitempty"` // the build that the service refused
	Leaving bool   `json:"leaving,omitempty"` // UnregisterAtTheEnd is to be done
}

func (m *Memory) refused(s Seen) bool { return m.Refused != "" && m.Refused == s.Build }

// ErrSwitchedOff: macOS has the login item, and only a person can switch it on again.
var ErrSwitchedOff = errors.New("launching at login is switched off in " + inSettings + ": switch Vivarium on there")

// Set brings the system to what the person wants, and remembers it.
func Set(sys System, m *Memory, want bool) error {
	seen, err := sys.See()
	if err != nil {
		return err
	}
	m.Want, m.Leaving = &want, false
	if want {
		m.Refused = "" // a person asks: the service may have changed its mind
	}
	if err := apply(sys, m, want, seen); err != nil {
		return err
	}
	if seen, err = sys.See(); err == nil && want && !Tell(seen, false).On && seen.Service == RequiresApproval {
		return ErrSwitchedOff
	}
	return err
}

// Mend brings back what the system has lost, and moves an old launch agent to the service. It never switches on what a person switched off
// in System Settings, and never off what somebody else switched on. It tells whether it did anything.
func Mend(sys System, m *Memory) (bool, error) {
	seen, err := sys.See()
	if err != nil {
		return false, err
	}
	if m.Want == nil {
		if !seen.File && seen.Service != Enabled {
			return false, nil
		}
		on := Tell(seen, false).On // as an older version left it
		if !on {
			return false, nil
		}
		m.Want = &on
	}
	want := *m.Want
	if want && seen.File && (seen.FileDisabled || seen.FileState == RequiresApproval) {
		return false, nil // moving it would switch it on
	}
	if !want && !m.Leaving {
		return false, nil
	}
	steps := Decide(want, seen, m.refused(seen))
	if len(steps) == 0 {
		m.Leaving = false
		return false, nil
	}
	return true, apply(sys, m, want, seen)
}

// End is called when the app ends: what would have ended it earlier is done now.
func End(sys System, m *Memory) error {
	if !m.Leaving {
		return nil
	}
	m.Leaving = false
	_, err := sys.Unregister()
	return err
}

func apply(sys System, m *Memory, want bool, seen Seen) error {
	for _, step := range Decide(want, seen, m.refused(seen)) {
		var err error
		switch step {
		case Register:
			var state State
			if state, err = sys.Register(); state != Enabled && state != RequiresApproval {
				m.Refused = seen.Build
				if fileErr := orNil(seen.File && seen.FileStartsUs, sys.WriteFile); fileErr != nil {
					return fmt.Errorf("registering the login item: %w", errors.Join(err, fileErr))
				}
				return nil // the file serves, and stays
			}
			err = nil // what macOS says afterwards counts
		case Unregister:
			_, err = sys.Unregister()
		case UnregisterAtTheEnd:
			m.Leaving = true
		case WriteFile:
			err = sys.WriteFile()
		case RemoveFile:
			err = sys.RemoveFile()
		}
		if err != nil {
			return fmt.Errorf("changing the login item: %w", err)
		}
	}
	return nil
}

func orNil(skip bool, f func() error) error {
	if skip {
		return nil
	}
	return f()
}

package platform

import (
	"errors"
	"fmt"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// SpawnTrouble says what kept the keeper from starting the run; ok is false for an error that says all there is. The log is opened
// before the program is started, and its trouble is not the program's.
func SpawnTrouble(err error, log string) (v crash.Verdict, ok bool) {
	var e *keeper.SpawnError
	if !errors.As(err, &e) {
		return v, false
	}
	if e.Path == log {
		return crash.Verdict{
			Kind: crash.KindCannotStart, Summary: fmt.Sprintf("the log %s cannot be written: %v", e.Path, bare(e.Err)),
			Remedy: "Make its folder writable for you, or name another file: file under [log] in vivarium.toml.",
		}, true
	}
	return crash.Verdict{
		Kind: crash.KindCannotStart, Summary: fmt.Sprintf("%s cannot be started: %v", e.Path, e.Err),
		Remedy: "Check command and python in vivarium.toml.",
	}, true
}

// bare is the innermost error: what the system said.
func bare(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// LaunchTrouble says why there is no keeper.
func LaunchTrouble(err error) crash.Verdict {
	v := crash.Verdict{Kind: crash.KindCannotStart, Summary: "the keeper cannot be started: " + err.Error()}
	var busy *keeper.BusyError
	switch {
	case errors.As(err, &busy):
		v.Remedy = fmt.Sprintf("Process %d is attached to it: stop that first.", busy.PID)
	case errors.Is(err, keeper.ErrSilent):
		v.Remedy = "It is alive but does not answer: end it by hand, then try again."
	}
	return v
}

package platform

import (
	"errors"
	"slices"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
)

// AddRecorder adds the recorder to what the keeper is to start, last of all: nothing that a person sets comes after it. A switched-off or
// impossible one leaves nothing of an inherited one, either. It runs before each start, and looks at two files.
func AddRecorder(state string, c config.Config, spec keeper.Spec) (keeper.Spec, error) {
	folder, runs := "", recorder.Runs(keeper.BackendFolder(state, c.Dir))
	var err error
	if c.Recorder.Enabled {
		if folder, err = recorder.Place(state); err == nil {
			err = recorder.Prepare(runs)
		}
		if err != nil {
			folder = ""
		}
	}
	spec.Env = recorder.Environ(spec.Env, folder, runs)
	return spec, err
}

// Recordings is the folder in which the recorder of a backend writes, a folder for each run.
type Recordings string

// Sweep removes what is of other runs than these.
func (r Recordings) Sweep(keep []string) error {
	return recorder.Sweep(string(r), func(run string) bool { return slices.Contains(keep, run) })
}

// Tidy removes what short-lived processes of a run left.
func (r Recordings) Tidy(run string) error {
	folder := recorder.RunFolder(string(r), run)
	if folder == "" {
		return nil
	}
	return recorder.Tidy(folder, func(pid int) bool { err := syscall.Kill(pid, 0); return err == nil || errors.Is(err, syscall.EPERM) })
}

// Raised is the exception that ended a run, in the form of a traceback; nil if there is none that decides.
func (r Recordings) Raised(exit keeper.Exit) ([]string, error) {
	folder := recorder.RunFolder(string(r), exit.Run.ID)
	if folder == "" {
		return nil, nil
	}
	all, written, err := recorder.Exceptions(folder, exit.Run.PID)
	if err != nil {
		return nil, err
	}
	e, decides := recorder.Decides(all, written, recorder.End{
		PID: exit.Run.PID, Known: exit.Known, Code: exit.Code, Signal: proc.SignalName(exit.Signal), Asked: exit.Asked, At: exit.At,
	})
	if !decides {
		return nil, nil
	}
	return e.Error.Traceback(), nil
}

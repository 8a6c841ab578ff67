package keeper

import (
	"errors"
	"fmt"
	"syscall"
)

// More errors that a caller inspects.
var (
	// ErrLocked: another process holds the lock.
	ErrLocked = errors.New("keeper: the lock is held")
	// ErrRunning: the keeper has a run already.
	ErrRunning = errors.New("keeper: a run is under way")
	// ErrUnforgotten: the last exit was not forgotten yet, so there is nobody who recorded it.
	ErrUnforgotten = errors.New("keeper: the last exit is not forgotten yet")
	// ErrUnknownRun: the keeper knows no such run.
	ErrUnknownRun = errors.New("keeper: no such run")
	// ErrUnsupported: the keeper is older than the app, and does not know the request.
	ErrUnsupported = errors.New("keeper: the keeper does not support this")
	// ErrLeaving: the keeper is on its way out.
	ErrLeaving = errors.New("keeper: the keeper is leaving")
)

// SpawnError: the child could not be started. Path is what stood in the way: the program, its folder or the log.
type SpawnError struct {
	Path string
	Err  error // a syscall.Errno where the system gave one
}

func (e *SpawnError) Error() string { return fmt.Sprintf("starting %s: %v", e.Path, e.Err) }

func (e *SpawnError) Unwrap() error { return e.Err }

// kinds are the names of errors on the wire; an older peer that does not know one shows its text.
var kinds = map[string]error{
	"running":     ErrRunning,
	"unforgotten": ErrUnforgotten,
	"unknown-run": ErrUnknownRun,
	"unsupported": ErrUnsupported,
	"leaving":     ErrLeaving,
}

const kindSpawn = "spawn"

// wireError is an error as it travels.
type wireError struct {
	Kind  string `json:"kind,omitempty"`
	Text  string `json:"text"`
	Path  string `json:"path,omitempty"`
	Errno int    `json:"errno,omitempty"` // both ends are on one machine, so the number means the same
}

func toWire(err error) *wireError {
	w := &wireError{Text: err.Error()}
	for kind, known := range kinds {
		if errors.Is(err, known) {
			w.Kind = kind
		}
	}
	var s *SpawnError
	if errors.As(err, &s) {
		w.Kind, w.Path, w.Text = kindSpawn, s.Path, s.Err.Error()
		var errno syscall.Errno
		if errors.As(s.Err, &errno) {
			w.Errno = int(errno)
		}
	}
	return w
}

func (w *wireError) err() error {
	if w == nil {
		return errors.New("keeper: an error without a text")
	}
	if known := kinds[w.Kind]; known != nil {
		return known
	}
	if w.Kind != kindSpawn {
		return errors.New(w.Text)
	}
	s := &SpawnError{Path: w.Path, Err: errors.New(w.Text)}
	if w.Errno > 0 {
		s.Err = syscall.Errno(w.Errno)
	}
	return s
}

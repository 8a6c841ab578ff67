package record

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// Memory is what is remembered of a backend while nobody supervises it.
type Memory struct {
	Want   bool // it is started again with the app
	GaveUp bool
	Last   crash.Verdict // of the last unasked end
	LastAt time.Time
	Report string // the page about it, "" none
	Tally  Tally
}

// Remember reads what is remembered of the backend whose state is kept in folder; the zero Memory if nothing is. The
// tally is of the day of now.
func Remember(folder string, now time.Time) (Memory, error) {
	s, err := ReadWant(folder)
	if err != nil || s == nil {
		return Memory{}, err
	}
	m := Memory{Want: s.Want && !s.Quit, GaveUp: s.GaveUp, Last: s.Last, LastAt: s.LastAt}
	if n := len(s.Deaths); n > 0 && s.Deaths[n-1].At.After(m.LastAt) && s.Deaths[n-1].At.After(s.Cleared) {
		m.Last, m.LastAt = s.Deaths[n-1].Verdict, s.Deaths[n-1].At
	}
	m.Report, m.Tally = PageOf(folder, m.LastAt), TallyOf(s.Deaths, now)
	return m, nil
}

// Unwant makes sure that the next app does not start what a person stopped while there was none. The caller holds the backend's
// supervisor.lock.
func Unwant(folder string) error {
	s, err := ReadWant(folder)
	if err != nil {
		return err
	}
	if s == nil {
		s = &Saved{}
	}
	if !s.Want && !s.GaveUp && !s.Quit && s.Version != 0 {
		return nil
	}
	s.Want, s.GaveUp, s.Quit = false, false, false
	return WriteWant(folder, *s)
}

// RememberQuit notes that the app ended by a Quit, so that autostart decides the next time. It is for the moment after the
// Supervisor's end, which may come before it has heard of the Quit. The caller holds the backend's supervisor.lock.
func RememberQuit(folder string) error {
	s, err := ReadWant(folder)
	if err != nil {
		return err
	}
	if s == nil {
		return nil // as if it had never run: autostart decides
	}
	if s.Quit && !s.Want && !s.GaveUp {
		return nil
	}
	s.Want, s.GaveUp, s.Quit = false, false, true
	return WriteWant(folder, *s)
}

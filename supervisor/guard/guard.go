// Package guard decides on a run's memory: when a person is warned of it, and when the run is better started anew than left to the system,
// which ends it without a word. Begin with Guard.Sample. It is pure: it is given figures and moments, and returns what is to be done; it must
// not measure, end or start anything.
package guard

import (
	"fmt"
	"strconv"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/memory"
)

// Limit is an amount of memory as a person writes it; the zero Limit is none.
type Limit struct {
	Bytes   uint64  `json:"bytes,omitempty"`
	Percent float64 `json:"percent,omitempty"` // of what there is
}

// Set says whether there is a limit.
func (l Limit) Set() bool { return l != Limit{} }

// Of is the limit in bytes where there is so much memory; 0 for none, and for a share of nobody knows what.
func (l Limit) Of(machine uint64) uint64 {
	if l.Percent > 0 {
		return uint64(float64(machine) * l.Percent / 100)
	}
	return l.Bytes
}

// words are "85 % of the 16.0 GB that there are", "12.0 GB".
func (l Limit) words(machine uint64) string {
	if l.Percent > 0 {
		return strconv.FormatFloat(l.Percent, 'f', -1, 64) + " % of the " + memory.Size(machine) + " that there are"
	}
	return memory.Size(l.Bytes)
}

// Policy is the section [memory] of a configuration.
type Policy struct {
	Warn    Limit
	Restart Limit
	For     time.Duration // above a limit for so long, and not for a moment alone
}

// Set says whether there is anything to guard.
func (p Policy) Set() bool { return p.Warn.Set() || p.Restart.Set() }

// Every is how often memory is measured, where everything else is measured at the interval.
func (p Policy) Every(interval time.Duration) time.Duration {
	if !p.Set() {
		return interval
	}
	return min(interval, max(time.Second, min(interval, p.For)))
}

// Act is what is to be done.
type Act uint8

// The acts.
const (
	Nothing Act = iota
	Warn        // tell a person; once in the life of a run
	Restart     // stop the run in good order, and start the next one
)

// Guard watches one run. The zero Guard watches a run that has just begun.
type Guard struct {
	warn, restart window
	warned        bool
}

// mostGap is how far apart two measurements may be, on a computer that is so short of memory that everything is slow.
const mostGap = 45 * time.Second

// window is a time above a limit.
type window struct{ since, last time.Time }

// lasts takes a measurement, and says whether there was none below the limit for so long. After a long gap in which
// nothing was measured it begins anew.
func (w *window) lasts(at time.Time, above bool, long, every time.Duration) bool {
	if !above {
		*w = window{}
		return false
	}
	if w.since.IsZero() || at.Sub(w.last) > max(3*every, mostGap) {
		w.since = at
	}
	w.last = at
	return at.Sub(w.since) >= long
}

// Sample takes what the run holds at that moment, where so much memory is there for it. It is measured every so often. A run that starts is
// not given to the guard: what it needs for its model is no leak.
func (g *Guard) Sample(at time.Time, held, machine uint64, p Policy, every time.Duration) Act {
	above := func(l Limit) bool { n := l.Of(machine); return n > 0 && held > n }
	warn := g.warn.lasts(at, above(p.Warn), p.For, every)
	switch {
	case g.restart.lasts(at, above(p.Restart), p.For, every):
		return Restart
	case warn && !g.warned:
		g.warned = true
		return Warn
	}
	return Nothing
}

// Warned says whether a person was warned of this run.
func (g *Guard) Warned() bool { return g.warned }

// Above says whether the run was above the limit for a warning at the latest measurement, and was warned of.
func (g *Guard) Above() bool { return g.warned && !g.warn.since.IsZero() }

// High says in words which limit the run is above, and for how long: "13.6 GB for 30 s, more than 85 % of the 16.0 GB that there are".
func High(held, machine uint64, l Limit, long time.Duration) string {
	text := memory.Size(held)
	if long > 0 {
		text += " for " + lasting(long)
	}
	return text + ", more than " + l.words(machine)
}

func lasting(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return strconv.FormatFloat(d.Round(time.Second/10).Seconds(), 'f', -1, 64) + " s"
}

// Past is what the guard has done since a person last started the backend.
type Past struct {
	Restarts int       `json:"restarts"`
	At       time.Time `json:"at,omitzero"`   // of the last one
	Bytes    uint64    `json:"bytes"`         // what was held then
	Row      int       `json:"row,omitempty"` // so many restarts followed each other closely: the next start waits
}

// closely is how soon a restart after another shows that a restart does not help for long.
const closely = 10 * time.Minute

// Then is the past after one more restart.
func (p Past) Then(at time.Time, held uint64) Past {
	if p.At.IsZero() || at.Sub(p.At) >= closely || at.Before(p.At) {
		p.Row = 0
	}
	return Past{Restarts: p.Restarts + 1, At: at, Bytes: held, Row: p.Row + 1}
}

// Told is the last restart in one sentence, "" if there was none: "restarted at 13.6 GB, before macOS would have ended it".
func (p Past) Told(goos string) string {
	if p.Restarts == 0 {
		return ""
	}
	system := "the system"
	if goos == "darwin" {
		system = "macOS"
	}
	return fmt.Sprintf("restarted at %s, before %s would have ended it", memory.Size(p.Bytes), system)
}

// Status is what a person sees of a run's memory beside what it uses.
type Status struct {
	Machine  uint64 // what there is for it, in bytes: the computer's memory, or the limit of its cgroup
	Warn     uint64 // the limits in bytes; 0 for none
	Restart  uint64
	Pressure memory.Pressure
	High     bool // it has been above the limit for a warning for so long, and still is above it
	Past     Past
}

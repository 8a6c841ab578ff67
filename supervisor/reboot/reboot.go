// Package reboot says why a server is gone that ran when the computer was last seen: the computer itself was started anew, after a kernel
// panic, without a clean end, or in good order. Begin with Judge, which is pure; Look gathers what the system tells. It knows nothing of
// backends, keepers and verdicts: the supervisor says what ran, and makes a verdict of the sentence.
package reboot

import (
	"fmt"
	"strings"
	"time"
)

// End is how the boot before this one ended, as far as the system tells.
type End string

// The ends.
const (
	Unknown  End = ""
	Orderly  End = "orderly"   // somebody restarted it, or shut it down
	Forced   End = "forced"    // it went without a word: held power button, lost power, a hang of the whole computer
	LowPower End = "low-power" // its battery was empty
	Hot      End = "hot"       // it was too hot
)

// Facts are what is known of a restart.
type Facts struct {
	Mac     bool
	Booted  time.Time // when this boot began
	Started time.Time // when the server that was lost had been started
	Seen    time.Time // its last sign of life; zero: unknown
	Last    time.Time // the last sign of the boot before, by the system's own log; zero: unknown
	End     End
	Panics  []Panic // of which reports were found, in any order
}

// Told is what is said of it.
type Told struct {
	Summary, Remedy string
	At              time.Time // when the server was gone, as well as that is known
	Line            string    // what decided
}

// before a boot a panic may have been that caused it: the report is written as the next boot begins, and a computer may stand for a while.
const reportedLate = 15 * time.Minute

// Judge says in one sentence why the server is gone, and what is known to help.
func Judge(f Facts, now time.Time) Told {
	p, panicked := cause(f)
	t := Told{At: gone(f, p)}
	computer := "the computer"
	if f.Mac {
		computer = "the Mac"
	}
	t.Summary = fmt.Sprintf("%s restarted at %s", computer, clock(f.Booted, now))
	switch {
	case panicked:
		t.Summary += " after a kernel panic" + p.place()
		t.Remedy, t.Line = p.remedy(), p.Text
	case f.End == Orderly:
		t.Remedy = "Nothing is known to be wrong with the server: it was asked to go, and there was no time to write that down."
	case f.End == LowPower:
		t.Summary += " after its battery was empty"
		t.Remedy = `Plug it in while the server works. keep_awake = "busy" keeps it from idle sleep, and uses the battery for it.`
	case f.End == Hot:
		t.Summary += " after it was too hot"
		t.Remedy = "Let air to its vents, and give the server fewer threads."
	case f.End == Forced:
		t.Summary += " without a clean end: its power was cut, or it was frozen and was switched off"
		t.Remedy = "If it was frozen, memory is the usual reason: a smaller model or context, and a look at the memory before the end in the report."
	default:
		t.Remedy = "Nothing is known to be wrong with the server."
	}
	if !f.Started.IsZero() && t.At.After(f.Started) {
		t.Summary += "; the server had run " + lasted(t.At.Sub(f.Started))
	}
	return t
}

// cause is the panic that led to this boot: the latest one between the server's start and a moment after the boot.
func cause(f Facts) (found Panic, ok bool) {
	for _, p := range f.Panics {
		if p.At.Before(f.Started) || p.At.After(f.Booted.Add(reportedLate)) {
			continue
		}
		if !ok || p.At.After(found.At) {
			found, ok = p, true
		}
	}
	return found, ok
}

// gone is when the server was gone: at the panic, or with the last sign of life of anybody before the boot.
func gone(f Facts, p Panic) time.Time {
	at := f.Started
	for _, t := range []time.Time{f.Seen, f.Last} {
		if t.After(at) && !t.After(f.Booted) {
			at = t
		}
	}
	if !p.At.IsZero() && !p.At.After(f.Booted) && p.At.After(at) {
		at = p.At
	}
	return at
}

func clock(at, now time.Time) string {
	at, now = at.Local(), now.Local()
	if at.Year() == now.Year() && at.YearDay() == now.YearDay() {
		return at.Format("15:04")
	}
	return at.Format("2 Jan 15:04")
}

// lasted writes a duration as people do, coarse: nobody knows the second.
func lasted(d time.Duration) string {
	switch d = d.Round(time.Minute); {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute), " 0 min")
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

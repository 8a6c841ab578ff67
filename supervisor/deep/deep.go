// Package deep decides when a run may be asked to do its real work, and what follows from the answer. It is pure: it asks nothing, knows no
// clock and no supervisor, and is told what was measured. Whoever asks must not do so before Ask says so. Begin with Watch.
package deep

import "time"

const (
	// Quiet is how long a run must not have been busy: the probe costs what the work costs.
	Quiet = time.Minute
	// Busy is the share of one core above which a run works.
	Busy = 0.2
	// again is when an answer that was wrong is asked for once more, before anything is told: one error may be an accident.
	again = 10 * time.Second
	// slowest is the wait that the waits of a wedged server grow to: each probe that hangs may keep one of its threads.
	slowest = time.Hour
)

// Change is what an answer changes.
type Change int

// The changes.
const (
	None Change = iota
	Wedged
	Recovered
)

// Answer is what came of a probe.
type Answer struct {
	Problem string // what failed, for a person; "" if the work was done
	Silent  bool   // nothing came within the timeout, which was long: this is told at once
	Void    bool   // it says nothing: the health check is not good by now, or nothing could be asked
}

// Watch is what is known of the deep probes of one run. The zero value asks never.
type Watch struct {
	every    time.Duration
	nextAt   time.Time
	quietAt  time.Time // it counts as busy until then
	asking   bool
	void     bool // the machine slept, or the health check failed, since the present probe was sent
	lastAt   time.Time
	lastCPU  time.Duration
	mixed    bool // a probe was under way since the last measure: what was used then is its own work
	clean    bool // there was a measure since the last probe that is not mixed
	failures int
	problem  string // what is told; "" while it works
}

// Begin says that the run is healthy: the first probe comes an interval later, and not before it has been quiet. It may be said again.
func (w *Watch) Begin(now time.Time, every time.Duration) {
	if every <= 0 || w.every > 0 {
		return
	}
	w.every, w.nextAt, w.quietAt = every, now.Add(every), now.Add(Quiet)
}

// Busied says that the health check failed at this moment: it works, or is not well, and a probe that is under way says nothing.
func (w *Watch) Busied(now time.Time) {
	if w.every > 0 {
		w.quietAt, w.void = now.Add(Quiet), true
	}
}

// Forget takes back what was told: the health check has found something worse.
func (w *Watch) Forget() { w.failures, w.problem = 0, "" }

// Slept says that the machine slept: a probe that was under way says nothing, and nobody knows what the run had to do.
func (w *Watch) Slept(now time.Time) {
	if w.every > 0 {
		w.quietAt, w.void, w.lastAt, w.clean = now.Add(Quiet), true, time.Time{}, false
	}
}

// Measured is told the CPU time of the run so far.
func (w *Watch) Measured(now time.Time, total time.Duration) {
	if w.every == 0 {
		return
	}
	used, span := total-w.lastCPU, now.Sub(w.lastAt)
	if !w.lastAt.IsZero() && !w.mixed && span > 0 {
		w.clean = true
		if float64(used)/float64(span) >= Busy {
			w.quietAt = now.Add(Quiet)
		}
	}
	w.lastAt, w.lastCPU, w.mixed = now, total, w.asking
}

// unmeasured: without a measure of the last minute nobody knows whether the run was busy.
func (w *Watch) unmeasured(now time.Time) bool {
	return !w.clean || now.Sub(w.lastAt) >= Quiet
}

// At is when the next probe may be due; zero: never, or one is under way.
func (w *Watch) At() time.Time {
	if w.every == 0 || w.asking {
		return time.Time{}
	}
	if w.quietAt.After(w.nextAt) {
		return w.quietAt
	}
	return w.nextAt
}

// Ask says whether a probe is to be sent now, and counts on it that it is.
func (w *Watch) Ask(now time.Time) bool {
	at := w.At()
	if at.IsZero() || now.Before(at) {
		return false
	}
	if w.unmeasured(now) {
		w.nextAt = now.Add(time.Second)
		return false
	}
	w.asking, w.mixed, w.void, w.clean = true, true, false, false
	return true
}

// Answered is told what came of the probe.
func (w *Watch) Answered(now time.Time, a Answer) Change {
	w.asking, w.nextAt = false, now.Add(w.every)
	if a.Problem != "" && (a.Void || w.void) {
		return None
	}
	if a.Problem == "" {
		before := w.problem
		w.failures, w.problem = 0, ""
		if before != "" {
			return Recovered
		}
		return None
	}
	w.failures++
	if w.failures == 1 && !a.Silent && w.problem == "" {
		w.nextAt = now.Add(min(w.every, again))
		return None
	}
	for range min(w.failures-1, 10) {
		w.nextAt = w.nextAt.Add(w.nextAt.Sub(now)) // it doubles
	}
	if top := now.Add(max(w.every, slowest)); w.nextAt.After(top) {
		w.nextAt = top
	}
	told := w.problem != ""
	w.problem = a.Problem
	if told {
		return None
	}
	return Wedged
}

// Asking says whether a probe is under way.
func (w *Watch) Asking() bool { return w.asking }

// Problem is what fails, "" while the work is done as far as anybody knows.
func (w *Watch) Problem() string { return w.problem }

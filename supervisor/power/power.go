// Package power is what a server and the computer's power have to do with each other: how often a healthy one need be looked at, whether the
// computer may fall asleep beside it, and whether it slept. Begin with Interval, Wants and Sleep, which are pure; Hold, Now and Watch ask the
// system. It knows nothing of a backend's states: the supervisor says what runs and decides what follows.
package power

import "time"

// State is what the computer lives on.
type State struct {
	Battery bool // it is not plugged in
	Saving  bool // low power mode is on
}

// After so long a time of health the usual interval grows, on a battery sooner.
const (
	settled        = 5 * time.Minute
	settledBattery = time.Minute
)

// Interval is how long to wait between two looks at a server. base is the configured interval; one that a person chose is kept to. A server
// that has been healthy for some time is looked at half as often, on a battery less often, and in low power mode least; healthy is 0 of one
// that is not, or whose latest probe failed, so that a failure is followed up as quickly as ever. A death is told by the keeper at once,
// whatever the interval is.
func Interval(base time.Duration, chosen bool, healthy time.Duration, s State) time.Duration {
	if chosen {
		return base
	}
	times := 1
	if healthy >= settled {
		times = 2
	}
	if s.Battery && healthy >= settledBattery {
		times = max(times, 3)
	}
	if s.Saving && healthy >= settledBattery {
		times = max(times, 4)
	}
	return time.Duration(times) * base
}

// The values of keep_awake.
const (
	Never   = "never"
	Busy    = "busy"
	Running = "running"
)

// Linger is how long a server counts as busy after it was seen at work. Between two requests of one conversation the computer must not fall
// asleep, and a look in between must not make the assertion come and go.
const Linger = 2 * time.Minute

// Wants says whether the computer is to be kept from idle sleep. worked is when the server was last seen at work.
func Wants(mode string, runs bool, worked, now time.Time) bool {
	switch mode {
	case Running:
		return runs
	case Busy:
		return runs && !worked.IsZero() && now.Sub(worked) < Linger
	}
	return false
}

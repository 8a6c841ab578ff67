package power

import "time"

const (
	shortestSleep = time.Second      // by the system's own clocks, which tell sleep from all else
	surelySleep   = 10 * time.Second // by the calendar's clock, which a person or the network may set
)

// Sleep finds out whether the computer slept between two looks. Both Linux and macOS have a clock that stands still in sleep, which is the
// one that Go measures by, and one that does not: their distance grows by each sleep and by nothing else.
type Sleep struct {
	asleep func() (time.Duration, bool) // that distance; nil or false if the system does not tell
	total  time.Duration
	known  bool
	last   time.Time
}

// NewSleep begins to look. asleep is Asleep, unless a test has its own.
func NewSleep(asleep func() (time.Duration, bool), now time.Time) *Sleep {
	s := &Sleep{asleep: asleep, last: now}
	s.total, s.known = s.read()
	return s
}

// Since is how long the computer slept since the last look; 0 if it did not.
func (s *Sleep) Since(now time.Time) time.Duration {
	wall, mono := now.Round(0).Sub(s.last.Round(0)), now.Sub(s.last)
	s.last = now
	if total, ok := s.read(); ok {
		slept := total - s.total
		if !s.known {
			slept = 0
		}
		s.total, s.known = total, true
		if slept >= shortestSleep {
			return slept
		}
		return 0
	}
	if d := wall - mono; d >= surelySleep {
		return d
	}
	return 0
}

func (s *Sleep) read() (time.Duration, bool) {
	if s.asleep == nil {
		return 0, false
	}
	return s.asleep()
}

// Asleep is how long the computer has slept since it was started; false if the system does not tell.
func Asleep() (time.Duration, bool) {
	with, without, err := clocks()
	if err != nil {
		return 0, false
	}
	return with - without, true
}

package page

import (
	"time"

	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// levelAt is how short of memory the system was at a moment.
type levelAt struct {
	at    time.Time
	level memory.Level
}

func levels(samples []record.Sample) []levelAt {
	all := make([]levelAt, len(samples))
	for i, s := range samples {
		all[i] = levelAt{s.At, s.Pressure}
	}
	return all
}

// pressureWords say what the levels that are drawn mean.
var pressureWords = map[memory.Level]string{
	memory.Warning:  "the system was short of memory",
	memory.Critical: "the system was very short of memory",
}

// pressures are the times in which the system was short of memory. A sample speaks for the time since the one before it, as far as that is
// not long ago.
func pressures(all []levelAt, x func(time.Time) float64) []pressed {
	var found []pressed
	for i, s := range all {
		text := pressureWords[s.level]
		if text == "" {
			continue
		}
		from := s.at.Add(-5 * time.Second)
		if i > 0 && s.at.Sub(all[i-1].at) <= leastGap {
			from = all[i-1].at
		}
		if i == 0 {
			from = s.at
		}
		left, right := x(from), x(s.at)
		if n := len(found); n > 0 && found[n-1].Level == string(s.level) && found[n-1].X+found[n-1].Width >= left-0.2 {
			found[n-1].Width = tenth(right - found[n-1].X)
			continue
		}
		found = append(found, pressed{span{left, max(1, tenth(right-left))}, string(s.level), text})
	}
	return found
}

package page

import (
	"math"
	"strconv"
	"time"
)

// unit is one in which an axis is labelled.
type unit struct {
	size float64 // of the measured quantity
	name string
}

var (
	bytesUnits   = []unit{{1, "B"}, {1e3, "kB"}, {1e6, "MB"}, {1e9, "GB"}, {1e12, "TB"}}
	secondsUnits = []unit{{1e-3, "ms"}, {1, "s"}}
	percentUnits = []unit{{0.01, "%"}}
)

// axis is a scale from zero with a round number at every line.
type axis struct {
	top  float64
	step float64
	unit unit
}

// newAxis reaches just above the highest value, in at most four steps of 1, 2 or 5 times a power of ten of its unit. It is never shorter than a tenth of
// the smallest unit: what was idle is drawn as idle, and not as a mountain of noise.
func newAxis(highest float64, units []unit) axis {
	a := axis{unit: units[0]}
	for _, u := range units {
		if highest >= u.size {
			a.unit = u
		}
	}
	value := highest / a.unit.size
	if a.unit == units[0] {
		value = max(value, 0.1)
	}
	power := math.Pow(10, math.Floor(math.Log10(value/4)))
	for _, round := range []float64{1, 2, 5, 10} {
		if a.step = round * power; a.step*4 >= value {
			break
		}
	}
	a.step *= a.unit.size
	a.top = a.step * max(1, math.Ceil(highest/a.step*0.9999))
	return a
}

// lines are the values at which the axis has a line, zero first.
func (a axis) lines() []float64 {
	var all []float64
	for i := 0; float64(i)*a.step <= a.top*1.0001; i++ {
		all = append(all, float64(i)*a.step)
	}
	return all
}

func (a axis) label(v float64) string {
	if v == 0 {
		return "0"
	}
	return strconv.FormatFloat(v/a.unit.size, 'g', 4, 64) + " " + a.unit.name
}

// timeSteps are the distances that a person counts in.
var timeSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
}

// timeStep divides a span into at most six parts.
func timeStep(span time.Duration) time.Duration {
	for _, s := range timeSteps {
		if span <= 6*s {
			return s
		}
	}
	return span / 6
}

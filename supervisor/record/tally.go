package record

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// TallyOf counts the deaths of now's day, in now's time zone. A launch that failed is no death, and a clean exit is no crash.
func TallyOf(deaths []Death, now time.Time) Tally {
	var t Tally
	day := now.Format(time.DateOnly)
	for _, d := range slices.Backward(deaths) { // the latest first: among equals it comes first
		if d.Run == "" || d.Verdict.Kind == crash.KindCleanExit || d.At.In(now.Location()).Format(time.DateOnly) != day {
			continue
		}
		t.Day = day
		t.Deaths++
		i := slices.IndexFunc(t.Causes, func(c Cause) bool { return c.Kind == d.Verdict.Kind })
		if i < 0 {
			t.Causes = append(t.Causes, Cause{d.Verdict.Kind, d.Verdict.Summary, 1})
			continue
		}
		t.Causes[i].Deaths++
		if t.Causes[i].Summary != d.Verdict.Summary {
			t.Causes[i].Summary = ""
		}
	}
	slices.SortStableFunc(t.Causes, func(a, b Cause) int { return b.Deaths - a.Deaths })
	return t
}

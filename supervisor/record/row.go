package record

import "time"

// SameWithin is how far back the same verdict counts.
const SameWithin = 10 * time.Minute

// InARow counts the deaths that belong together: since a person last started the backend, and since a run that lived long
// enough to be called stable. neverHealthy of them, the latest ones, never answered a health probe.
func InARow(deaths []Death, cleared time.Time, stable time.Duration) (n, neverHealthy int) {
	silent := true
	for i := len(deaths) - 1; i >= 0; i-- {
		d := deaths[i]
		if d.At.Before(cleared) {
			break
		}
		n++
		silent = silent && !d.Healthy
		if silent {
			neverHealthy++
		}
		if stable == 0 || d.Healthy && d.Uptime >= stable { // that run had cleared what came before it
			break
		}
	}
	return n, neverHealthy
}

// SameVerdict counts the deaths of the last ten minutes that ended like the latest one: a slow crash loop, in which every
// run lives long enough to look stable, is a crash loop all the same.
func SameVerdict(deaths []Death, cleared time.Time) int {
	if len(deaths) == 0 {
		return 0
	}
	last, n := deaths[len(deaths)-1], 0
	for _, d := range deaths {
		if d.FirstKind() == last.FirstKind() && !d.At.Before(cleared) && last.At.Sub(d.At) < SameWithin {
			n++
		}
	}
	return n
}

// Package backoff decides when a run that died is started again, and when that has no sense any more: from the deaths on record and nothing else.
// It is pure, asks no clock, and knows no state and no supervisor. Begin with Wait and InARow.
package backoff

import (
	"hash/fnv"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

const (
	Memory  = 10 * time.Minute // how far back the same verdict counts
	longest = 30 * time.Second
)

// InARow counts the deaths that belong together: since a person last started the backend, and since a run that lived long
// enough to be called stable. neverHealthy of them, the latest ones, never answered a health probe.
func InARow(deaths []record.Death, cleared time.Time, stable time.Duration) (n, neverHealthy int) {
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
func SameVerdict(deaths []record.Death, cleared time.Time) int {
	if len(deaths) == 0 {
		return 0
	}
	last, n := deaths[len(deaths)-1], 0
	for _, d := range deaths {
		if d.FirstKind() == last.FirstKind() && !d.At.Before(cleared) && last.At.Sub(d.At) < Memory {
			n++
		}
	}
	return n
}

// Wait is how long to wait before the start that follows the nth death in a row: nothing, then 1, 2, 4 … 30 s, shortened by up to
// a fifth so that several backends which died of one cause do not come back in step. The jitter is drawn from the run's ID: step
// stays pure.
func Wait(n int, runID string) time.Duration {
	if n <= 1 {
		return 0
	}
	d := longest
	if n-2 < 5 {
		d = time.Second << (n - 2)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(runID))
	return d - d*time.Duration(h.Sum32()%200)/1000
}

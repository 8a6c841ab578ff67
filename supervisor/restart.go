package supervisor

import (
	"hash/fnv"
	"time"
)

const maxBackOff = 30 * time.Second

// backOff is how long to wait before the start that follows the nth death in a row: nothing, then 1, 2, 4 … 30 s, shortened by up to
// a fifth so that several backends which died of one cause do not come back in step. The jitter is drawn from the run's ID: step
// stays pure.
func backOff(n int, runID string) time.Duration {
	if n <= 1 {
		return 0
	}
	d := maxBackOff
	if n-2 < 5 {
		d = time.Second << (n - 2)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(runID))
	return d - d*time.Duration(h.Sum32()%200)/1000
}

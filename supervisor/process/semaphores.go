package process

import (
	"sort"
	"time"
)

// clockSlack covers file times that are taken from the kernel's last tick, a little before the clock that Run.Started is read from.
const clockSlack = 50 * time.Millisecond

// Semaphores gives the named semaphores of this user, with the time each was last changed. Where they cannot be listed (macOS) it
// is empty.
func Semaphores() map[string]time.Time { return listSemaphores() }

// LeftBehind gives those of after that were not there before and appeared since started: what the run of that time made and did
// not remove. What OpenMP registers in shared memory (__KMP_REGISTERED_LIB_*) is no semaphore and not counted.
func LeftBehind(before, after map[string]time.Time, started time.Time) []string {
	var left []string
	for name, changed := range after {
		if _, ok := before[name]; !ok && !changed.Before(started.Add(-clockSlack)) {
			left = append(left, name)
		}
	}
	sort.Strings(left)
	return left
}

// Abandoned gives those of names that still exist and that no living process of this user has open: another backend's
// semaphores, made meanwhile, are in use, and no leak. It reads the memory maps of every process, so it is for the end of a run
// that left something.
func Abandoned(names []string) []string { return abandoned(names) }

package process

import (
	"fmt"
	"slices"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// UsersOf are the processes that have one of the files open or mapped, as far as this user can see: who loaded a library keeps the file
// that it had, whatever stands in its place now.
func UsersOf(files []string) ([]proc.Process, error) {
	pids, err := usersOf(files)
	if err != nil {
		return nil, fmt.Errorf("looking who uses %s: %w", files[0], err)
	}
	slices.Sort(pids)
	var all []proc.Process
	for _, pid := range slices.Compact(pids) {
		if p, err := proc.Find(pid); err == nil && !p.Zombie {
			all = append(all, p)
		}
	}
	return all, nil
}

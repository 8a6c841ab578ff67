package process

import (
	"bytes"
	"fmt"
	"os"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func usersOf(files []string) ([]int, error) {
	all, err := proc.Processes()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, p := range all {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID))
		if err != nil { // of another user, or gone
			continue
		}
		for _, file := range files {
			if bytes.Contains(maps, []byte(" "+file+"\n")) {
				pids = append(pids, p.PID)
				break
			}
		}
	}
	return pids, nil
}

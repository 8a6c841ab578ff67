package process

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// mapped gives the files that each of the processes has mapped. What has ended, or may not be looked into, has none; it is an error only if
// none could be seen.
func mapped(pids []int) (map[int][]image, error) {
	all := map[int][]image{}
	var failed error
	for _, pid := range pids {
		maps, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
		switch {
		case err == nil:
			all[pid] = parseMaps(maps)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH):
			failed = err
		}
	}
	if len(all) == 0 {
		return nil, failed
	}
	return all, nil
}

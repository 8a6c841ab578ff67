package process

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// usersOf asks lsof, which exits with 1 where nobody has one of the files.
func usersOf(files []string) ([]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/usr/sbin/lsof", append([]string{"-t", "--"}, files...)...).Output()
	var pids []int
	for word := range strings.FieldsSeq(string(out)) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids = append(pids, pid)
		}
	}
	if _, exited := err.(*exec.ExitError); exited && ctx.Err() == nil {
		err = nil
	}
	return pids, err
}

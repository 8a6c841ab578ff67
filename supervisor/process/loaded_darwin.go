package process

import (
	"context"
	"os/exec"
	"time"
)

// lsofTime is how long lsof may take: it can hang on a dead network volume.
const lsofTime = 10 * time.Second

// mapped asks lsof, which every Mac has, without looking up users, hosts or ports. lsof
// exits with 1 when one of the processes has ended; what it printed counts all the same.
func mapped(pids []int) (map[int][]image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lsofTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/sbin/lsof", lsofArgs(pids)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if len(out) > 0 {
		return parseLsof(out), nil
	}
	return nil, err
}

package control

import (
	"context"
	"path/filepath"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// Keeping is the backend that a Vivarium program keeps and whose server has the port; false: there is none. That is proven by the process
// that listens: it is the run, descends from it, or carries its ID.
func Keeping(ctx context.Context, state string, number int) (Row, bool) {
	if number <= 0 {
		return Row{}, false
	}
	sockets, _ := filepath.Glob(filepath.Join(state, "b", "*", controlAt)) // the pattern is ours
	for _, s := range sockets {
		row, ok := held(ctx, filepath.Dir(s))
		if !ok || row.PID == 0 || row.Port != number {
			continue
		}
		owners, err := port.Owners(ctx, number)
		if err != nil {
			return Row{}, false
		}
		for _, o := range owners {
			if o.PID != 0 && (within(o.PID, row.PID) || row.Run != "" && proc.RunOf(o.PID) == row.Run) {
				return row, true
			}
		}
	}
	return Row{}, false
}

func held(ctx context.Context, folder string) (Row, bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := Dial(ctx, folder)
	if err != nil {
		return Row{}, false
	}
	defer c.Close()
	row, err := c.Status(ctx)
	return row, err == nil
}

// within: the process is top, or descends from it.
func within(pid, top int) bool {
	for range 64 { // PIDs may be given anew while we look
		if pid == top {
			return true
		}
		p, err := proc.Find(pid)
		if err != nil || p.PPID <= 1 {
			return false
		}
		pid = p.PPID
	}
	return false
}

package process

import (
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// family takes the whole process table, which is one system call on macOS.
func family(pid int) ([]member, error) {
	all, err := proc.Processes()
	if err != nil {
		return nil, err
	}
	tree := treeOf(pid, all)
	if len(tree) == 0 {
		return nil, proc.ErrGone
	}
	for i := range tree {
		if t, err := (&process.Process{Pid: int32(tree[i].PID)}).Times(); err == nil {
			tree[i].cpu = time.Duration((t.User + t.System) * float64(time.Second))
		}
	}
	return tree, nil
}

func age(pid int) time.Duration {
	ms, err := (&process.Process{Pid: int32(pid)}).CreateTime()
	if err != nil {
		return 0
	}
	return time.Since(time.UnixMilli(ms))
}

func executable(pid int) string {
	path, _ := (&process.Process{Pid: int32(pid)}).Exe()
	return path
}

package keeper

import (
	"slices"
	"sync"
	"syscall"
)

// reaper waits for the children of this process: the leader of the run and, on Linux, the orphans of it, which come back to
// the keeper. It is the only one who reaps, so that under mu a leader's PID and group are surely its own.
type reaper struct {
	mu     sync.Mutex
	leader int           // the unreaped leader, 0 if there is none
	wake   chan struct{} // a child was started
	left   []Process     // macOS: who was in the last leader's group when it died
	died   func(pid int, status syscall.WaitStatus, known bool)
}

func newReaper(died func(pid int, status syscall.WaitStatus, known bool)) *reaper {
	return &reaper{wake: make(chan struct{}, 1), died: died}
}

// start runs fork, which returns the PID of the new leader. Nobody is reaped meanwhile: a child that dies at once would
// otherwise be taken for an orphan.
func (r *reaper) start(fork func() (int, error)) error {
	r.mu.Lock()
	pid, err := fork()
	if err == nil {
		r.leader = pid
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return err
}

// reaped is what wait4 said of a child.
type reaped struct {
	pid    int // 0: it lives
	status syscall.WaitStatus
	leader bool // it was the leader
}

// take takes the exit status of a dead child. From then on a leader's PID and group are none of ours, and whoever holds mu knows it.
func (r *reaper) take(pid int) (reaped, error) {
	var got reaped
	var err error
	r.mu.Lock()
	defer r.mu.Unlock()
	got.pid, err = ignoringEINTR(func() (int, error) { return syscall.Wait4(pid, &got.status, syscall.WNOHANG, nil) })
	if got.leader = got.pid > 0 && got.pid == r.leader; got.leader {
		r.leader = 0
	}
	return got, err
}

// lost tells of a leader whose exit status nobody will ever see.
func (r *reaper) lost(pid int) {
	r.mu.Lock()
	mine := pid == r.leader
	if mine {
		r.leader = 0
	}
	r.mu.Unlock()
	if mine {
		r.died(pid, 0, false)
	}
}

// leave notes who is in the leader's group.
func (r *reaper) leave(group []Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = group
}

// signalGroup signals the leader's group, by number, if the leader is unreaped.
func (r *reaper) signalGroup(sig syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leader > 1 {
		_ = syscall.Kill(-r.leader, sig)
	}
}

// orphans are the processes of the last leader's group that it left behind, where they do not come back to us. They are taken
// while the leader is a zombie, so that the number of the group is surely its own.
func (r *reaper) orphans() []Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left
}

// inGroup are the members of a group without its leader.
func inGroup(all []Process, group int) []Process {
	return slices.DeleteFunc(all, func(p Process) bool { return p.Group != group || p.PID == group })
}

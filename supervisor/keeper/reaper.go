package keeper

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// reaper waits for the children of this process: the leader of the run and, on Linux, the orphans of it, which come back to
// the keeper. It is the only one who reaps, so that under mu a leader's PID and group are surely its own.
type reaper struct {
	mu     sync.Mutex
	leader int            // the unreaped leader, 0 if there is none
	wake   chan struct{}  // a child was started
	left   []proc.Process // macOS: who was in the last leader's group when it died
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
	got.pid, err = proc.IgnoringEINTR(func() (int, error) { return syscall.Wait4(pid, &got.status, syscall.WNOHANG, nil) })
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
func (r *reaper) orphans() []proc.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left
}

// inGroup are the members of a group without its leader.
func inGroup(all []proc.Process, group int) []proc.Process {
	return slices.DeleteFunc(all, func(p proc.Process) bool { return p.Group != group || p.PID == group })
}

// death waits for the end of one child in the order that macOS needs, and reaps it. XNU posts NOTE_EXIT, and answers ESRCH to whoever
// would register, from the first step of an exit on; only later is the child a zombie, and only then does wait4 return it. So the
// notice is no more than a reason to begin to look, and nothing but an answer of wait4 ends the wait.
//
// The system calls are injected: macOS's are in reaper_darwin.go, and a model of its kernel tests every order of them on any system.
type death struct {
	// notice adds the child to a kernel queue and waits for what comes. Adding it twice is the same as once.
	notice func() notice
	find   func() (proc.Process, error)
	// wait is wait4 with WNOHANG: the PID, or 0 for not yet.
	wait func() (int, syscall.WaitStatus, error)
	// snapshot notes who is in the child's group. It is called before the child is reaped, while the number of the group is its own.
	snapshot func()
	pause    func(time.Duration)
}

// notice is what one call of kevent brought.
type notice struct {
	err    error         // of the call itself
	failed syscall.Errno // of the registration, which comes as an event (EV_ERROR) where there is room for one
	exit   bool          // NOTE_EXIT
}

// unsureAfter is how often a child whose exit was noticed is looked at before it is waited for without having been seen as a zombie.
const unsureAfter = 64

// await returns when the child is reaped. known is false if the kernel says that there is no such child: its status is lost.
func (d death) await() (status syscall.WaitStatus, known bool) {
	noticed := d.noticed()
	asZombie := false
	for tries := 0; ; tries++ {
		p, err := d.find()
		zombie := err == nil && p.Zombie
		unsure := !zombie && (err != nil || noticed && tries >= unsureAfter)
		if zombie && !asZombie || unsure {
			d.snapshot()
			asZombie = zombie
		}
		if zombie || unsure {
			switch pid, status, err := d.wait(); {
			case err == nil && pid != 0:
				return status, true
			case err == syscall.ECHILD:
				return 0, false
			}
		}
		d.pause(nextLook(tries, noticed, unsure))
	}
}

// noticed waits until the child's exit has begun. It returns false at once if the kernel will not tell.
func (d death) noticed() bool {
	for {
		switch n := d.notice(); {
		case n.exit, n.err == syscall.ESRCH, n.failed == syscall.ESRCH: // cannot be found from the start of its exit on
			return true
		case n.err == syscall.EINTR: // it may or may not be registered
		case n.err != nil, n.failed != 0:
			return false
		default: // woken for nothing
			d.pause(slowLook)
		}
	}
}

const (
	quickLook  = 50 * time.Microsecond // what lies between the notice and the zombie, for a small process
	slowLook   = 20 * time.Millisecond // without a notice, this is how late a death is seen
	unsureLook = 250 * time.Millisecond
)

// nextLook is the pause before the next look. A process that had much memory is long on its way out.
func nextLook(tries int, noticed, unsure bool) time.Duration {
	switch {
	case unsure && tries >= unsureAfter:
		return unsureLook // each of these looks lists all processes
	case noticed:
		return min(quickLook<<min(tries, 16), slowLook)
	}
	return slowLook
}

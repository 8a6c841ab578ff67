package keeper

import (
	"syscall"
	"time"
)

// death waits for the end of one child in the order that macOS needs, and reaps it. XNU posts NOTE_EXIT, and answers ESRCH to whoever
// would register, from the first step of an exit on; only later is the child a zombie, and only then does wait4 return it. So the
// notice is no more than a reason to begin to look, and nothing but an answer of wait4 ends the wait.
//
// The system calls are injected: macOS's are in reaper_darwin.go, and a model of its kernel tests every order of them on any system.
type death struct {
	// notice adds the child to a kernel queue and waits for what comes. Adding it twice is the same as once.
	notice func() notice
	find   func() (Process, error)
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

package keeper

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// stage is how far a child of the modelled kernel is on its way out.
type stage int

const (
	living  stage = iota
	exiting       // XNU has set P_REF_DEAD and posted NOTE_EXIT: it cannot be found, and cannot be reaped
	zombie
	gone // reaped
)

const modelPID = 4711

// xnu is what macOS does with one child, as far as a keeper can see: kern_exit.c, kern_event.c. Wherever the real kernel may do one
// thing or another, choose decides.
type xnu struct {
	choose func(n int) int

	at         stage
	registered bool // there is a knote
	pending    bool // and NOTE_EXIT is on it

	stalls, interrupts, errors int // how often more the kernel may idle, interrupt, or fail

	calls     int
	lastFind  bool    // the last look answered
	snapshots []stage // when each was taken
	problem   string
}

// maxCalls is more than any order of the model takes: whoever makes more will never end.
const maxCalls = 500

type endless struct{}

func (k *xnu) call() {
	if k.calls++; k.calls > maxCalls {
		panic(endless{})
	}
	for k.at < zombie {
		if k.stalls > 0 && k.choose(2) == 0 {
			k.stalls--
			return
		}
		k.advance()
		if k.choose(2) == 0 {
			return
		}
	}
}

func (k *xnu) advance() {
	k.at++
	if k.at == exiting && k.registered {
		k.pending = true
	}
}

// spend takes one of a budget, if there is one and the kernel chooses so.
func (k *xnu) spend(budget *int) bool {
	if *budget == 0 || k.choose(2) == 0 {
		return false
	}
	*budget--
	return true
}

func (k *xnu) notice() notice {
	k.call()
	register := func() bool { // false: ESRCH
		if !k.registered && k.at == living {
			k.registered = true
		}
		return k.registered
	}
	if k.spend(&k.interrupts) {
		if k.choose(2) == 1 {
			register()
		}
		if k.choose(2) == 1 {
			return notice{} // woken for nothing
		}
		return notice{err: syscall.EINTR}
	}
	if k.spend(&k.errors) {
		if k.choose(2) == 1 {
			return notice{failed: syscall.ENOMEM}
		}
		return notice{err: syscall.ENOMEM}
	}
	if !register() {
		if k.choose(2) == 1 {
			return notice{failed: syscall.ESRCH}
		}
		return notice{err: syscall.ESRCH}
	}
	for !k.pending { // it blocks
		k.advance()
	}
	k.pending, k.registered = false, false // EV_ONESHOT
	return notice{exit: true}
}

func (k *xnu) find() (proc.Process, error) {
	k.call()
	k.lastFind = false
	if k.spend(&k.errors) || k.at == gone || k.at == exiting && k.choose(2) == 1 {
		return proc.Process{}, proc.ErrGone
	}
	k.lastFind = true
	return proc.Process{PID: modelPID, Zombie: k.at == zombie}, nil
}

func (k *xnu) wait() (int, syscall.WaitStatus, error) {
	k.call()
	switch {
	case k.spend(&k.interrupts):
		return -1, 0, syscall.EINTR
	case k.at == gone:
		return -1, 0, syscall.ECHILD
	case k.at < zombie:
		return 0, 0, nil
	}
	k.at = gone
	switch {
	case len(k.snapshots) == 0:
		k.problem = "it was reaped, and nobody had looked who is in its group"
	case k.lastFind && k.snapshots[len(k.snapshots)-1] != zombie:
		k.problem = "who is in its group was last noted before it was a zombie, and it could have been noted then"
	}
	return modelPID, modelStatus, nil
}

const modelStatus = syscall.WaitStatus(syscall.SIGSEGV)

func (k *xnu) death() death {
	return death{
		notice: k.notice, find: k.find, wait: k.wait,
		snapshot: func() {
			k.call()
			if k.at == gone {
				k.problem = "the group was asked for after it was reaped: the number may be somebody else's"
			}
			k.snapshots = append(k.snapshots, k.at)
		},
		pause: func(d time.Duration) {
			if d <= 0 {
				k.problem = "it spins"
			}
			k.call()
		},
	}
}

// orders runs await through every order of the model's events, and returns how many there are, and what went wrong in the first that
// went wrong.
func orders(await func(death) (syscall.WaitStatus, bool)) (count int, wrong string) {
	var taken, of []int
	for {
		at := 0
		k := &xnu{stalls: 4, interrupts: 2, errors: 2}
		k.choose = func(n int) int {
			if at == len(taken) {
				taken, of = append(taken, 0), append(of, n)
			}
			at++
			return taken[at-1]
		}
		count++
		if wrong = oneOrder(k, await); wrong != "" {
			return count, fmt.Sprintf("%s (choices %v)", wrong, taken)
		}
		for len(taken) > 0 && taken[len(taken)-1] == of[len(of)-1]-1 {
			taken, of = taken[:len(taken)-1], of[:len(of)-1]
		}
		if len(taken) == 0 {
			return count, ""
		}
		taken[len(taken)-1]++
	}
}

func oneOrder(k *xnu, await func(death) (syscall.WaitStatus, bool)) (wrong string) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(endless); !ok {
				panic(r)
			}
			wrong = "it never ends"
		}
	}()
	status, known := await(k.death())
	switch {
	case k.problem != "":
		return k.problem
	case k.at != gone:
		return "it was taken for ended and is not reaped: nobody will look again"
	case !known || status != modelStatus:
		return "its status is lost"
	}
	return ""
}

func TestInNoOrderOfNoticeZombieAndWaitIsADeathMissed(t *testing.T) {
	t.Parallel()
	count, wrong := orders(death.await)
	require.Empty(t, wrong)
	require.Greater(t, count, 5000, "the model has many orders")
	t.Log(count, "orders")
}

// Each of these was written by somebody, once.
func TestTheModelFindsWhatIsWrongWithOtherOrders(t *testing.T) {
	t.Parallel()
	for name, await := range map[string]func(death) (syscall.WaitStatus, bool){
		"a notice is a zombie, and one wait is enough": func(d death) (syscall.WaitStatus, bool) {
			for {
				if n := d.notice(); n.err != syscall.EINTR {
					break
				}
			}
			d.snapshot()
			_, status, _ := d.wait()
			return status, true
		},
		"any error of the registration is an end": func(d death) (syscall.WaitStatus, bool) {
			for {
				n := d.notice()
				if n.err == syscall.EINTR {
					continue
				}
				if n.err != nil || n.failed != 0 {
					return 0, false
				}
				break
			}
			d.notice = func() notice { return notice{exit: true} }
			return d.await()
		},
		"who cannot be found is no more": func(d death) (syscall.WaitStatus, bool) {
			d.noticed()
			for {
				if p, err := d.find(); err != nil || p.Zombie {
					break
				}
				d.pause(slowLook)
			}
			d.snapshot()
			_, status, _ := d.wait()
			return status, true
		},
		"the group first, the zombie later": func(d death) (syscall.WaitStatus, bool) {
			d.noticed()
			d.snapshot()
			d.snapshot = func() {}
			return d.await()
		},
		"the group after the wait": func(d death) (syscall.WaitStatus, bool) {
			take := d.snapshot
			d.snapshot = func() {}
			defer take()
			return d.await()
		},
		"an interrupted call is for ever registered": func(d death) (syscall.WaitStatus, bool) {
			call, interrupted := d.notice, false
			d.notice = func() notice {
				if interrupted { // without a change, on an empty queue
					for {
						d.pause(slowLook)
					}
				}
				n := call()
				interrupted = n.err == syscall.EINTR
				return n
			}
			return d.await()
		},
	} {
		_, wrong := orders(await)
		require.NotEmpty(t, wrong, name)
		t.Log(name, "→", wrong)
	}
}

func TestAChildThatIsLongOnItsWayOutIsWaitedForWithoutHaste(t *testing.T) {
	looks, snapshots, spent := 0, 0, time.Duration(0)
	d := death{
		notice:   func() notice { return notice{err: syscall.ESRCH} },
		find:     func() (proc.Process, error) { looks++; return proc.Process{PID: modelPID}, nil },
		snapshot: func() { snapshots++ },
		pause:    func(p time.Duration) { spent += p },
		wait: func() (int, syscall.WaitStatus, error) {
			if spent < time.Minute {
				return 0, 0, nil
			}
			return modelPID, modelStatus, nil
		},
	}
	status, known := d.await()
	require.True(t, known)
	require.Equal(t, modelStatus, status)
	require.Less(t, looks, 500, "a minute of an exit that the process table does not show")
	require.Less(t, snapshots, 300)
	require.Less(t, spent, time.Minute+time.Second)
}

func TestADeathIsSeenQuicklyAfterItsNotice(t *testing.T) {
	looks, spent := 0, time.Duration(0)
	d := death{
		notice:   func() notice { return notice{exit: true} },
		find:     func() (proc.Process, error) { looks++; return proc.Process{PID: modelPID, Zombie: looks > 3}, nil },
		snapshot: func() {},
		pause:    func(p time.Duration) { spent += p },
		wait:     func() (int, syscall.WaitStatus, error) { return modelPID, modelStatus, nil },
	}
	_, known := d.await()
	require.True(t, known)
	require.Less(t, spent, time.Millisecond)
}

func TestAChildThatSomebodyElseReapedHasEndedWithoutAStatus(t *testing.T) {
	d := death{
		notice:   func() notice { return notice{err: syscall.ESRCH} },
		find:     func() (proc.Process, error) { return proc.Process{}, proc.ErrGone },
		snapshot: func() {},
		pause:    func(time.Duration) {},
		wait:     func() (int, syscall.WaitStatus, error) { return -1, 0, syscall.ECHILD },
	}
	_, known := d.await()
	require.False(t, known)
}

func TestALeaderWhoseStatusIsLostIsToldOfOnce(t *testing.T) {
	told := 0
	r := newReaper(func(pid int, _ syscall.WaitStatus, known bool) {
		require.Equal(t, modelPID, pid)
		require.False(t, known)
		told++
	})
	r.leader = modelPID
	r.lost(modelPID + 1)
	r.lost(modelPID)
	r.lost(modelPID)
	require.Equal(t, 1, told)
}

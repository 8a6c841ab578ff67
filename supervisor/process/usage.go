// Package process is what the operating system knows of a live process tree: CPU, memory, children, environment, mapped libraries, open
// files, named semaphores. Begin with Measure. Everything here is a question to the system; nothing is ended or started, and nothing
// here knows a backend or a supervisor. Clean alone changes something: it removes what dead processes left in shared memory.
package process

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/python"
)

// Usage is what a run's process tree uses.
type Usage struct {
	CPU    float64       // share of one core over the last interval: 1 is one core
	Total  time.Duration // CPU time of the tree so far
	Memory uint64        // bytes that the tree uses, for a person; see memory.Figure
	Held   uint64        // the part of them that the system cannot drop
	RSS    uint64        // bytes resident; what forked workers share counts for each of them
	Procs  int           // processes in the tree
}

// Used is the memory that is shown to a person, also of a program that tells of nothing but what is resident.
func (u Usage) Used() uint64 {
	if u.Memory == 0 {
		return u.RSS
	}
	return u.Memory
}

// member is a process of a run's tree.
type member struct {
	proc.Process
	cpu   time.Duration // so far, with that of children it has waited for
	depth int           // 0: the leader, 1: its children

	threads int // at the look; 0 if it is not known
}

// few processes' memory is read at every look: one short call for each, and a history of it that shows how the end came about.
const few = 4

// Measure measures the tree below the process with that PID, and gives its children. prev is the measure before, elapsed ago; the
// zero Usage if there is none. The CPU time is always the whole tree's, so that a run which works in its workers is never taken for a
// hung one; the memory of more than a few processes is read only if whole, else it stays as it was. The meter is the run's own.
func Measure(pid int, prev Usage, elapsed time.Duration, whole bool, meter *memory.Meter) (Usage, []Child, error) {
	tree, err := family(pid)
	if err != nil {
		return prev, nil, fmt.Errorf("measuring process %d: %w", pid, err)
	}
	u := Usage{Memory: prev.Memory, Held: prev.Held, RSS: prev.RSS}
	var living []int
	for _, m := range tree {
		if m.Zombie {
			continue
		}
		living = append(living, m.PID)
		u.Total += m.cpu
	}
	u.Procs = len(living)
	u.CPU = cpuShare(prev, u.Total, elapsed)
	if whole || len(tree) <= few {
		f := meter.Read(living, func() bool { return copies(living) })
		u.Memory, u.Held, u.RSS = f.Used, f.Held, f.RSS
	}
	return u, childrenOf(tree), nil
}

// copies says whether two of the processes run one program: a fork shares its parent's memory.
func copies(pids []int) bool {
	seen := map[string]bool{}
	for _, pid := range pids {
		if path := executable(pid); path != "" && path != "." {
			if seen[path] {
				return true
			}
			seen[path] = true
		}
	}
	return false
}

// cpuShare is the share of one core used since prev. A process that ended unwaited takes its time with it: that is no negative use.
func cpuShare(prev Usage, total, elapsed time.Duration) float64 {
	switch {
	case prev.Procs == 0: // nothing to compare with
		return 0
	case elapsed <= 0:
		return prev.CPU
	}
	return max(0, float64(total-prev.Total)/float64(elapsed))
}

// Tree are the PIDs of the process and its descendants, from the top; nil if it has ended.
func Tree(pid int) []int {
	tree, err := family(pid)
	if err != nil {
		return nil
	}
	pids := make([]int, len(tree))
	for i, m := range tree {
		pids[i] = m.PID
	}
	return pids
}

// Python is a living process below another, or that one itself, that runs Python.
type Python struct {
	PID   int
	Stamp string
	Name  string
	// Above are the Pythons above it in the tree, the nearest first.
	Above []int
}

// Pythons are the process with that PID and its descendants, as far as they run Python and are no tracker of multiprocessing's, from the top.
func Pythons(pid int) []Python {
	tree, err := family(pid)
	if err != nil {
		return nil
	}
	var all []Python
	above := map[int][]int{} // by PID, with itself
	for _, m := range tree {
		over := above[m.PPID]
		above[m.PID] = over
		if m.Zombie || !python.IsProgram(executable(m.PID)) {
			continue
		}
		above[m.PID] = append([]int{m.PID}, over...)
		if !proc.IsTracker(m.PID) {
			all = append(all, Python{PID: m.PID, Stamp: m.Stamp, Name: m.Name, Above: over})
		}
	}
	return all
}

var errUnstable = errors.New("the process table changes faster than it can be read")

// childrenOf are the leader's living children, in the order of their PIDs.
func childrenOf(tree []member) []Child {
	if len(tree) < 2 {
		return nil
	}
	var children []Child
	leaderArgs, _ := proc.Args(tree[0].PID)
	for _, m := range tree[1:] {
		if m.depth != 1 || m.Zombie {
			continue
		}
		c := Child{PID: m.PID, Stamp: m.Stamp, Name: m.Name}
		if args, err := proc.Args(m.PID); err == nil && python.IsProgram(executable(m.PID)) {
			c.Interpreter = isWorker(args, leaderArgs, func() bool { return age(m.PID) > settled })
		}
		children = append(children, c)
	}
	slices.SortFunc(children, func(a, b Child) int { return a.PID - b.PID })
	return children
}

// treeOf finds the descendants of pid in a process table.
func treeOf(pid int, all []proc.Process) []member {
	below := map[int][]proc.Process{}
	var tree []member
	for _, p := range all {
		below[p.PPID] = append(below[p.PPID], p)
		if p.PID == pid {
			tree = []member{{Process: p}}
		}
	}
	for i := 0; i < len(tree) && len(tree) <= len(all); i++ {
		for _, p := range below[tree[i].PID] {
			tree = append(tree, member{Process: p, depth: tree[i].depth + 1})
		}
	}
	return tree
}

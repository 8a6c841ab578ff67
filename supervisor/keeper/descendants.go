package keeper

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// descendants is everybody who belongs to a run: found by descent, by process group, and by RunVariable in the environment. Each is
// proven once and then kept as PID and Stamp, because a process loses its descent when its parent dies.
type descendants struct {
	run    string         // the Run ID they carry, "" for processes that were started by hand
	roots  []proc.Process // proven by whoever asks; the topmost of them are the leaders
	parent int            // a PID all of whose descendants belong, the keeper itself; 0 for none

	// A keeper knows more than the process table: these are nil without one.
	nobody func() bool          // certain, in one system call, that nobody is left
	group  func(syscall.Signal) // signals the leader's group by number, if the leader is unreaped

	known map[int]proc.Process
}

// know takes processes for proven.
func (k *descendants) know(ps []proc.Process) {
	k.known = make(map[int]proc.Process)
	for _, p := range ps {
		k.known[p.PID] = p
	}
}

// look walks the process table and returns who is alive, Python's resource trackers apart.
func (k *descendants) look() (others, trackers []proc.Process, err error) {
	if k.nobody != nil && k.nobody() {
		k.known = nil
		return nil, nil, nil
	}
	all, err := proc.Processes()
	if err != nil {
		return nil, nil, err
	}
	k.known = k.prove(all)
	for _, p := range k.known {
		if proc.IsTracker(p.PID) {
			trackers = append(trackers, p)
		} else {
			others = append(others, p)
		}
	}
	return others, trackers, nil
}

// prove returns those of all who belong to the run and live.
func (k *descendants) prove(all []proc.Process) map[int]proc.Process {
	group := k.liveGroup(all)
	mine := make(map[int]proc.Process)
	self, uid := os.Getpid(), os.Getuid()
	var rest []proc.Process
	for _, p := range all {
		switch {
		case p.PID <= 1 || p.PID == self || p.Zombie:
		case p.Stamp != "" && k.known[p.PID].Stamp == p.Stamp, k.isRoot(p), k.parent != 0 && p.PPID == k.parent, group != 0 && p.Group == group:
			mine[p.PID] = p
		case k.run != "" && p.UID == uid && proc.RunOf(p.PID) == k.run:
			mine[p.PID] = p
		default:
			rest = append(rest, p)
		}
	}
	for grown := true; grown; { // descendants, until a round finds no more
		grown = false
		rest = slices.DeleteFunc(rest, func(p proc.Process) bool {
			if _, ok := mine[p.PPID]; !ok {
				return false
			}
			mine[p.PID], grown = p, true
			return true
		})
	}
	return mine
}

// liveGroup is the process group of the run, if its leader is still in the table: only then is the number surely its own.
// It holds for runs alone, whose leader a keeper made the leader of its group; what was started by hand shares the group of
// a shell.
func (k *descendants) liveGroup(all []proc.Process) int {
	if k.run == "" {
		return 0
	}
	for _, p := range all {
		if p.PID == p.Group && k.isRoot(p) {
			return p.Group
		}
	}
	return 0
}

func (k *descendants) isRoot(p proc.Process) bool {
	return slices.ContainsFunc(k.roots, func(r proc.Process) bool { return r.PID == p.PID && r.Stamp == p.Stamp })
}

// leaders are the roots that no other root is an ancestor of.
func (k *descendants) leaders() []proc.Process {
	all, err := proc.Processes()
	if err != nil || len(k.roots) < 2 {
		return k.roots
	}
	parents := make(map[int]int, len(all))
	for _, p := range all {
		parents[p.PID] = p.PPID
	}
	below := func(p proc.Process) bool {
		for pid, steps := parents[p.PID], 0; pid > 1 && steps < len(all); pid, steps = parents[pid], steps+1 {
			if slices.ContainsFunc(k.roots, func(r proc.Process) bool { return r.PID == pid }) {
				return true
			}
		}
		return false
	}
	return slices.DeleteFunc(slices.Clone(k.roots), below)
}

// describe names processes for an error.
func describe(ps []proc.Process) string {
	var names []string
	for _, p := range ps {
		names = append(names, fmt.Sprintf("%s (PID %d)", p.Name, p.PID))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// Package memory is what the system knows of memory: what a tree of processes holds, how much there is for it, how short of it the system
// is, and which other programs hold the most. Begin with Meter, Machine, Now and Largest. Everything here is a question to the system or
// the reading of its answer; it must not know a backend, nor what is decided on account of a figure.
package memory

import (
	"fmt"
	"time"
)

// Figure is the memory of a process or of a tree of them, in bytes.
//
// On a Mac Used and Held are the footprint that Activity Monitor shows: it has what Metal holds and what was compressed, of which RSS knows
// nothing. On Linux Used is what is resident or in swap, and Held is the part of it that the kernel cannot drop: a model that is mapped from
// its file is page cache and no reason to run short.
type Figure struct {
	RSS  uint64 // resident; what several processes share counts for each of them
	Used uint64
	Held uint64
}

func (f Figure) plus(g Figure) Figure { return Figure{f.RSS + g.RSS, f.Used + g.Used, f.Held + g.Held} }

const (
	fairEvery = time.Minute           // between two looks at what processes share
	fairMost  = 10 * time.Millisecond // after a look that took longer there is no other in the same run
)

// System is what a Meter asks.
type System struct {
	Of func(pid int) (Figure, bool) // false: it has ended, or is not ours
	// Fair is Of with everything shared divided among those who share it, which costs milliseconds for each gigabyte. Nil where Of is fair.
	Fair func(pid int) (Figure, bool)
	Now  func() time.Time
}

// Meter reads the memory of one run's tree, again and again. It is for one goroutine at a time. The zero Meter asks the real system.
type Meter struct {
	System System

	count  int  // of processes at the last reading
	forked bool // some of them are copies of one program, which may share memory
	fairAt time.Time
	slow   bool
	known  int    // the number of processes of which the two below are known
	shared Figure // what those count too much together
}

// Read gives the memory of the processes together. forked says whether there are copies of one program among them; it is asked only when
// their number changed.
//
// What forked workers share is looked at once a minute, and taken off between the looks. Until the first look nobody knows how much of
// Held is counted twice: it is then what the largest process holds.
func (m *Meter) Read(pids []int, forked func() bool) Figure {
	if m.System.Of == nil {
		m.System = realSystem()
	}
	var sum, largest Figure
	for _, pid := range pids {
		f, ok := m.System.Of(pid)
		if !ok {
			continue
		}
		sum = sum.plus(f)
		if f.Held >= largest.Held {
			largest = f
		}
	}
	if len(pids) != m.count {
		m.count, m.forked = len(pids), len(pids) > 1 && m.System.Fair != nil && forked()
	}
	if !m.forked {
		return sum
	}
	if now := m.System.Now(); !m.slow && (m.fairAt.IsZero() || now.Sub(m.fairAt) >= fairEvery) {
		m.lookAtShares(pids, now)
	}
	return m.fair(sum, largest, len(pids))
}

// lookAtShares finds out what the processes count too much together. A look that takes too long is broken off; the workers that it did not
// get to are taken to be like those that it did.
func (m *Meter) lookAtShares(pids []int, now time.Time) {
	m.fairAt = now
	read, shared := 0, Figure{}
	for _, pid := range pids {
		all, ok := m.System.Of(pid)
		fair, fairOK := m.System.Fair(pid)
		if ok && fairOK {
			read++
			shared = shared.plus(Figure{less(all.RSS, fair.RSS), less(all.Used, fair.Used), less(all.Held, fair.Held)})
		}
		if m.slow = m.System.Now().Sub(now) > fairMost; m.slow {
			break
		}
	}
	if read > 0 {
		m.known, m.shared = len(pids), scaled(shared, len(pids), read)
	}
}

// fair takes off what is counted too much.
func (m *Meter) fair(sum, largest Figure, count int) Figure {
	off := m.shared
	if count != m.known && m.known > 1 {
		off = scaled(off, count-1, m.known-1)
	}
	f := Figure{RSS: sum.RSS, Used: max(less(sum.Used, off.Used), largest.Used), Held: max(less(sum.Held, off.Held), largest.Held)}
	if m.known == 0 || count > m.known && !m.slow {
		f.Held = largest.Held
	}
	return f
}

func less(a, b uint64) uint64 {
	if b >= a {
		return 0
	}
	return a - b
}

func scaled(f Figure, by, of int) Figure {
	share := float64(by) / float64(of)
	return Figure{uint64(float64(f.RSS) * share), uint64(float64(f.Used) * share), uint64(float64(f.Held) * share)}
}

// Size is a number of bytes for a person, in decimal units as the rest of the app has them.
func Size(n uint64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

package stall

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// want is a lock that a thread waits for, and what it holds meanwhile, all by the text of the person's lines: Python does not tell who holds
// a lock.
type want struct {
	v     *view
	frame Frame
	lock  string // identity, see lockID
	text  string // as it is written
	holds map[string]Frame
}

// wants are the threads that stand still at a lock.
func (s *scene) wants() []want {
	var all []want
	for _, v := range s.views {
		f, ok := s.nearest(v)
		if !ok || !v.still || s.own(v.frames) != s.atLock(v) {
			continue
		}
		text := s.text(f)
		m := withLock.FindStringSubmatch(text)
		if m == nil {
			m = acquired.FindStringSubmatch(text)
		}
		if m == nil {
			continue
		}
		all = append(all, want{v: v, frame: f, lock: lockID(f, m[1]), text: m[1], holds: s.holds(v)})
	}
	return all
}

// atLock is the place of the frame that waits for a lock: the innermost, or the one below threading's own frames.
func (s *scene) atLock(v *view) int {
	for i, f := range v.frames {
		if m := module(f.File); m != "threading.py" && m != "multiprocessing/synchronize.py" {
			return i
		}
	}
	return -1
}

// holds are the locks of the with statements around the lines at which a thread is, and of acquire calls before them.
func (s *scene) holds(v *view) map[string]Frame {
	held := map[string]Frame{}
	for i, f := range v.frames {
		if i > 50 || s.foreign(f.File) {
			continue
		}
		lines := s.Source(f.File)
		if f.Line < 1 || f.Line > len(lines) {
			continue
		}
		gone := map[string]bool{}
		depth := indent(lines[f.Line-1])
		for n := f.Line - 2; n >= 0 && depth > 0; n-- {
			line := lines[n]
			if clean(line) == "" { // empty, or a comment, which may be indented as it likes
				continue
			}
			text, in := clean(line), indent(line)
			if in <= depth && in > 0 || in < depth {
				for _, m := range released.FindAllStringSubmatch(text, 5) {
					gone[m[1]] = true
				}
				if m := acquired.FindStringSubmatch(text); m != nil && !gone[m[1]] && !strings.Contains(text, "blocking=False") {
					held[lockID(f, m[1])] = Frame{File: f.File, Line: n + 1, Function: f.Function}
				}
			}
			if in < depth {
				depth = in
				if m := withLock.FindStringSubmatch(text); m != nil {
					held[lockID(f, m[1])] = Frame{File: f.File, Line: n + 1, Function: f.Function}
				}
				if strings.HasPrefix(text, "def ") || strings.HasPrefix(text, "async def ") {
					break
				}
			}
		}
	}
	return held
}

func indent(line string) int {
	return len(line) - len(strings.TrimLeft(line, " \t"))
}

// lockID tells locks apart: an attribute of self belongs to its class, any other name to its module.
func lockID(f Frame, text string) string {
	first, rest, dotted := strings.Cut(text, ".")
	switch {
	case dotted && (first == "self" || first == "cls"):
		class := ""
		if i := strings.LastIndexByte(bare(f.Function), '.'); i >= 0 {
			class = bare(f.Function)[:i]
		}
		return f.File + ":" + class + "." + rest
	case dotted && rest != "":
		return first + "." + rest // locks.a, from wherever
	}
	return f.File + ":" + text
}

// deadlocked: threads that stand still, each at a lock that the next one holds. A lock that a thread takes twice is one, too.
func deadlocked(s *scene) (Stall, bool) {
	wants := s.wants()
	for i := range wants {
		ring := follow(wants, i)
		if ring == nil {
			continue
		}
		first := ring[0]
		st := at(first.frame)
		st.Kind = KindDeadlock
		if len(ring) == 1 {
			if strings.Contains(strings.ToLower(first.text), "rlock") {
				continue // it may be taken twice
			}
			held := first.holds[first.lock]
			st.Summary = fmt.Sprintf("a thread waits for a lock that it holds itself: %s at %s, taken at line %d", first.text, s.where(first.frame), held.Line)
			st.Remedy = "Take the lock once, or make it a threading.RLock(), which its holder may take again."
			return st, true
		}
		second := ring[1]
		st.Summary = fmt.Sprintf("%d threads wait for each other's locks: %s for %s, %s for %s",
			len(ring), s.where(first.frame), first.text, s.where(second.frame), second.text)
		st.Remedy = "Take the locks in the same order everywhere, or use one lock for both. Until then only a restart helps."
		return st, true
	}
	return Stall{}, false
}

// follow goes from a thread to whoever holds its lock until it is back at the first, and gives the ring.
func follow(wants []want, from int) []want {
	ring, at := []want{wants[from]}, from
	for range wants {
		lock := wants[at].lock
		if _, ok := wants[from].holds[lock]; ok {
			return ring
		}
		next := slices.IndexFunc(wants, func(w want) bool {
			_, ok := w.holds[lock]
			return ok && !slices.ContainsFunc(ring, func(r want) bool { return r.v == w.v })
		})
		if next < 0 {
			return nil
		}
		ring, at = append(ring, wants[next]), next
	}
	return nil
}

// holder is the thread that holds a lock for which another one waits, and where it is.
func (s *scene) holder(v *view) string {
	f, ok := s.nearest(v)
	if !ok {
		return ""
	}
	m := withLock.FindStringSubmatch(s.text(f))
	if m == nil {
		if m = acquired.FindStringSubmatch(s.text(f)); m == nil {
			return ""
		}
	}
	id := lockID(f, m[1])
	for _, other := range s.views {
		if other == v {
			continue
		}
		if _, ok := s.holds(other)[id]; ok {
			if where, ok := s.nearest(other); ok && (where.Line != f.Line || path.Base(where.File) != path.Base(f.File)) {
				return s.where(where)
			}
		}
	}
	return ""
}

package stall

import (
	"fmt"
	"path"
	"regexp"
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

// ofObject: the lock belongs to an object of a class, of which there may be many.
func (w want) ofObject() bool { return strings.HasPrefix(w.text, "self.") }

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
			if s.reentrant(first) {
				continue
			}
			held := first.holds[first.lock]
			if first.ofObject() && !s.sameObject(first.v, first.frame, held) {
				continue
			}
			st.Summary = fmt.Sprintf("a thread waits for a lock that it holds itself: %s at %s, taken at line %d", first.text, s.where(first.frame), held.Line)
			st.Remedy = "Take the lock once, or make it a threading.RLock(), which its holder may take again."
			return st, true
		}
		second := ring[1]
		st.Summary = fmt.Sprintf("%d threads wait for each other's locks: %s for %s, %s for %s",
			len(ring), s.where(first.frame), first.text, s.where(second.frame), second.text)
		if slices.ContainsFunc(ring, func(w want) bool { return w.ofObject() && !s.oneObject(w) }) {
			st.Summary += ", if they belong to one object"
		}
		st.Remedy = "Take the locks in the same order everywhere, or use one lock for both. Until then only a restart helps."
		return st, true
	}
	for _, v := range s.views {
		if f, ok := s.collected(v); ok {
			st := at(f)
			st.Kind, st.Summary = KindDeadlock, "a thread waits for a queue in which it is already: "+bare(f.Function)+" was called in the midst of it, "+s.where(f)
			st.Remedy = "Python may call __del__ and finalizers at any line, also while the thread holds the queue's lock. Use queue.SimpleQueue there, which allows for it, or no queue at all."
			return st, true
		}
	}
	if w, ok := s.crossed(wants); ok {
		st := at(w.frame)
		st.Kind = KindDeadlock
		st.Summary = fmt.Sprintf("2 threads seem to wait for each other's locks: each holds that of one object and waits for that of another, %s at %s", w.text, s.where(w.frame))
		st.Remedy = "Take the locks of two objects in one order, by `id()` or by a key, whichever of them comes first in the call. Until then only a restart helps."
		return st, true
	}
	return Stall{}, false
}

// collected: Python's collector called a finalizer of the person's while the thread was inside a queue, and the finalizer uses a queue, too.
func (s *scene) collected(v *view) (Frame, bool) {
	own := s.own(v.frames)
	if own < 1 || !v.still || module(v.frames[own-1].File) != "queue.py" || s.atLock(v) != own-1 {
		return Frame{}, false
	}
	for i := own; i+1 < len(v.frames) && i < own+20; i++ {
		if last(v.frames[i].Function) == "__del__" || module(v.frames[i].File) == "weakref.py" {
			outside := v.frames[i+1 : min(len(v.frames), i+5)] // a subclass of the queue may have frames of its own between
			return v.frames[own], slices.ContainsFunc(outside, func(f Frame) bool { return module(f.File) == "queue.py" })
		}
	}
	return Frame{}, false
}

// crossed: two threads hold the lock of one object and wait for that of another one, by another name for the object and the same for the lock,
// and nobody else holds such a lock.
func (s *scene) crossed(wants []want) (want, bool) {
	attribute := func(text string) (object, lock string) {
		object, lock, _ = strings.Cut(text, ".")
		return object, lock
	}
	for i, a := range wants {
		object, lock := attribute(a.text)
		if lock == "" || object == "self" || object == "cls" || !s.parameter(a.frame, object) {
			continue
		}
		holds := func(held map[string]Frame) bool {
			for id := range held {
				if strings.HasSuffix(id, "."+lock) && id != a.lock {
					return true
				}
			}
			return false
		}
		if !holds(a.holds) || !slices.ContainsFunc(wants[i+1:], func(b want) bool { return b.frame == a.frame && b.text == a.text && holds(b.holds) }) {
			continue
		}
		return a, !slices.ContainsFunc(s.views, func(v *view) bool {
			return !slices.ContainsFunc(wants, func(w want) bool { return w.v == v }) && holds(s.holds(v))
		})
	}
	return want{}, false
}

// parameter: the function of a frame is called with an object of that name, which may be another one in each call.
func (s *scene) parameter(f Frame, name string) bool {
	lines := s.Source(f.File)
	for n := min(f.Line, len(lines)); n > 0; n-- {
		if text := clean(lines[n-1]); strings.HasPrefix(text, "def "+last(f.Function)+"(") {
			_, parameters, _ := strings.Cut(text, "(")
			return slices.Contains(identifiers.FindAllString(parameters, -1), name)
		}
	}
	return false
}

var identifiers = regexp.MustCompile(`\w+`)

// reentrant: the lock may be taken twice, by its name or by the line that makes it.
func (s *scene) reentrant(w want) bool {
	name := last(w.text)
	return strings.Contains(strings.ToLower(w.text), "rlock") || slices.ContainsFunc(s.Source(w.frame.File), func(line string) bool {
		target, value, ok := strings.Cut(clean(line), "=")
		target, _, _ = strings.Cut(target, ":")
		return ok && last(strings.TrimSpace(target)) == name && reentrantLocks.MatchString(value)
	})
}

var reentrantLocks = regexp.MustCompile(`\bRLock\b|^\s*(?:\w+\.)*Condition\(`)

// sameObject: the way from where a thread took its object's lock to where it waits for such a lock leads through methods of that object alone, as
// far as the lines tell. Nodes of a tree are of one class, and each has a lock of its own.
func (s *scene) sameObject(v *view, waits, held Frame) bool {
	from := slices.IndexFunc(v.frames, func(f Frame) bool { return f == waits })
	to := -1
	for i, f := range v.frames { // the outermost frame of the function that took it
		if f.File == held.File && f.Function == held.Function && f.Line >= held.Line {
			to = i
		}
	}
	for at := to; at > from; {
		next := -1
		for _, m := range ownCall.FindAllStringSubmatch(s.text(v.frames[at]), 10) {
			for i := at - 1; i >= from && next < 0; i-- {
				if last(v.frames[i].Function) == m[1] {
					next = i
				}
			}
		}
		if next < 0 {
			return false
		}
		at = next
	}
	return from >= 0 && to >= from
}

var ownCall = regexp.MustCompile(`(?:^|[^\w.])(?:self|cls|super\(\))\.(\w+)\(`)

// oneObject: the module makes one object of the class, at its top level, and no other place that can be seen makes one.
func (s *scene) oneObject(w want) bool {
	class, _, known := strings.Cut(bare(w.frame.Function), ".")
	if !known {
		return false
	}
	made, top := 0, 0
	for _, line := range s.Source(w.frame.File) {
		if text := clean(line); !strings.HasPrefix(text, "class ") && slices.ContainsFunc(call.FindAllStringSubmatch(text, 20), func(m []string) bool { return last(m[1]) == class }) {
			if made++; indent(line) == 0 {
				top++
			}
		}
	}
	return made == 1 && top == 1
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

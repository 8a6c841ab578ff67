package logfile

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// matcher tells whether a line matches a pattern, byte by byte and without going back: a deterministic automaton whose states are made when
// they are first reached. Package regexp does the same with ten times the work, because it also finds where the match is. It is for one
// goroutine.
type matcher struct {
	prog   *syntax.Prog
	states map[string]*state
	first  *state
	seen   []bool // of instructions, while a state is made
	room   int    // states that may still be made
}

// state is what may have matched so far: instructions that wait for the next character.
type state struct {
	waits []uint32
	last  rune // a character of the same kind as the last one: -1 none, 'a' of a word, ' ' another
	next  [utf8.RuneSelf + 1]*state
	other map[rune]*state
	ends  *state // at the end of the line
}

// matched and the last entry of state.next have no successors.
var matched = &state{}

const maxStates = 2000

func newMatcher(prog *syntax.Prog) *matcher {
	m := &matcher{prog: prog, seen: make([]bool, len(prog.Inst))}
	m.forget()
	return m
}

func (m *matcher) forget() {
	m.states, m.room = map[string]*state{}, maxStates
	m.first = m.state(nil, -1)
}

func (m *matcher) state(waits []uint32, last rune) *state {
	key := make([]byte, 0, 4*len(waits)+1)
	key = append(key, byte(last))
	for _, pc := range waits {
		key = binary.LittleEndian.AppendUint32(key, pc)
	}
	if s := m.states[string(key)]; s != nil {
		return s
	}
	s := &state{waits: waits, last: last}
	m.states[string(key)] = s
	m.room--
	return s
}

// matches reports whether something in the line matches.
func (m *matcher) matches(text []byte) bool {
	if m.room <= 0 {
		m.forget()
	}
	s := m.first
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			next := s.next[c]
			if next == nil {
				next = m.step(s, rune(c))
				s.next[c] = next
			}
			s = next
			i++
		} else {
			r, n := utf8.DecodeRune(text[i:])
			s = m.stepOther(s, r)
			i += n
		}
		if s == matched {
			return true
		}
	}
	if s.ends == nil {
		s.ends = m.step(s, -1)
	}
	return s.ends == matched
}

func (m *matcher) stepOther(s *state, r rune) *state {
	if next := s.other[r]; next != nil {
		return next
	}
	next := m.step(s, r)
	if s.other == nil {
		s.other = map[rune]*state{}
	}
	if len(s.other) < 256 {
		s.other[r] = next
	}
	return next
}

// step makes the state after a character; -1 is the end.
func (m *matcher) step(s *state, r rune) *state {
	clear(m.seen)
	context := syntax.EmptyOpContext(s.last, r)
	var waits []uint32
	stack := slices.Clone(s.waits)
	stack = append(stack, uint32(m.prog.Start)) // a match may begin here, too
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if m.seen[pc] {
			continue
		}
		m.seen[pc] = true
		in := &m.prog.Inst[pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^context == 0 {
				stack = append(stack, in.Out)
			}
		case syntax.InstMatch:
			return matched
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if r >= 0 && in.MatchRune(r) {
				waits = append(waits, in.Out)
			}
		}
	}
	slices.Sort(waits)
	last := ' '
	if syntax.IsWordChar(r) {
		last = 'a'
	}
	return m.state(slices.Compact(waits), last)
}

package terminal

import (
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Safe writes text on a terminal of which only its letters, its lines and its colours arrive: a log, a name or an error may hold sequences
// that write into the clipboard, change the title or let one line stand for another. It takes pieces as they come; a sequence or a letter
// that is not complete waits for the next piece.
type Safe struct {
	Out  io.Writer
	mu   sync.Mutex
	rest []byte // of the last piece
	skip bool   // in a string that only its terminator ends
}

// maxSequence is the longest colour that is waited for.
const maxSequence = 64

// Write never writes more than p says, and counts all of it.
func (s *Safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := append(s.rest, p...)
	out := make([]byte, 0, len(in)+1)
	for len(in) > 0 {
		n, text := s.next(in)
		if n == 0 {
			break
		}
		out = append(out, text...)
		in = in[n:]
	}
	s.rest = append([]byte(nil), in...)
	if len(out) > 0 {
		if _, err := s.Out.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// next takes the first letter or sequence of b, and gives what is to be seen of it. n is 0 if it is not complete.
func (s *Safe) next(b []byte) (n int, text []byte) {
	r, size := utf8.DecodeRune(b)
	switch {
	case r == utf8.RuneError && size == 1 && !utf8.FullRune(b):
		return 0, nil
	case s.skip:
		return s.inString(b, r, size)
	case r == '\n' || r == '\t':
		return size, b[:size]
	case r == '\r': // what is written over a line hides it
		if len(b) == 1 {
			return 0, nil
		}
		if b[1] == '\n' {
			return 2, b[1:2]
		}
		return 1, []byte{'\n'}
	case r == '\x1b':
		return s.escape(b)
	case r == 0x9b: // the one-letter form of ESC [
		return sequence(b, size, false)
	case r == 0x90 || r == 0x98 || r == 0x9d || r == 0x9e || r == 0x9f: // of the strings
		s.skip = true
		return size, nil
	case r == utf8.RuneError && size == 1:
		return 1, []byte("?")
	case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
		return size, nil
	}
	return size, b[:size]
}

// inString drops a string of OSC, DCS and their like up to its terminator: BEL, ST, or the end of the line, since a terminal that is never told
// the end would swallow all that follows.
func (s *Safe) inString(b []byte, r rune, size int) (int, []byte) {
	switch r {
	case '\a', 0x9c:
		s.skip = false
	case '\n':
		s.skip = false
		return size, b[:size]
	case '\x1b':
		if len(b) == 1 {
			return 0, nil
		}
		if s.skip = b[1] != '\\'; !s.skip {
			return 2, nil
		}
	}
	return size, nil
}

// escape is what begins with ESC.
func (s *Safe) escape(b []byte) (int, []byte) {
	if len(b) == 1 {
		return 0, nil
	}
	switch b[1] {
	case '[':
		return sequence(b, 2, true)
	case ']', 'P', 'X', '^', '_':
		s.skip = true
		return 2, nil
	}
	i := 1
	for i < len(b) && b[i] >= 0x20 && b[i] <= 0x2f && i < maxSequence { // intermediates, as in ESC ( B
		i++
	}
	if i == len(b) {
		return 0, nil
	}
	if b[i] >= 0x30 && b[i] <= 0x7e {
		return i + 1, nil
	}
	return i, nil
}

// sequence is a CSI sequence whose parameters begin at from. Only a colour, which ends in m, is let through.
func sequence(b []byte, from int, passes bool) (int, []byte) {
	for i := from; i < len(b); i++ {
		switch c := b[i]; {
		case i-from > maxSequence:
			return i, nil
		case c >= '0' && c <= '9' || c == ';' || c == ':':
		case c == 'm' && passes:
			return i + 1, b[:i+1]
		case c >= 0x20 && c <= 0x3f: // other parameters and intermediates: no colour
			passes = false
		case c >= 0x40 && c <= 0x7e:
			return i + 1, nil
		default:
			return i, nil
		}
	}
	return 0, nil
}

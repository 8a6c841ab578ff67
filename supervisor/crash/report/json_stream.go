package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// jsonStream goes through JSON without taking it apart: what nobody wants is skipped, byte by byte, and only a value that is wanted is kept and
// decoded. encoding/json looks at each byte several times, which a report of megabytes with little in it that counts is not worth.
type jsonStream struct {
	r    *bufio.Reader
	kept []byte // the last value that was kept: one buffer for all
}

const maxValue = 1 << 20 // bytes of one value that is kept; a thread with all its frames has 100 KB

// next is the next byte that is no white space.
func (s *jsonStream) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, lenient(err)
		}
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, nil
		}
	}
}

// object reads an object. value is called for each key, and has to read that key's value.
func (s *jsonStream) object(value func(key string) error) error {
	return s.members('{', '}', func(int) error {
		var key string
		if err := s.into(&key, true); err != nil {
			return err
		}
		if c, err := s.next(); err != nil || c != ':' {
			return malformed(err, "no value after %q", key)
		}
		return value(key)
	})
}

// list reads a list. element is called for each, and has to read it. A value that is no list is skipped.
func (s *jsonStream) list(element func(i int) error) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	_ = s.r.UnreadByte()
	if c != '[' {
		_, err := s.value(false)
		return err
	}
	return s.members('[', ']', element)
}

// members reads what stands between two brackets.
func (s *jsonStream) members(open, end byte, member func(i int) error) error {
	if c, err := s.next(); err != nil || c != open {
		return malformed(err, "%q where a %q is expected", c, open)
	}
	for i := 0; ; {
		switch c, err := s.next(); {
		case err != nil:
			return err
		case c == end:
			return nil
		case c == ',':
		default:
			_ = s.r.UnreadByte()
			if err := member(i); err != nil {
				return err
			}
			i++
		}
	}
}

// into decodes the next value, or skips it.
func (s *jsonStream) into(to any, wanted bool) error {
	raw, err := s.value(wanted)
	if err != nil || !wanted || raw == nil {
		return err
	}
	return lenient(json.Unmarshal(raw, to))
}

// value is the next value as it stands, valid until the next one; nil if it is not to be kept, or longer than what is kept.
func (s *jsonStream) value(keep bool) (raw []byte, err error) {
	c, err := s.next()
	if err != nil {
		return nil, err
	}
	scalar := c != '{' && c != '[' && c != '"'
	depth, quoted, escaped := 0, false, false
	s.kept = s.kept[:0]
	for {
		if keep {
			s.kept = append(s.kept, c)
			keep = len(s.kept) <= maxValue
		}
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth < 0 {
			return nil, malformed(nil, "%q where a value is expected", c)
		}
		if depth == 0 && !quoted && !scalar {
			return s.result(keep), nil
		}
		if c, err = s.r.ReadByte(); err != nil {
			return nil, lenient(err)
		}
		if scalar && (c == ',' || c == '}' || c == ']' || c == ':' || c <= ' ') {
			return s.result(keep), s.r.UnreadByte()
		}
	}
}

func (s *jsonStream) result(keep bool) []byte {
	if !keep {
		return nil
	}
	return s.kept
}

// malformed is the error, or what is wrong with the JSON.
func malformed(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: "+format, append([]any{ErrNoReport}, args...)...)
}

// lenient: a key of another type than today's is as good as none, and a file that ends too early may only be half-written.
func lenient(err error) error {
	var odd *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil || errors.As(err, &odd):
		return nil
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: %w", ErrNoReport, err)
	}
	return err
}

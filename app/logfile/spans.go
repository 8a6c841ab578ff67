package logfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Span is a piece of a line that looks the same throughout. Its class is one or more words for a style sheet: "b d i u v s" for bold, dim,
// italic, underlined, inverse and struck, "f0" to "f15" and "g0" to "g15" for the sixteen colours of text and ground, "m" for what a
// search found, "c" for a character that cannot be seen, written as its name.
type Span struct{ Text, Class string }

// style is what a terminal would have switched on.
type style struct {
	flags  [6]bool
	fg, bg int // -1: none
}

const flagNames = "bdiuvs"

func (s style) class() string {
	if s.flags == [6]bool{} && s.fg < 0 && s.bg < 0 {
		return ""
	}
	var words []string
	for i, on := range s.flags {
		if on {
			words = append(words, flagNames[i:i+1])
		}
	}
	if s.fg >= 0 {
		words = append(words, "f"+strconv.Itoa(s.fg))
	}
	if s.bg >= 0 {
		words = append(words, "g"+strconv.Itoa(s.bg))
	}
	return strings.Join(words, " ")
}

// spanned collects spans.
type spanned struct {
	all  []Span
	text strings.Builder
	now  style
}

func (b *spanned) flush() {
	if b.text.Len() > 0 {
		b.all = append(b.all, Span{b.text.String(), b.now.class()})
		b.text.Reset()
	}
}

func (b *spanned) sign(name string) {
	b.flush()
	b.all = append(b.all, Span{name, "c"})
}

// Spans is a line as a terminal would show it at the end: colours are kept, what a carriage return overwrote is not, and no other sequence
// has any effect. A character that has no shape of its own, or that would turn the direction of writing, is written as its name.
func Spans(text []byte) []Span {
	text = overwritten(text)
	if plainText(text) {
		if len(text) == 0 {
			return nil
		}
		return []Span{{Text: string(text)}}
	}
	b := &spanned{now: style{fg: -1, bg: -1}}
	for i := 0; i < len(text); {
		if text[i] == 0x1b {
			i += b.escape(text[i:])
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		i += n
		b.put(r)
	}
	b.flush()
	return b.all
}

func (b *spanned) put(r rune) {
	switch {
	case r == '\t':
		b.text.WriteByte('\t')
	case r < 0x20:
		b.sign(string(rune(0x2400 + r))) // its picture
	case r == 0x7f:
		b.sign("\u2421")
	case r == '\u200c' || r == '\u200d': // joiners: letters and emoji need them
		b.text.WriteRune(r)
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs):
		b.sign(fmt.Sprintf("‹U+%04X›", r))
	default:
		b.text.WriteRune(r)
	}
}

// overwritten leaves what stands after the last carriage return, as far as anything does: a progress bar's latest word.
func overwritten(text []byte) []byte {
	end := len(text)
	for end > 0 && text[end-1] == '\r' {
		end--
	}
	text = text[:end]
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == '\r' {
			return text[i+1:]
		}
	}
	return text
}

// plainText: nothing in it needs a closer look.
func plainText(text []byte) bool {
	for _, c := range text {
		if c < 0x20 && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}

// escape takes one terminal sequence at the beginning of text, and returns its length.
func (b *spanned) escape(text []byte) int {
	if len(text) < 2 {
		b.sign("␛")
		return 1
	}
	switch c := text[1]; {
	case c == '[':
		n, final := control(text)
		if final == 'm' {
			b.flush()
			b.now.set(string(text[2 : n-1]))
		}
		return n
	case c == ']' || c == 'P' || c == '_' || c == '^' || c == 'X': // up to the string terminator, which must be there
		for i := 2; i < len(text); i++ {
			if text[i] == 0x07 {
				return i + 1
			}
			if text[i] == 0x1b && i+1 < len(text) && text[i+1] == '\\' {
				return i + 2
			}
		}
		b.sign("␛")
		return 1
	case c >= 0x20 && c < 0x30 && len(text) > 2: // a character set
		return 3
	case c >= 0x30 && c < 0x7f:
		return 2
	}
	b.sign("␛")
	return 1
}

// control is the length of a control sequence, and the byte that ends it; 0 if nothing proper does.
func control(text []byte) (int, byte) {
	for i := 2; i < len(text); i++ {
		switch c := text[i]; {
		case c >= 0x40 && c < 0x7f:
			return i + 1, c
		case c < 0x20 || c > 0x7e:
			return i, 0
		}
	}
	return len(text), 0
}

// set follows a "select graphic rendition": https://www.ecma-international.org/publications-and-standards/standards/ecma-48/.
func (s *style) set(parameters string) {
	codes := numbers(parameters)
	for i := 0; i < len(codes); i++ {
		switch c := codes[i]; {
		case c == 0:
			*s = style{fg: -1, bg: -1}
		case c >= 1 && c <= 4:
			s.flags[c-1] = true
		case c == 7:
			s.flags[4] = true
		case c == 9:
			s.flags[5] = true
		case c == 22:
			s.flags[0], s.flags[1] = false, false
		case c == 23 || c == 24:
			s.flags[c-21] = false
		case c == 27:
			s.flags[4] = false
		case c == 29:
			s.flags[5] = false
		case c >= 30 && c <= 37:
			s.fg = c - 30
		case c >= 90 && c <= 97:
			s.fg = c - 82
		case c == 39:
			s.fg = -1
		case c >= 40 && c <= 47:
			s.bg = c - 40
		case c >= 100 && c <= 107:
			s.bg = c - 92
		case c == 49:
			s.bg = -1
		case c == 38 || c == 48:
			colour, used := palette(codes[i+1:])
			if i += used; c == 38 {
				s.fg = colour
			} else {
				s.bg = colour
			}
		}
	}
}

func numbers(parameters string) []int {
	var all []int
	for _, p := range strings.FieldsFunc(parameters+";", func(r rune) bool { return r == ';' || r == ':' }) {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			n = -1
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return []int{0}
	}
	return all
}

// palette is the one of sixteen colours that is nearest to an extended one, and how many numbers that took.
func palette(codes []int) (colour, used int) {
	switch {
	case len(codes) >= 2 && codes[0] == 5:
		n := codes[1]
		switch {
		case n < 0 || n > 255:
			return -1, 2
		case n < 16:
			return n, 2
		case n >= 232:
			return nearest((n-232)*10+8, (n-232)*10+8, (n-232)*10+8), 2
		}
		n -= 16
		level := func(v int) int {
			if v == 0 {
				return 0
			}
			return 55 + 40*v
		}
		return nearest(level(n/36), level(n/6%6), level(n%6)), 2
	case len(codes) >= 4 && codes[0] == 2:
		return nearest(codes[1], codes[2], codes[3]), 4
	}
	return -1, len(codes)
}

// nearest goes by which channels are strong, and by how bright the strongest is.
func nearest(r, g, b int) int {
	top, low := max(r, g, b), min(r, g, b)
	if top-low < 32 { // a grey
		switch {
		case top < 64:
			return 0
		case top < 128:
			return 8
		case top < 208:
			return 7
		}
		return 15
	}
	half := (top + low) / 2
	colour := 0
	for i, v := range []int{r, g, b} {
		if v > half {
			colour |= 1 << i
		}
	}
	if top > 208 && low > 64 {
		colour += 8
	}
	return colour
}

// textOf is what spans say, without how it looks.
func textOf(spans []Span) string {
	if len(spans) == 1 {
		return spans[0].Text
	}
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.Text)
	}
	return b.String()
}

// marked adds the class "m" to what lies between the places, which are those of the spans' text, in order.
func marked(spans []Span, places [][]int) []Span {
	if len(places) == 0 {
		return spans
	}
	var all []Span
	at := 0
	for _, s := range spans {
		text, begin := s.Text, at
		at += len(text)
		for len(text) > 0 {
			for len(places) > 0 && places[0][1] <= begin {
				places = places[1:]
			}
			n, class := len(text), s.Class
			switch {
			case len(places) == 0 || places[0][0] >= begin+len(text):
			case places[0][0] > begin:
				n = places[0][0] - begin
			default:
				n = min(n, places[0][1]-begin)
				class = strings.TrimSpace(class + " m")
			}
			all = append(all, Span{text[:n], class})
			text, begin = text[n:], begin+n
		}
	}
	return all
}

package project

import (
	"regexp"
	"strings"
	"sync"
)

// statement is one logical line of Python: joined over brackets, triple-quoted strings and backslashes.
type statement struct {
	line   int    // of its first character, from 1
	indent int    // blanks before it; a tab counts as eight
	code   string // as written, with each string's inside blanked out, and without comments
	raw    string // as written; the same length as code
	inside string // "" at the module's level; else the name of the function or class around it
	def    bool   // inside is a function: it runs only when it is called
}

// statements cuts a Python file into its logical lines. It never fails: what is no Python gives odd statements.
func statements(text string) []statement {
	s := scanner{text: text, line: 1}
	s.scan()
	scope(s.all)
	return s.all
}

type scanner struct {
	text  string
	line  int
	depth int // of brackets
	all   []statement

	code, raw strings.Builder
	start     int // line of the present statement, 0 if none has begun
	indent    int
}

func (s *scanner) scan() {
	for i := 0; i < len(s.text); {
		c := s.text[i]
		switch {
		case c == '#':
			for i < len(s.text) && s.text[i] != '\n' {
				i++
			}
		case c == '\\' && i+1 < len(s.text) && s.text[i+1] == '\n':
			s.put(' ', ' ')
			s.line++
			i += 2
		case c == '\n':
			s.line++
			if i++; s.depth == 0 {
				s.end()
			} else {
				s.put(' ', ' ')
			}
		case c == '"' || c == '\'':
			i = s.quoted(i)
		case s.start == 0 && (c == ' ' || c == '\t' || c == '\r'):
			if s.indent++; c == '\t' {
				s.indent += 7
			}
			i++
		case c == ';' && s.depth == 0:
			indent := s.indent
			s.end()
			s.indent = indent
			i++
		default:
			s.bracket(c)
			s.put(c, c)
			i++
		}
	}
	s.end()
}

func (s *scanner) bracket(c byte) {
	switch c {
	case '(', '[', '{':
		s.depth++
	case ')', ']', '}':
		s.depth = max(0, s.depth-1)
	}
}

func (s *scanner) put(code, raw byte) {
	if s.start == 0 {
		if code == ' ' {
			return
		}
		s.start = s.line
	}
	s.code.WriteByte(code)
	s.raw.WriteByte(raw)
}

func (s *scanner) end() {
	if s.start != 0 {
		s.all = append(s.all, statement{line: s.start, indent: s.indent, code: strings.TrimRight(s.code.String(), " \t\r"), raw: s.raw.String()})
	}
	s.code.Reset()
	s.raw.Reset()
	s.start, s.indent, s.depth = 0, 0, 0
}

// quoted copies a string literal, its inside blanked in code, and gives the index behind it.
func (s *scanner) quoted(i int) int {
	quote := s.text[i : i+1]
	if strings.HasPrefix(s.text[i:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	for range quote {
		s.put(quote[0], quote[0])
	}
	i += len(quote)
	for i < len(s.text) {
		switch c := s.text[i]; {
		case c == '\\' && i+1 < len(s.text):
			if s.text[i+1] == '\n' {
				s.line++
			}
			s.put('_', c)
			s.put('_', s.text[i+1])
			i += 2
		case strings.HasPrefix(s.text[i:], quote):
			for range quote {
				s.put(quote[0], quote[0])
			}
			return i + len(quote)
		case c == '\n':
			if len(quote) == 1 {
				return i // never closed: the line ends it
			}
			s.line++
			s.put('_', '\n')
			i++
		default:
			s.put('_', c)
			i++
		}
	}
	return i
}

var (
	blockHead = lazily(`^(?:async\s+)?(def|class)\s+(\w+)`)
	mainHead  = lazily(`^if\s+\(?__name__\s*==`)
)

// mainBlock is what is inside `if __name__ == "__main__":`.
const mainBlock = "__main__"

// scope fills in what each statement is inside of.
func scope(all []statement) {
	type block struct {
		indent int
		name   string
		def    bool
	}
	var open []block
	for i := range all {
		s := &all[i]
		for len(open) > 0 && s.indent <= open[len(open)-1].indent {
			open = open[:len(open)-1]
		}
		for _, b := range open {
			s.inside, s.def = b.name, s.def || b.def
			if b.def {
				break // the outermost function decides
			}
		}
		if m := blockHead().FindStringSubmatch(s.code); m != nil && len(open) < 100 {
			open = append(open, block{s.indent, m[2], m[1] == "def"})
		} else if s.indent == 0 && mainHead().MatchString(s.code) {
			open = append(open, block{0, mainBlock, true})
		}
	}
}

// lazily compiles a pattern when it is first needed: every command of the command line pays for what is compiled at its start.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// call is a call in a statement: its dotted name and its arguments, as written.
type call struct {
	name string
	args []argument
}

type argument struct{ name, value string } // name is "" for a positional one

// calls are the calls in a statement, outermost and first ones first.
func (s statement) calls() []call {
	var all []call
	for _, h := range callHeads(s.code, 50) {
		end := closing(s.code, h.open)
		all = append(all, call{s.code[h.from:h.to], arguments(s.code[h.open+1:end], s.raw[h.open+1:end])})
	}
	return all
}

// callHead is where a call's name stands, and its bracket.
type callHead struct{ from, to, open int }

// callHeads finds at most n names with a bracket behind them. A name in front of which nothing but another call's bracket stands is known by
// its last part alone. It is the innermost loop of reading a folder: a regular expression took most of the time.
func callHeads(code string, n int) []callHead {
	var all []callHead
	used := -1 // the bracket of the last one
	for at := 0; len(all) < n; at++ {
		i := strings.IndexByte(code[at:], '(')
		if i < 0 {
			break
		}
		at += i
		to := at
		for to > used+1 && strings.IndexByte(" \t\n\r\f", code[to-1]) >= 0 {
			to--
		}
		from, dot := to, -1
		for from > used+1 && (isWord(code[from-1]) || code[from-1] == '.') {
			if from--; dot < 0 && code[from] == '.' {
				dot = from
			}
		}
		switch {
		case from < to && (from == 0 || from-1 > used) && beginsName(code[from]):
		case dot >= 0 && dot+1 < to && beginsName(code[dot+1]):
			from = dot
		default:
			continue
		}
		all = append(all, callHead{from, to, at})
		used = at
	}
	return all
}

func beginsName(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func isWord(c byte) bool { return beginsName(c) || c >= '0' && c <= '9' }

// closing is the index of the bracket that closes the one at i, or the end.
func closing(code string, i int) int {
	depth := 0
	for j := i; j < len(code); j++ {
		switch code[j] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return j
			}
		}
	}
	return len(code)
}

var keyword = lazily(`^\s*([A-Za-z_]\w*)\s*=[^=]`)

// arguments cuts the inside of a call's brackets at its commas.
func arguments(code, raw string) []argument {
	var all []argument
	depth, from := 0, 0
	add := func(to int) {
		value := strings.TrimSpace(raw[from:to])
		if value == "" {
			return
		}
		a := argument{value: value}
		if m := keyword().FindStringSubmatchIndex(code[from:to] + " "); m != nil {
			a.name = code[from+m[2] : from+m[3]]
			a.value = strings.TrimSpace(raw[from+m[1]-1 : to])
		}
		all = append(all, a)
	}
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				add(i)
				from = i + 1
			}
		}
	}
	add(len(code))
	return all
}

// get is a keyword argument, or the one at the place; "" if it is not given.
func (c call) get(name string, place int) string {
	n := 0
	for _, a := range c.args {
		if a.name == name && name != "" {
			return a.value
		}
		if a.name == "" {
			if n == place {
				return a.value
			}
			n++
		}
	}
	return ""
}

// literal is the text of a plain string literal.
func literal(s string) (string, bool) {
	s = strings.TrimSpace(s)
	for len(s) > 0 && strings.ContainsRune("rRuU", rune(s[0])) {
		s = s[1:]
	}
	if len(s) < 2 || s[0] != '"' && s[0] != '\'' || s[len(s)-1] != s[0] {
		return "", false
	}
	quote := s[:1]
	if strings.HasPrefix(s, strings.Repeat(quote, 3)) && len(s) >= 6 {
		return s[3 : len(s)-3], true
	}
	in := s[1 : len(s)-1]
	return in, !strings.Contains(in, quote) && !strings.Contains(in, `\`)
}

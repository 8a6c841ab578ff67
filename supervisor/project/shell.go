package project

import (
	"strings"
)

// word is a word of a shell's command line. Only a shell knows the value of a computed one.
type word struct {
	text     string
	computed bool
	source   string // as written
}

// command is one simple command of a script.
type command struct {
	line  int
	words []word
	sets  []string // NAME=value before it, or alone
	back  bool     // it ends with &
	piped bool     // its output goes to another one, or its input comes from one
}

// shell reads POSIX shell as far as scripts that start servers need it: quotes, continued lines, lists, pipes, here-documents, and variables
// whose value is written down. Nothing is run, and what only a shell can know stays unknown.
type shell struct {
	text string
	at   int
	line int
	vars map[string]string // values known so far

	now     command
	all     []command
	heredoc []string
}

const maxCommands = 2000

func readShell(text string, vars map[string]string) []command {
	if vars == nil {
		vars = map[string]string{}
	}
	s := &shell{text: strings.ReplaceAll(text, "\r\n", "\n"), line: 1, vars: vars}
	s.now.line = 1
	for s.at < len(s.text) && len(s.all) < maxCommands {
		s.next()
	}
	s.end()
	return s.all
}

func (s *shell) next() {
	c := s.text[s.at]
	switch {
	case c == '\n':
		s.end()
		s.at++
		s.line++
		s.skipHeredocs()
	case c == ' ' || c == '\t':
		s.at++
	case c == '\\' && strings.HasPrefix(s.text[s.at:], "\\\n"):
		s.at += 2
		s.line++
	case c == '#':
		for s.at < len(s.text) && s.text[s.at] != '\n' {
			s.at++
		}
	case c == '&' && strings.HasPrefix(s.text[s.at:], "&>"):
		s.redirect(2)
	case c == ';' || c == '(' || c == ')' || c == '&' || c == '|':
		s.operator(c)
	case c == '<' || c == '>':
		s.redirection(c)
	default:
		s.word()
	}
}

func (s *shell) operator(c byte) {
	double := strings.HasPrefix(s.text[s.at:], string([]byte{c, c}))
	if c == '&' && !double {
		s.now.back = true
	}
	if c == '|' && !double {
		s.now.piped = true
	}
	s.end()
	if c == '|' && !double {
		s.now.piped = true
	}
	if s.at++; double {
		s.at++
	}
}

// redirection skips where output goes. A number before it was read as a word: 2>&1.
func (s *shell) redirection(c byte) {
	if n := len(s.now.words); n > 0 && s.at > 0 && (s.text[s.at-1] == '1' || s.text[s.at-1] == '2') && len(s.now.words[n-1].source) == 1 {
		s.now.words = s.now.words[:n-1]
	}
	if strings.HasPrefix(s.text[s.at:], "<<") && !strings.HasPrefix(s.text[s.at:], "<<<") {
		s.at += 2
		if s.at < len(s.text) && s.text[s.at] == '-' {
			s.at++
		}
		if w, ok := s.read(); ok {
			s.heredoc = append(s.heredoc, w.text)
		}
		return
	}
	n := 1
	for s.at+n < len(s.text) && strings.IndexByte("<>&|", s.text[s.at+n]) >= 0 {
		n++
	}
	s.redirect(n)
}

// redirect passes the operator and the word that it takes.
func (s *shell) redirect(n int) {
	s.at += n
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\t') {
		s.at++
	}
	s.read()
}

func (s *shell) skipHeredocs() {
	for _, mark := range s.heredoc {
		for s.at < len(s.text) {
			end := strings.IndexByte(s.text[s.at:], '\n')
			line := s.text[s.at:]
			if end >= 0 {
				line = s.text[s.at : s.at+end]
				s.at += end + 1
			} else {
				s.at = len(s.text)
			}
			s.line++
			if strings.TrimLeft(line, "\t") == mark {
				break
			}
		}
	}
	s.heredoc = nil
	s.now.line = s.line
}

// keywords stand before commands.
var keywords = map[string]bool{"if": true, "then": true, "else": true, "elif": true, "fi": true, "do": true, "done": true, "while": true, "until": true, "{": true, "}": true, "!": true, "esac": true}

func (s *shell) word() {
	w, ok := s.read()
	if !ok {
		s.at++ // a byte that begins no word
		return
	}
	if len(s.now.words) == 0 {
		if keywords[w.source] {
			return
		}
		if name, _, ok := strings.Cut(w.source, "="); ok && isName(name) {
			s.assign(name, word{text: strings.TrimPrefix(w.text, name+"="), computed: w.computed})
			s.now.sets = append(s.now.sets, name)
			return
		}
		s.now.line = s.line - strings.Count(w.source, "\n")
	}
	s.now.words = append(s.now.words, w)
}

func (s *shell) assign(name string, w word) {
	if w.computed {
		delete(s.vars, name)
	} else {
		s.vars[name] = w.text
	}
}

func isName(name string) bool {
	for i, r := range name {
		if !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9') {
			return false
		}
	}
	return name != ""
}

func (s *shell) end() {
	if len(s.now.words) > 0 || len(s.now.sets) > 0 {
		s.all = append(s.all, s.now)
		s.remember(s.now.words)
	}
	s.now = command{line: s.line}
}

// remember keeps what `export NAME=value` sets, for the words of later commands.
func (s *shell) remember(words []word) {
	if len(words) < 2 || words[0].text != "export" {
		return
	}
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w.text, "=")
		if !ok || !isName(name) {
			continue
		}
		if w.computed {
			delete(s.vars, name)
		} else {
			s.vars[name] = value
		}
	}
}

// read reads one word. ok is false if none begins here.
func (s *shell) read() (word, bool) {
	var b strings.Builder
	w := word{}
	from := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', ';', '&', '|', '(', ')', '<', '>':
			return s.read1(w, &b, from)
		case '\'':
			end := strings.IndexByte(s.text[s.at+1:], '\'')
			if end < 0 {
				end = len(s.text) - s.at - 1
				w.computed = true
			}
			b.WriteString(s.text[s.at+1 : s.at+1+end])
			s.line += strings.Count(s.text[s.at+1:s.at+1+end], "\n")
			s.at = min(len(s.text), s.at+end+2)
		case '"':
			s.at++
			s.inQuotes(&b, &w)
		case '\\':
			if strings.HasPrefix(s.text[s.at:], "\\\n") {
				if s.at > from {
					return s.read1(w, &b, from)
				}
				s.at += 2
				s.line++
				continue
			}
			if s.at++; s.at < len(s.text) {
				b.WriteByte(s.text[s.at])
				s.at++
			}
		case '$', '`':
			s.expansion(&b, &w)
		default:
			if (c == '*' || c == '?' || c == '~' && b.Len() == 0) && s.at == from {
				w.computed = true
			}
			b.WriteByte(c)
			s.at++
		}
	}
	return s.read1(w, &b, from)
}

func (s *shell) read1(w word, b *strings.Builder, from int) (word, bool) {
	w.text, w.source = b.String(), s.text[from:s.at]
	return w, s.at > from
}

func (s *shell) inQuotes(b *strings.Builder, w *word) {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '"':
			s.at++
			return
		case '\\':
			s.at++
			if s.at < len(s.text) {
				if s.text[s.at] == '\n' {
					s.line++
				} else {
					if strings.IndexByte("\\\"$`", s.text[s.at]) < 0 {
						b.WriteByte('\\')
					}
					b.WriteByte(s.text[s.at])
				}
				s.at++
			}
		case '$', '`':
			s.expansion(b, w)
		case '\n':
			s.line++
			fallthrough
		default:
			b.WriteByte(c)
			s.at++
		}
	}
	w.computed = true // never closed
}

// expansion reads $NAME, ${NAME}, ${NAME:-word}, and passes what only a shell can do.
func (s *shell) expansion(b *strings.Builder, w *word) {
	rest := s.text[s.at:]
	switch {
	case rest[0] == '`':
		end := strings.IndexByte(rest[1:], '`')
		s.pass(end+2, end < 0)
		w.computed = true
	case strings.HasPrefix(rest, "$("):
		end := closing(rest, 1)
		s.pass(end+1, end >= len(rest))
		w.computed = true
		b.WriteString("$(…)")
	case strings.HasPrefix(rest, "${"):
		end := closing(rest, 1)
		inside := rest[2:min(end, len(rest))]
		s.pass(end+1, end >= len(rest))
		s.parameter(inside, b, w)
	default:
		n := 1
		for n < len(rest) && (isName(rest[n:n+1]) || n > 1 && rest[n] >= '0' && rest[n] <= '9') {
			n++
		}
		if n == 1 && len(rest) > 1 && strings.IndexByte("@*#?$!0123456789-", rest[1]) >= 0 {
			n = 2
		}
		s.at += n
		if n == 1 {
			b.WriteByte('$')
			return
		}
		s.parameter(rest[1:n], b, w)
	}
}

func (s *shell) pass(n int, all bool) {
	if all {
		n = len(s.text) - s.at
	}
	s.line += strings.Count(s.text[s.at:s.at+n], "\n")
	s.at += n
}

func (s *shell) parameter(inside string, b *strings.Builder, w *word) {
	name, rest := inside, ""
	if i := strings.IndexAny(inside, ":-+=?%#/"); i > 0 {
		name, rest = inside[:i], inside[i:]
	}
	value, known := s.vars[name]
	if known && (rest == "" || strings.HasPrefix(rest, ":-") || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, ":=") || strings.HasPrefix(rest, ":?")) {
		b.WriteString(value)
		return
	}
	for _, op := range []string{":-", ":=", "-", "="} {
		fallback, ok := strings.CutPrefix(rest, op)
		if ok && !strings.ContainsAny(fallback, "$`") && isName(name) {
			b.WriteString(strings.Trim(fallback, `"'`))
			return
		}
	}
	w.computed = true
	b.WriteString("${" + inside + "}")
}

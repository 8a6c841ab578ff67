package logfile

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

const (
	maxPattern  = 1000 // bytes
	maxLiterals = 16   // of which one must be in a line
)

// Pattern is what is searched for: a regular expression of Go (https://pkg.go.dev/regexp/syntax), matched against each line by itself.
type Pattern struct {
	expression *regexp.Regexp
	prog       *syntax.Prog
	required   [][]literal // of each set, one is in every line that matches; none: that cannot be said
	exact      bool        // whatever has the only literal matches
}

// Compile reads a pattern. With fold, small and capital letters are the same.
func Compile(pattern string, fold bool) (*Pattern, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("a pattern may have %d bytes", maxPattern)
	}
	if pattern == "" {
		return nil, fmt.Errorf("the pattern is empty")
	}
	if fold {
		pattern = "(?i)" + pattern
	}
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	tree = tree.Simplify()
	prog, err := syntax.Compile(tree)
	if err != nil {
		return nil, err
	}
	p := &Pattern{expression: expression, prog: prog, required: candidates(tree)}
	if tree.Op == syntax.OpLiteral && len(p.required) == 1 {
		p.exact = len(string(tree.Rune)) == len(p.required[0][0].text) && !slices.Contains(tree.Rune, '\n')
	}
	return p, nil
}

// places are where a text matches, for showing them: at most a hundred.
func (p *Pattern) places(text string) [][]int {
	var all [][]int
	for _, place := range p.expression.FindAllStringIndex(text, 100) {
		if place[1] > place[0] {
			all = append(all, place)
		}
	}
	return all
}

func (p *Pattern) matches(text []byte) bool { return p.expression.Match(text) }

// rarest is the set that is found least often in a sample of what will be searched.
func (p *Pattern) rarest(sample []byte) []literal {
	var best []literal
	least := -1
	for _, set := range p.required {
		n := 0
		for _, l := range set {
			for rest := sample; ; n++ {
				i := l.index(rest)
				if i < 0 {
					break
				}
				rest = rest[i+1:]
			}
		}
		if least < 0 || n < least || n == least && better(set, best) {
			best, least = set, n
		}
	}
	return best
}

// candidates are sets of literals; of each set one must be in every text that matches.
func candidates(re *syntax.Regexp) [][]literal {
	switch {
	case re.Op == syntax.OpConcat:
		var all [][]literal
		for _, sub := range re.Sub {
			all = append(all, candidates(sub)...)
		}
		return all[:min(len(all), maxLiterals)]
	case re.Op == syntax.OpCapture, re.Op == syntax.OpPlus, re.Op == syntax.OpRepeat && re.Min > 0:
		return candidates(re.Sub[0])
	}
	if set := required(re); set != nil {
		return [][]literal{set}
	}
	return nil
}

// literal is a text that must be there.
type literal struct {
	text []byte // in small letters, if fold
	fold bool
	rare int // fold: the letter of text that is looked for first
}

// required is a set of literals of which one must be in every text that matches. It is nil where there are none worth looking for.
func required(re *syntax.Regexp) []literal {
	switch re.Op {
	case syntax.OpLiteral:
		return literalsOf(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []literal
		for _, sub := range re.Sub {
			if found := required(sub); better(found, best) {
				best = found
			}
		}
		return best
	case syntax.OpAlternate:
		var all []literal
		for _, sub := range re.Sub {
			found := required(sub)
			if found == nil || len(all)+len(found) > maxLiterals {
				return nil
			}
			all = append(all, found...)
		}
		return all
	case syntax.OpCharClass: // [ab]c: a few letters are as good as literals
		return classLiterals(re.Rune)
	}
	return nil
}

func classLiterals(ranges []rune) []literal {
	var all []literal
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i+1]-ranges[i] > 3 || len(all) > 3 {
			return nil
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			all = append(all, literalsOf([]rune{r}, false)...)
		}
	}
	if len(all) > 4 {
		return nil
	}
	return all
}

// better prefers what is found less often: the longer shortest literal, then the fewer.
func better(a, b []literal) bool {
	if a == nil || b == nil {
		return a != nil
	}
	x, y := shortest(a), shortest(b)
	return x > y || x == y && len(a) < len(b)
}

func shortest(all []literal) int {
	n := len(all[0].text)
	for _, l := range all[1:] {
		n = min(n, len(l.text))
	}
	return n
}

// literalsOf is the literal of some runes. Where case does not matter it is their longest part of ASCII: small and capital letters of
// others may have different lengths.
func literalsOf(runes []rune, fold bool) []literal {
	if !fold {
		for _, r := range runes {
			if r == utf8.RuneError { // matches what is not UTF-8, too
				return nil
			}
		}
		return []literal{{text: []byte(string(runes))}}
	}
	var best, now []byte
	for _, r := range append(runes, 0x80) {
		if r >= 0x80 || r == 'k' || r == 'K' || r == 's' || r == 'S' { // the sign of kelvin and the long s are these letters, too
			if len(now) > len(best) {
				best = now
			}
			now = nil
			continue
		}
		now = append(now, lower(byte(r)))
	}
	if len(best) == 0 {
		return nil
	}
	l := literal{text: best, fold: true}
	for i, c := range best {
		if rarity(c) < rarity(best[l.rare]) {
			l.rare = i
		}
	}
	return []literal{l}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// rarity is where a character stands among those of logs, the rarest first.
func rarity(c byte) int {
	return bytes.IndexByte([]byte("~`^@!$|\\{}*#&;?<>=+%\"'()[]qzjxvkwybgfhpumcdlrsnioate_,/:-.9876543210 "), c)
}

// index is where the literal is in p, or -1.
func (l literal) index(p []byte) int {
	if !l.fold {
		return bytes.Index(p, l.text)
	}
	c := l.text[l.rare]
	capital := c
	if c >= 'a' && c <= 'z' {
		capital -= 'a' - 'A'
	}
	small, big := next(p, l.rare, c), -1
	if capital != c {
		big = next(p, l.rare, capital)
	}
	for small >= 0 || big >= 0 {
		at := small
		if small < 0 || big >= 0 && big < small {
			at = big
		}
		begin := at - l.rare
		if begin+len(l.text) > len(p) {
			return -1
		}
		if l.at(p[begin:]) {
			return begin
		}
		if at == small {
			small = next(p, at+1, c)
		} else {
			big = next(p, at+1, capital)
		}
	}
	return -1
}

func next(p []byte, from int, c byte) int {
	if from >= len(p) {
		return -1
	}
	if i := bytes.IndexByte(p[from:], c); i >= 0 {
		return from + i
	}
	return -1
}

func (l literal) at(p []byte) bool {
	for i, c := range l.text {
		if lower(p[i]) != c {
			return false
		}
	}
	return true
}

package logfile

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
)

const (
	mostCandidates = 400 // lines that say the same
	neighbours     = 30  // lines around one that are compared
)

// Locate finds a line that is known by its text, and by those that came before and after it: the last one that fits best. The texts were
// changed by as; they may have been cut, which a "…" at their end says. It returns ErrGone if there is none.
func (s *Snapshot) Locate(ctx context.Context, text string, tail []string, as func(string) string) (Position, error) {
	wanted := longest(text)
	if wanted == "" {
		return Position{}, ErrGone
	}
	p, err := Compile(regexp.QuoteMeta(wanted), false)
	if err != nil {
		return Position{}, err
	}
	var places []Position
	enough := errors.New("enough")
	err = s.Search(ctx, p, Position{}, mostCandidates, func(f Found) error {
		if places = append(places, f.Places...); len(places) >= mostCandidates {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return Position{}, err
	}
	at := deciding(text, tail)
	best, most := Position{}, -1
	for _, place := range places {
		alike, err := s.alike(ctx, place, text, tail, at, as)
		if err != nil {
			return Position{}, err
		}
		if alike > most {
			best, most = place, alike
		}
		if at >= 0 && alike >= min(neighbours, at) {
			break
		}
	}
	if most < 0 {
		return Position{}, ErrGone
	}
	return best, nil
}

// longest is the longest part of a text that was not changed: without what masks a secret or a cut.
func longest(text string) string {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '•' || r == '…' || r == '?' || r == '\t' })
	best := ""
	for _, p := range parts {
		if p = strings.TrimSpace(p); len(p) > len(best) {
			best = p
		}
	}
	if len(best) > maxPattern/4 {
		best = strings.ToValidUTF8(best[:maxPattern/4], "")
	}
	return best
}

func deciding(text string, tail []string) int {
	for i := len(tail) - 1; i >= 0; i-- {
		if same(tail[i], text) {
			return i
		}
	}
	return -1
}

func same(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if cut, ok := strings.CutSuffix(b, "…"); ok {
		return strings.HasPrefix(a, cut)
	}
	return a == b
}

// alike counts how many lines before the place are those that came before the line; -1: the place does not have the line itself.
func (s *Snapshot) alike(ctx context.Context, place Position, text string, tail []string, at int, as func(string) string) (int, error) {
	i, err := s.find(place)
	if err != nil {
		return -1, nil
	}
	from, err := back(ctx, s.files[i], place.Offset, neighbours, 4*blockSize)
	if err != nil {
		return -1, err
	}
	var lines []string
	err = scan(ctx, s.files[i], from, s.sizes[i], func(l line) bool {
		lines = append(lines, as(textOf(Spans(l.text))))
		return l.from < place.Offset
	})
	if err != nil || len(lines) == 0 {
		return -1, err
	}
	last := lines[len(lines)-1]
	if !strings.Contains(last, longest(text)) {
		return -1, nil
	}
	lines = lines[:len(lines)-1]
	slices.Reverse(lines)
	n := 0
	for j, l := range lines {
		if at-1-j < 0 || !same(tail[at-1-j], l) {
			break
		}
		n++
	}
	return n, nil
}

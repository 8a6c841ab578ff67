package logfile

import (
	"context"
	"slices"
)

const (
	warmUp     = 200      // lines before the first that are judged with it, lest it is in the middle of a traceback
	backBudget = 1 << 20  // bytes that are read at once on the way back
	mostRead   = 64 << 20 // bytes that one request looks through for lines of a level
)

// Chunk is a part of a log.
type Chunk struct {
	Rows     []Row    // in the order of the file
	From, To Position // what was looked through, also where nothing of it is shown
	Begin    bool     // nothing comes before it
	End      bool     // nothing comes after it
}

// Last are the last rows of the log.
func (s *Snapshot) Last(ctx context.Context, n int, f Form) (Chunk, error) {
	if len(s.files) == 0 {
		return Chunk{Begin: true, End: true}, nil
	}
	return s.Before(ctx, s.End(), n, f)
}

// Before are the last n rows before a place.
func (s *Snapshot) Before(ctx context.Context, p Position, n int, f Form) (Chunk, error) {
	i, err := s.find(p)
	if err != nil {
		return Chunk{}, err
	}
	c := Chunk{From: p, To: p, End: i == 0 && p.Offset == s.sizes[0]}
	var read int64
	for len(c.Rows) < n && read < mostRead {
		if c.From.Offset == 0 {
			if i++; i == len(s.files) {
				c.Begin = true
				return c, nil
			}
			c.From = Position{s.files[i].id, s.sizes[i]}
			continue
		}
		rows, from, err := s.above(ctx, i, c.From.Offset, n-len(c.Rows), f)
		if err != nil {
			return Chunk{}, err
		}
		read += c.From.Offset - from
		c.From.Offset = from
		c.Rows = join(rows, c.Rows)
	}
	if over := len(c.Rows) - n; over > 0 {
		c.Rows = c.Rows[over:]
		c.From = c.Rows[0].At
	}
	c.Begin = c.From == s.Begin()
	return c, nil
}

// above are rows before a place in a file, and where the lines begin that they were made of.
func (s *Snapshot) above(ctx context.Context, i int, before int64, n int, f Form) ([]Row, int64, error) {
	file := s.files[i]
	want := n
	if f.Least != None || !f.Unfold {
		want = max(n, 2000) // many of them may be left out or folded
	}
	from, err := back(ctx, file, before, want, backBudget)
	if err != nil {
		return nil, 0, err
	}
	g, err := s.judged(ctx, i, from, f)
	if err != nil {
		return nil, 0, err
	}
	err = scan(ctx, file, from, before, func(l line) bool {
		g.add(l)
		return true
	})
	return g.rows, from, err
}

// judged is a gather that knows what comes before a place.
func (s *Snapshot) judged(ctx context.Context, i int, at int64, f Form) (*gather, error) {
	g := &gather{form: f, file: s.files[i].id}
	warm, err := back(ctx, s.files[i], at, warmUp, blockSize)
	if err != nil {
		return nil, err
	}
	return g, scan(ctx, s.files[i], warm, at, func(l line) bool {
		g.judge.classify(l.text)
		return true
	})
}

// join puts rows before others, and folds where they meet.
func join(before, after []Row) []Row {
	if len(before) > 0 && len(after) > 0 {
		a, b := before[len(before)-1], after[0]
		if a.Key != 0 && a.Key == b.Key && a.Level == b.Level {
			a.Count += b.Count
			a.To = b.To
			return slices.Concat(before[:len(before)-1], []Row{a}, after[1:])
		}
	}
	return slices.Concat(before, after)
}

// After are the first n rows from a place on, which is the beginning of a line.
func (s *Snapshot) After(ctx context.Context, p Position, n int, f Form) (Chunk, error) {
	i, err := s.find(p)
	if err != nil {
		return Chunk{}, err
	}
	c := Chunk{From: p, To: p}
	var read int64
	for i >= 0 && len(c.Rows) < n && read < mostRead {
		g, err := s.judged(ctx, i, c.To.Offset, f)
		if err != nil {
			return Chunk{}, err
		}
		to := c.To.Offset
		err = scan(ctx, s.files[i], to, s.sizes[i], func(l line) bool {
			g.add(l)
			to = l.to
			if len(c.Rows)+len(g.rows) > n { // the one too many ends the folding of the one before
				to = g.rows[len(g.rows)-1].At.Offset
				g.rows = g.rows[:len(g.rows)-1]
				return false
			}
			return l.to-c.To.Offset < mostRead-read
		})
		if err != nil {
			return Chunk{}, err
		}
		read += to - c.To.Offset
		c.Rows = join(c.Rows, g.rows)
		c.To.Offset = to
		if to < s.sizes[i] {
			break
		}
		if i--; i >= 0 {
			c.To = Position{s.files[i].id, 0}
		}
	}
	c.Begin, c.End = c.From == s.Begin(), c.To == s.End()
	return c, nil
}

// Around are n rows before the line that a place is in, that line, whatever its level is, and n rows after it. The second result is where
// that line begins.
func (s *Snapshot) Around(ctx context.Context, p Position, n int, f Form) (Chunk, Position, error) {
	i, err := s.find(p)
	if err != nil {
		return Chunk{}, p, err
	}
	if p.Offset, err = lineStart(ctx, s.files[i], p.Offset); err != nil {
		return Chunk{}, p, err
	}
	before, err := s.Before(ctx, p, n, f)
	if err != nil {
		return Chunk{}, p, err
	}
	g, err := s.judged(ctx, i, p.Offset, Form{Unfold: true, Mask: f.Mask, Pattern: f.Pattern})
	if err != nil {
		return Chunk{}, p, err
	}
	at := p
	err = scan(ctx, s.files[i], p.Offset, s.sizes[i], func(l line) bool {
		g.add(l)
		at.Offset = l.to
		return false
	})
	if err != nil {
		return Chunk{}, p, err
	}
	after, err := s.After(ctx, at, n, f)
	if err != nil {
		return Chunk{}, p, err
	}
	return Chunk{
		Rows: slices.Concat(before.Rows, g.rows, after.Rows), From: before.From, To: after.To, Begin: before.Begin, End: after.End,
	}, p, nil
}

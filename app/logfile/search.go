package logfile

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"sync/atomic"
)

const (
	segmentSize = 8 << 20
	searchBlock = 256 << 10
	searchLine  = 4 << 20 // a line that is longer is searched in pieces
)

// Found is how far a search has come. Each report adds to the one before.
type Found struct {
	Places []Position // lines that match, the newest first; at most as many as were asked for, all reports together
	Count  int64      // lines that match, so far
	Done   int64      // bytes that were looked through, of Total
	Total  int64
}

// Search looks for lines that match, from before a place back to the beginning; the zero Position is the end. report is called after each
// few megabytes, and ends the search with an error. The places are at most limit, the count is of all.
func (s *Snapshot) Search(ctx context.Context, p *Pattern, before Position, limit int, report func(Found) error) error {
	segments, err := s.segments(before)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := Found{}
	for _, g := range segments {
		found.Total += g.to - g.from
	}
	var sample []byte
	if len(segments) > 0 {
		sample = make([]byte, min(blockSize, segments[0].to))
		if _, err := readAt(segments[0].file, sample, segments[0].to-int64(len(sample))); err != nil {
			return err
		}
	}
	var enough atomic.Bool // the newer segments had as many places as were asked for: the others are only counted
	workers := min(2, runtime.GOMAXPROCS(0), max(len(segments), 1))
	results := make([]chan result, len(segments))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	turn := make(chan struct{}, workers) // lest they run far ahead of who reads the results
	var taken atomic.Int64               // segments; each after its turn, so that the oldest turn is the next one that is read
	most := limit
	for range workers {
		go func() {
			h := newHunt(p, most, sample)
			for {
				select {
				case turn <- struct{}{}:
				case <-ctx.Done():
					return
				}
				i := int(taken.Add(1)) - 1
				if i >= len(segments) {
					return
				}
				if enough.Load() {
					h.limit = 0
				}
				results[i] <- h.segment(ctx, segments[i])
			}
		}()
	}
	for i, g := range segments {
		var r result
		select {
		case r = <-results[i]:
			<-turn
		case <-ctx.Done():
			return ctx.Err()
		}
		if r.err != nil {
			return r.err
		}
		places := r.places[:min(len(r.places), limit)]
		limit -= len(places)
		enough.Store(limit == 0)
		found.Places = places
		found.Count += r.count
		found.Done += g.to - g.from
		if err := report(found); err != nil {
			return err
		}
	}
	return nil
}

// segment is a part of a file, with the lines that begin in it.
type segment struct {
	file     *file
	from, to int64
	size     int64 // of the file
}

// segments are the parts of the log before a place, the newest first.
func (s *Snapshot) segments(before Position) ([]segment, error) {
	first := 0
	var end int64
	if before != (Position{}) {
		i, err := s.find(before)
		if err != nil {
			return nil, err
		}
		first, end = i, before.Offset
	} else if len(s.sizes) > 0 {
		end = s.sizes[0]
	}
	var all []segment
	for i := first; i < len(s.files); i++ {
		if i > first {
			end = s.sizes[i]
		}
		for end > 0 {
			from := (end - 1) / segmentSize * segmentSize
			all = append(all, segment{s.files[i], from, end, s.sizes[i]})
			end = from
		}
	}
	return all, nil
}

// result is what one segment holds.
type result struct {
	places []Position // newest first
	count  int64
	err    error
}

// hunt looks through segments, one after another.
type hunt struct {
	exact    bool // the literal is all there is to find
	literals []literal
	nexts    []int // of each literal: where it is found next
	matcher  *matcher
	limit    int
	buf      []byte
	last     int64 // where the last line begins that matched
}

// newHunt chooses the literals to look for by a sample.
func newHunt(p *Pattern, limit int, sample []byte) *hunt {
	literals := p.rarest(sample)
	return &hunt{
		exact: p.exact, literals: literals, nexts: make([]int, len(literals)), matcher: newMatcher(p.prog), limit: limit, buf: make([]byte, searchBlock),
	}
}

// segment searches the lines that begin in g.
func (h *hunt) segment(ctx context.Context, g segment) (r result) {
	at, skip := g.from, false
	h.last = -1
	if at > 0 { // the line that goes on here began in the segment before
		var last [1]byte
		if n, err := readAt(g.file, last[:], at-1); err != nil || n == 0 {
			return result{err: err}
		}
		skip = last[0] != '\n'
	}
	held := 0 // bytes of buf that are the beginning of a line
	for at-int64(held) < g.to {
		if err := ctx.Err(); err != nil {
			return result{err: err}
		}
		if held == len(h.buf) {
			h.buf = append(h.buf, make([]byte, len(h.buf))...)
		}
		want := min(int64(len(h.buf)-held), g.size-at)
		n, err := readAt(g.file, h.buf[held:int64(held)+want], at)
		if err != nil {
			return result{err: err}
		}
		at += int64(n)
		p := h.buf[:held+n]
		end := bytes.LastIndexByte(p, '\n') + 1
		last := n == 0 || at >= g.size
		if end == 0 && (last || len(p) >= searchLine) || last {
			end = len(p)
		}
		base := at - int64(len(p))
		whole := p[:end]
		if skip {
			i := bytes.IndexByte(whole, '\n')
			if i >= 0 {
				base += int64(i + 1)
				whole, skip = whole[i+1:], false
			} else {
				whole = nil
			}
		}
		h.lines(whole, g, base, &r)
		if n := len(whole); n > 0 && whole[n-1] != '\n' && h.last == base+int64(bytes.LastIndexByte(whole, '\n'))+1 {
			skip = true // the line's beginning matches: the rest of it does not count again
		}
		held = copy(h.buf, p[end:])
		if last {
			break
		}
	}
	slices.Reverse(r.places)
	return r
}

// hit counts a line. Of the places the last are kept.
func (h *hunt) hit(r *result, at Position) {
	r.count++
	h.last = at.Offset
	if h.limit == 0 {
		return
	}
	if len(r.places) >= 2*h.limit+64 {
		r.places = append(r.places[:0], r.places[len(r.places)-h.limit:]...)
	}
	r.places = append(r.places, at)
}

// lines searches whole lines; base is where they are. Only those that begin in the segment count.
func (h *hunt) lines(p []byte, g segment, base int64, r *result) {
	if over := base + int64(len(p)) - g.to; over > 0 { // the last of them may begin in the next segment
		cut := max(0, g.to-base)
		if i := bytes.IndexByte(p[max(0, cut-1):], '\n'); i >= 0 {
			p = p[:max(0, cut-1)+int64(i)+1]
		}
	}
	for i := range h.nexts {
		h.nexts[i] = -1
	}
	if h.exact && h.limit == 0 && !h.literals[0].fold && len(p) > 0 && p[len(p)-1] == '\n' {
		r.count += count(p, h.literals[0].text)
		return
	}
	for at := 0; at < len(p); {
		if len(h.literals) > 0 {
			i := h.candidate(p, at)
			if i < 0 {
				return
			}
			at += bytes.LastIndexByte(p[at:i], '\n') + 1
			end := len(p)
			if n := bytes.IndexByte(p[i:], '\n'); n >= 0 {
				end = i + n
			}
			if h.exact || h.matcher.matches(trimCR(p[at:end])) {
				h.hit(r, Position{g.file.id, base + int64(at)})
			}
			at = end + 1
			continue
		}
		end := bytes.IndexByte(p[at:], '\n')
		if end < 0 {
			end = len(p) - at
		}
		if h.matcher.matches(trimCR(p[at : at+end])) {
			h.hit(r, Position{g.file.id, base + int64(at)})
		}
		at += end + 1
	}
}

// count counts the lines that have a text.
func count(p, text []byte) (n int64) {
	for {
		i := bytes.Index(p, text)
		if i < 0 {
			return n
		}
		n++
		p = p[i+len(text):]
		p = p[bytes.IndexByte(p, '\n')+1:]
	}
}

func trimCR(p []byte) []byte {
	if n := len(p); n > 0 && p[n-1] == '\r' {
		return p[:n-1]
	}
	return p
}

// candidate is the next place from at on where a literal is, or -1.
func (h *hunt) candidate(p []byte, at int) int {
	best := -1
	for i, l := range h.literals {
		if h.nexts[i] < at {
			n := l.index(p[at:])
			if n < 0 {
				h.nexts[i] = len(p)
				continue
			}
			h.nexts[i] = at + n
		}
		if h.nexts[i] < len(p) && (best < 0 || h.nexts[i] < best) {
			best = h.nexts[i]
		}
	}
	return best
}

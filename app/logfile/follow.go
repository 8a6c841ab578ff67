package logfile

import (
	"bytes"
	"context"
	"slices"
)

const (
	mostFresh  = 150     // rows of one look; more than a person can read
	maxOpen    = 1 << 20 // a line that is longer is not waited for
	mostJudged = 8 << 20 // bytes of one look that are read line by line; more is only counted
)

// Fresh is what was added to a log since the look before.
type Fresh struct {
	Rows    []Row
	Open    *Row // a last line that is not complete yet: it takes the place of the one before
	From    Position
	To      Position
	Skipped int   // lines that are not among the rows, because too many came: they are in the file
	Size    int64 // of the whole log
	Lost    bool  // some were rotated away before they were seen
}

// Follower sees what is added to a log, through every rotation. It is for one goroutine.
type Follower struct {
	log   *Log
	form  Form
	at    Position
	judge judge
	hold  *Snapshot // keeps the file that we are in, also when it is rotated away
}

// Follow begins at a place, which is the beginning of a line; the zero Position is the log's beginning.
func (l *Log) Follow(at Position, f Form) *Follower { return &Follower{log: l, form: f, at: at} }

// Close lets go of the file.
func (f *Follower) Close() {
	if f.hold != nil {
		f.hold.Close()
		f.hold = nil
	}
}

// Next is what was added since the last call. Rows are at most a few hundred: of more than that the last are given, and before them those of a warning or worse.
func (f *Follower) Next(ctx context.Context) (Fresh, error) {
	s, err := f.log.Snapshot()
	if err != nil {
		return Fresh{}, err
	}
	old := f.hold
	f.hold = s
	if old != nil {
		defer old.Close()
	}
	if f.at == (Position{}) {
		f.at = s.Begin()
	}
	fresh := Fresh{From: f.at, To: f.at, Size: s.Size()}
	i, err := s.find(f.at)
	switch {
	case err == nil:
	case len(s.files) == 0:
		f.at, fresh.To = Position{}, Position{}
		return fresh, nil
	default:
		if i, fresh.Lost, err = f.rest(ctx, s, old, &fresh); err != nil {
			return Fresh{}, err
		}
	}
	for ; i >= 0; i-- {
		if err := f.take(ctx, s.files[i], s.sizes[i], i > 0, &fresh); err != nil {
			return Fresh{}, err
		}
		if i > 0 {
			f.at = Position{s.files[i-1].id, 0}
		}
	}
	fresh.To = f.at
	fresh.thin()
	return fresh, nil
}

// rest reads the end of a file that left the log since the last look, and says which of the files comes after it; -1: none yet.
func (f *Follower) rest(ctx context.Context, s, old *Snapshot, fresh *Fresh) (next int, lost bool, err error) {
	was := -1
	if old != nil {
		was = slices.IndexFunc(old.files, func(one *file) bool { return one.id == f.at.File })
	}
	if was < 0 {
		next, lost = len(s.files)-1, true
		f.at = Position{File: s.files[next].id}
		return next, lost, nil
	}
	if st, err := old.files[was].Stat(); err == nil && st.Size() >= f.at.Offset {
		if err := f.take(ctx, old.files[was], st.Size(), true, fresh); err != nil {
			return 0, true, err
		}
	}
	next, lost = follows(s, old, was)
	f.at = s.End()
	if next >= 0 {
		f.at = Position{File: s.files[next].id}
	}
	return next, lost, nil
}

// follows is which of the files now comes after one that is gone.
func follows(s, old *Snapshot, was int) (next int, lost bool) {
	for i, file := range s.files {
		if slices.Contains(old.files[was+1:], file) { // older ones are left: it was emptied, and another took its place
			return i - 1, false
		}
	}
	for i := len(s.files) - 1; i >= 0; i-- {
		if at := slices.Index(old.files[:was], s.files[i]); at >= 0 {
			return i, at < was-1
		}
	}
	return len(s.files) - 1, len(s.files) > 1 // where none is kept, nobody knows
}

// take reads what a file has more. ended: no more of its last line will come.
func (f *Follower) take(ctx context.Context, file *file, size int64, ended bool, fresh *Fresh) error {
	if size-f.at.Offset > mostJudged {
		at, n, err := skip(ctx, file, f.at.Offset, size-mostJudged/8)
		if err != nil {
			return err
		}
		f.at.Offset = at
		fresh.Skipped += n
	}
	fresh.Open = nil
	g := &gather{form: f.form, judge: f.judge, file: file.id}
	err := scan(ctx, file, f.at.Offset, size, func(l line) bool {
		if !l.whole && !ended && l.to-l.from < maxOpen {
			j := judge{level: g.judge.level, trace: g.judge.trace} // it will be judged again when it is complete
			level, part := j.classify(l.text)
			row := f.form.row(l, file.id, level, part, 0)
			if level >= f.form.Least {
				fresh.Open = &row
			}
			return false
		}
		g.add(l)
		f.at.Offset = l.to
		return true
	})
	f.judge = judge{level: g.judge.level, trace: g.judge.trace}
	fresh.Rows = join(fresh.Rows, g.rows)
	return err
}

// skip counts lines up to the beginning of the first one that begins at or after a place.
func skip(ctx context.Context, file *file, from, to int64) (at int64, lines int, err error) {
	buf := make([]byte, 4*blockSize)
	at = from
	for {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		n, err := readAt(file, buf, at)
		if err != nil || n == 0 {
			return at, lines, err
		}
		p := buf[:n]
		if at+int64(n) >= to {
			if i := bytes.IndexByte(p[max(0, to-at):], '\n'); i >= 0 {
				p = p[:max(0, to-at)+int64(i)+1]
				return at + int64(len(p)), lines + bytes.Count(p, []byte{'\n'}), nil
			}
		}
		lines += bytes.Count(p, []byte{'\n'})
		at += int64(n)
	}
}

// thin leaves what a person can follow.
func (f *Fresh) thin() {
	over := len(f.Rows) - mostFresh
	if over <= 0 {
		return
	}
	var kept []Row
	bad := 0
	for i, r := range f.Rows[:over] {
		if r.Level >= Warning && bad < mostFresh/2 {
			kept = append(kept, f.Rows[i])
			bad++
			continue
		}
		f.Skipped += r.Count
	}
	f.Rows = append(kept, f.Rows[over:]...)
}

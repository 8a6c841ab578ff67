package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	blockSize = 64 << 10
	maxText   = 8 << 10  // of a line that is shown
	maxLine   = 64 << 20 // a line that is longer is taken apart
)

// line is one line of a file, without its newline.
type line struct {
	from, to int64  // to is where the next one begins
	text     []byte // valid until the next line; cut to maxText
	left     int64  // bytes that text leaves out
	whole    bool   // a newline ended it: more of it cannot come
}

// readAt fills buf from a place in the file, as far as there is anything.
func readAt(r io.ReaderAt, buf []byte, at int64) (int, error) {
	n, err := r.ReadAt(buf, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("reading the log: %w", err)
	}
	return n, nil
}

// scan gives the lines of a file between two places to each, until that returns false.
func scan(ctx context.Context, r io.ReaderAt, from, to int64, each func(line) bool) error {
	buf := make([]byte, min(blockSize, max(to-from, 1)))
	var part []byte // of a line that goes on in the next block: its beginning, or what a carriage return left of it
	var over int64  // bytes that one overwrote
	begin, at := from, from
	for at < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := readAt(r, buf[:min(int64(len(buf)), to-at)], at)
		if err != nil {
			return err
		}
		if n == 0 { // somebody emptied it
			break
		}
		for p := buf[:n]; len(p) > 0; {
			i := bytes.IndexByte(p, '\n')
			piece := p
			if i >= 0 {
				piece = p[:i]
			}
			if i < 0 || len(part) > 0 || over > 0 {
				if cr := lastReturn(piece); cr >= 0 {
					over += int64(len(part) + cr + 1)
					part, piece = part[:0], piece[cr+1:]
				}
				part = append(part, piece[:min(len(piece), maxText-len(part))]...)
				piece = part
			}
			if i < 0 {
				at += int64(len(p))
				break
			}
			at += int64(i + 1)
			p = p[i+1:]
			if !each(cutLine(begin, at, at-1-begin-over, piece, true)) {
				return nil
			}
			part, begin, over = part[:0], at, 0
		}
	}
	if begin < at {
		each(cutLine(begin, at, at-begin-over, part, false))
	}
	return nil
}

// lastReturn is where the last carriage return is that something comes after; -1: there is none.
func lastReturn(piece []byte) int {
	end := len(piece)
	for end > 0 && piece[end-1] == '\r' {
		end--
	}
	return bytes.LastIndexByte(piece[:end], '\r')
}

func cutLine(from, to, length int64, text []byte, whole bool) line {
	text = text[:min(len(text), maxText)]
	return line{from: from, to: to, text: text, left: length - int64(len(text)), whole: whole}
}

// back finds where the n-th line before a place begins, or an earlier line's beginning once budget bytes were looked through.
func back(ctx context.Context, r io.ReaderAt, before int64, n int, budget int64) (int64, error) {
	buf := make([]byte, min(blockSize, max(before, 1)))
	at, lines := before, 0
	start := before // of the earliest line that is found
	for at > 0 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		size := min(int64(len(buf)), at)
		at -= size
		got, err := readAt(r, buf[:size], at)
		if err != nil {
			return 0, err
		}
		p := buf[:got]
		if at+int64(got) == before && got > 0 && p[got-1] == '\n' { // it ends the line that we look for
			p = p[:got-1]
		}
		for {
			i := bytes.LastIndexByte(p, '\n')
			if i < 0 {
				break
			}
			start = at + int64(i) + 1
			if lines++; lines == n {
				return start, nil
			}
			p = p[:i]
		}
		if lines > 0 && before-at >= budget || before-at >= maxLine {
			if lines == 0 {
				return at, nil
			}
			return start, nil
		}
	}
	return 0, nil
}

// lineStart is where the line begins that a place is in.
func lineStart(ctx context.Context, r io.ReaderAt, at int64) (int64, error) {
	if at == 0 {
		return 0, nil
	}
	var last [1]byte
	if n, err := readAt(r, last[:], at-1); err != nil || n == 1 && last[0] == '\n' {
		return at, err
	}
	return back(ctx, r, at, 1, maxLine)
}

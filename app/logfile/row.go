package logfile

import (
	"bytes"
	"hash/maphash"
)

// Part is what a line is in a traceback.
type Part uint8

// The parts.
const (
	NoPart Part = iota
	Head        // "Traceback (most recent call last):"
	Body
	Tail // the line that names the exception
)

// Row is a line as it is shown, or several in a row that are the same but for their time.
type Row struct {
	At, To Position // of the first of them, and after the last
	Spans  []Span   // of the first
	Left   int64    // bytes of the line that are not shown
	Level  Level    // its own, or that of the record that it goes on
	Part   Part
	Count  int
	Key    uint64 // rows with the same one may be folded; 0: this one may not
	Hit    bool   // it matches what is searched for
}

var seed = maphash.MakeSeed()

// Form is how rows are made.
type Form struct {
	Least   Level               // lines below it are left out; None: all are shown
	Unfold  bool                // every line is a row of its own
	Mask    func(string) string // takes secrets out of the text of a line; nil: nothing is taken out
	Pattern *Pattern            // its matches are marked; nil: nothing is
}

// judge follows lines one after another: what a line means depends on those before it.
type judge struct {
	level Level // of the present record
	trace bool  // inside a traceback
	plain []byte
}

// classify tells the level and the part of the next line.
func (j *judge) classify(text []byte) (Level, Part) {
	text = j.bare(text)
	if isBlank(text) {
		return j.level, j.inside(NoPart)
	}
	indented := text[0] == ' ' || text[0] == '\t' || text[0] == '|' || text[0] == '+'
	if bytes.HasSuffix(text, []byte("(most recent call last):")) && bytes.Contains(text, []byte("Traceback")) {
		j.trace = true
		j.level = max(j.level, Error)
		return j.level, Head
	}
	if j.trace {
		if indented {
			return j.level, Body
		}
		j.trace = false
		if names(text) || levelOf(text) == None {
			return j.level, Tail
		}
	}
	if indented {
		if own := levelOf(text); own != None {
			j.level = own
		}
		return j.level, NoPart
	}
	j.level = levelOf(text)
	return j.level, NoPart
}

// names: a line names an exception, as "sqlite3.OperationalError: no such table" and "KeyboardInterrupt" do.
func names(text []byte) bool {
	n := 0
	for n < len(text) && (isWord(text[n]) || text[n] == '.') {
		n++
	}
	return n > 0 && levelWord(text[:n]) == None && (n == len(text) || text[n] == ':')
}

func (j *judge) inside(p Part) Part {
	if j.trace {
		return Body
	}
	return p
}

// bare is the text without terminal sequences.
func (j *judge) bare(text []byte) []byte {
	if i := bytes.LastIndexByte(bytes.TrimRight(text, "\r"), '\r'); i >= 0 {
		text = text[i+1:]
	}
	text = bytes.TrimRight(text, "\r")
	if bytes.IndexByte(text, 0x1b) < 0 {
		return text
	}
	j.plain = append(j.plain[:0], text...)
	out := j.plain[:0]
	for i := 0; i < len(text); {
		if text[i] == 0x1b && i+1 < len(text) && text[i+1] == '[' {
			n, _ := control(text[i:])
			i += n
			continue
		}
		out = append(out, text[i])
		i++
	}
	return out
}

func isBlank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// keyOf is the same for lines that say the same at another time. A part of a traceback has none.
func (j *judge) keyOf(text []byte, part Part) uint64 {
	if part != NoPart {
		return 0
	}
	text = withoutTime(j.bare(text))
	if isBlank(text) {
		return 0
	}
	return max(maphash.Bytes(seed, text), 1)
}

// withoutTime takes a time off the beginning of a line: digits and what stands between them.
func withoutTime(text []byte) []byte {
	n, numbers := 0, 0
	for n < len(text) && n < 40 {
		c := text[n]
		if c >= '0' && c <= '9' {
			numbers++
		} else if bytes.IndexByte([]byte("-:/., TZ+[]"), c) < 0 {
			break
		}
		n++
	}
	if numbers < 6 {
		return text
	}
	return text[n:]
}

// row makes the row of a line.
func (f Form) row(l line, file int64, level Level, part Part, key uint64) Row {
	r := Row{
		At: Position{file, l.from}, To: Position{file, l.to}, Spans: Spans(l.text), Left: l.left, Level: level, Part: part, Count: 1, Key: key,
	}
	if f.Mask != nil {
		if text := textOf(r.Spans); text != "" {
			if masked := f.Mask(text); masked != text {
				r.Spans = []Span{{Text: masked}}
			}
		}
	}
	if f.Pattern != nil {
		places := f.Pattern.places(textOf(r.Spans))
		r.Hit = len(places) > 0 || f.Pattern.matches(l.text)
		r.Spans = marked(r.Spans, places)
	}
	return r
}

// gather adds lines to rows, and folds those that repeat.
type gather struct {
	form  Form
	judge judge
	file  int64
	rows  []Row
}

func (g *gather) add(l line) {
	level, part := g.judge.classify(l.text)
	if level < g.form.Least {
		return
	}
	var key uint64
	if !g.form.Unfold {
		key = g.judge.keyOf(l.text, part)
		if n := len(g.rows); n > 0 && key != 0 && l.left == 0 && g.rows[n-1].Key == key && g.rows[n-1].Level == level {
			g.rows[n-1].Count++
			g.rows[n-1].To = Position{g.file, l.to}
			return
		}
	}
	if l.left > 0 {
		key = 0
	}
	g.rows = append(g.rows, g.form.row(l, g.file, level, part, key))
}

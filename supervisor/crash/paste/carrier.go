package paste

import "strings"

// carrier is a kind of tool that put a prefix before a program's line.
type carrier int8

const (
	none      carrier = iota
	container         // compose, honcho, pm2, Kubernetes, Heroku: a source is a program of its own
	process           // a library says which of its processes printed it
	host              // syslog and journald: a source is a process, and lines of several tell one story
	clock             // a time alone: Docker, GitHub Actions
)

// prefix is what a carrier put before a line.
type prefix struct {
	kind    carrier
	source  string
	time    string
	length  int
	column  int  // of the bar, which compose and its like keep in line for all sources
	certain bool // nothing else looks so; otherwise it counts only where lines have it in common
	partial bool // the line goes on in the next of its source
}

const (
	mostLayers   = 3  // compose with times, of a journal
	shortestHang = 12 // columns of a prefix below which an indentation may be anything
)

// carriers takes the prefixes off, layer by layer.
func carriers(ls []line) []line {
	for range mostLayers {
		if !peel(ls) {
			break
		}
	}
	ls = behindBars(joinPartial(ls))
	for i := range ls {
		ls[i].Text = strings.TrimRight(ls[i].Text, " \t") // a terminal's window fills its lines with blanks
	}
	return inherit(ls)
}

// inherit gives the lines of a traceback of which only the first has a prefix that line's source.
func inherit(ls []line) []line {
	open := -1
	for i := range ls {
		l := &ls[i]
		if l.carrier != none {
			open = -1
			if strings.Contains(l.Text, traceHeader) || strings.Contains(l.Text, fatalHeader) || isFrame(l.Text) {
				open = i
			}
			continue
		}
		if open < 0 {
			continue
		}
		l.Source, l.carrier = ls[open].Source, ls[open].carrier
		if t := l.Text; !isBlank(t) && t[0] != ' ' && t[0] != '\t' && !isFrame(t) {
			open = -1 // the exception's line
		}
	}
	return ls
}

// tally is what the lines of one uncertain source have in common.
type tally struct {
	lines    int
	first    int  // the index of the first
	spoiled  bool // a time is part of a logging form, which would be none without it
	evidence bool // behind the prefix stands what only a program prints: a traceback, an indented line
}

// peel takes one layer of prefixes off, and reports whether there was one.
func peel(ls []line) bool {
	found := make([]prefix, len(ls))
	common := map[prefix]tally{}
	filled := 0
	columns := map[int]bool{}
	for i, l := range ls {
		if isBlank(l.Text) {
			continue
		}
		filled++
		p, ok := parsePrefix(l.Text)
		if !ok {
			continue
		}
		found[i] = p
		if !p.certain {
			k := prefix{kind: p.kind, source: p.source}
			t := common[k]
			if t.lines++; t.lines == 1 {
				t.first = i
			}
			t.spoiled = t.spoiled || p.source == plainClock && spoils(l.Text, l.Text[p.length:])
			rest := l.Text[p.length:]
			t.evidence = t.evidence || strings.HasPrefix(rest, "  ") && p.source != plainClock || strings.HasPrefix(rest, traceHeader) || strings.HasPrefix(rest, `File "`) || strings.HasPrefix(rest, `  File "`) || strings.HasPrefix(rest, fatalHeader)
			common[k] = t
		}
	}
	for k, t := range common {
		if t.lines == 1 && isTelling(ls[t.first].Text[found[t.first].length:]) {
			t.lines, t.evidence = 2, true
			common[k] = t
		}
	}
	accepted := func(p prefix) bool {
		t := common[prefix{kind: p.kind, source: p.source}]
		if p.source == plainClock {
			return !t.spoiled && t.lines >= 2 && (t.evidence || t.lines == filled)
		}
		return p.certain || t.lines >= 2 && (t.evidence || t.lines*3 >= filled)
	}
	for _, p := range found {
		if p.column > 0 && accepted(p) {
			columns[p.column] = true
		}
	}
	peeled := false
	above := prefix{} // of the last line that has one
	for i, p := range found {
		if p.kind == none || !accepted(p) && !columns[p.column] {
			if l := &ls[i]; above.length >= shortestHang && indent(l.Text) >= above.length { // it goes on with the line above, as journalctl prints it
				l.Text, l.Source, l.carrier = l.Text[above.length:], ls[i-1].Source, ls[i-1].carrier
			} else if !isBlank(l.Text) {
				above = prefix{}
			}
			continue
		}
		above = p
		peeled = true
		l := &ls[i]
		l.Text = l.Text[p.length:]
		if p.time != "" && l.Time == "" {
			l.Time = p.time
		}
		if p.source != "" && p.source != plainClock && (l.Source == "" || p.kind == process) {
			l.Source = p.source
		}
		if l.carrier == none || l.carrier == clock || p.kind == process {
			l.carrier = p.kind
		}
		if p.partial {
			l.record = partialMark
		}
	}
	return peeled
}

// spoils reports whether a line is a record of logging with its time, and none without.
func spoils(s, rest string) bool {
	if strings.HasPrefix(rest, "|") || strings.HasPrefix(rest, "- ") || strings.HasPrefix(rest, ": ") {
		return true
	}
	r, ok := parseRecord(s)
	if !ok || r.level == "" || isStatement(rest) {
		return false
	}
	r, ok = parseRecord(rest)
	return !ok || r.level == ""
}

const partialMark = "\x00partial"

// joinPartial puts together the lines that a container's runtime cut in pieces (16 KiB each).
func joinPartial(ls []line) []line {
	out, open := ls[:0], -1
	var b strings.Builder
	for _, l := range ls {
		partial := l.record == partialMark
		l.record = ""
		if open >= 0 {
			b.WriteString(l.Text)
			if !partial {
				out[open].Text, open = b.String(), -1
				b.Reset()
			}
			continue
		}
		out = append(out, l)
		if partial {
			open = len(out) - 1
			b.WriteString(l.Text)
		}
	}
	if open >= 0 {
		out[open].Text = b.String()
	}
	return out
}

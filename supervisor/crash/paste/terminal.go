package paste

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// line is a line while it is taken apart.
type line struct {
	Line
	carrier carrier // what carried it, none if it stood bare
	quoted  bool    // it stood in a Markdown quote
	at      int     // where it stood, while the lines are in another order
	record  string  // what the logging form leaves of it, if it has one
}

// split cuts a text into lines and takes out what only a terminal would make of it.
func split(text string) []line {
	if strings.IndexByte(text, '\n') < 0 && strings.IndexByte(text, '\r') >= 0 {
		text = strings.ReplaceAll(text, "\r", "\n") // the lines of an old Mac
	}
	orphans := strings.Contains(text, "[0m") || strings.Contains(text, "[39m")
	ls := make([]line, 0, strings.Count(text, "\n")+1)
	for len(text) > 0 {
		raw, rest, _ := strings.Cut(text, "\n")
		text = rest
		raw = strings.TrimRight(raw, "\r")
		t, parts := shown(raw, orphans)
		if parts == nil {
			parts = []string{t}
		}
		for _, t := range parts {
			ls = append(ls, line{Line: Line{Text: t, Raw: raw}})
		}
	}
	return closed(ls)
}

// closed takes out the blank lines of a text that has one more below every line, as some pages copy it.
func closed(ls []line) []line {
	const few = 4
	filled := 0
	for i, l := range ls {
		if isBlank(l.Text) {
			continue
		}
		if i > 0 && !isBlank(ls[i-1].Text) {
			return ls
		}
		filled++
	}
	if filled < few {
		return ls
	}
	kept, blanks := ls[:0], 0
	for _, l := range ls {
		if !isBlank(l.Text) {
			blanks = 0
		} else if blanks++; blanks%2 == 1 {
			continue
		}
		kept = append(kept, l)
	}
	return kept
}

// behindBars gives what stands behind a progress bar a line of its own: the bar had not ended its line when somebody else wrote.
func behindBars(ls []line) []line {
	barred := false
	for _, l := range ls {
		if _, rest := bar(l.Text); rest != "" {
			barred = true
			break
		}
	}
	if !barred {
		return ls
	}
	out := make([]line, 0, len(ls)+1)
	for _, l := range ls {
		for {
			head, rest := bar(l.Text)
			if rest == "" {
				break
			}
			first := l
			first.Text, l.Text = head, rest
			out = append(out, first)
		}
		out = append(out, l)
	}
	return out
}

// bar cuts a line behind tqdm's bar: "Loading:  50%|█████     | 1/2 [00:01<00:01,  1.1s/it]". rest is "" if there is none, or nothing behind it.
func bar(t string) (head, rest string) {
	_, after, ok := strings.Cut(t, "%|")
	if !ok {
		return t, ""
	}
	_, after, ok = strings.Cut(after, "| ")
	if !ok {
		return t, ""
	}
	_, after, ok = strings.Cut(after, "]")
	if !ok {
		return t, ""
	}
	return strings.TrimSuffix(t, after), strings.TrimLeft(after, " ")
}

// shown is what a terminal shows of a line in the end. A line in whose course a traceback was printed gives all its parts: a carriage
// return does not wipe out what is longer.
func shown(raw string, orphans bool) (s string, parts []string) {
	s = raw
	if isControlled(s) {
		s = plain(s)
	}
	if orphans && strings.Contains(s, "m") {
		s = withoutOrphans(s)
	}
	if strings.IndexByte(s, '\r') < 0 {
		return s, nil
	}
	parts = strings.Split(s, "\r")
	last := ""
	for _, p := range parts {
		if strings.Contains(p, traceHeader) || strings.Contains(p, `File "`) {
			return "", parts
		}
		if strings.TrimSpace(p) != "" {
			last = p
		}
	}
	return last, nil
}

// isControlled reports whether a line holds anything but what is printed as it stands.
func isControlled(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' && c != '\t', c == 0x7f:
			return true
		case c == 0xc2 && i+1 < len(s) && s[i+1] <= 0xa0, c == 0xe2 && i+2 < len(s) && s[i+1] == 0x80, c == 0xef: // C1, no-break and zero-width spaces, the mark
			return true
		}
	}
	return false
}

// plain drops escape sequences and control characters, obeys a backspace, and makes a no-break space one like any other: web pages
// indent with it.
func plain(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == 0x1b:
			i += escape(s[i:])
			continue
		case c == '\b':
			_, n := utf8.DecodeLastRune(out)
			out = out[:len(out)-n]
		case c == '\t' || c == '\r' || c >= ' ' && c < 0x7f:
			out = append(out, c)
		case c >= 0x80:
			r, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == 0x9b: // the sequence's start in one character
				n += csi(s[i+n:])
			case r == 0xa0 || r == 0x202f:
				out = append(out, ' ')
			case r < 0xa0 || r == 0xfeff || r >= 0x200b && r <= 0x200f:
			default:
				out = append(out, s[i:i+n]...)
			}
			i += n
			continue
		}
		i++
	}
	return string(out)
}

// escape is the length of the escape sequence at the head of s.
func escape(s string) int {
	if len(s) < 2 {
		return 1
	}
	switch s[1] {
	case '[':
		return 2 + csi(s[2:])
	case ']', 'P', 'X', '^', '_': // strings, which end with BEL or ST
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b {
				if i+1 < len(s) && s[i+1] == '\\' {
					return i + 2
				}
				return i
			}
		}
		if s[1] == ']' && strings.Contains(s, traceHeader) { // cut off: the rest was not meant for the title
			return 2
		}
		return len(s)
	case '(', ')', '*', '+', '#', '%', ' ':
		if len(s) > 2 && s[2] < utf8.RuneSelf {
			return 3
		}
		return 2
	case 0x1b:
		return 1
	}
	if s[1] >= utf8.RuneSelf {
		return 1
	}
	return 2
}

func csi(s string) int {
	for i := range len(s) {
		if s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
		if s[i] < 0x20 || s[i] > 0x7e {
			return i
		}
	}
	return len(s)
}

// withoutOrphans drops colours whose escape character got lost on the way, or was written out: "[31m", "^[[0m", "#033[1m", "\x1b[0m".
func withoutOrphans(s string) string {
	var out []byte
	found := false
	for {
		open := strings.IndexByte(s, '[')
		if open < 0 {
			break
		}
		end := open + 1
		for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == ';') {
			end++
		}
		if end >= len(s) || s[end] != 'm' || end-open > 16 || end-open < 2 {
			out = append(out, s[:end]...)
			s = s[end:]
			continue
		}
		out, found = append(out, s[:open]...), true
		for _, written := range []string{"^[", "#033", `\x1b`, `\033`, `\u001b`, `\e`, "\ufffd", "␛"} {
			if cut, ok := bytes.CutSuffix(out, []byte(written)); ok {
				out = cut
				break
			}
		}
		s = s[end+1:]
	}
	if len(out) == 0 && !found {
		return s
	}
	return string(append(out, s...))
}

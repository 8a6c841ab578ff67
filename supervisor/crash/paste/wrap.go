package paste

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	narrowest = 60  // columns of a window below which nobody reads a log
	widest    = 300 // and above which no window cuts its lines
	fewestCut = 2   // lines that are as long as the window is wide
	alike     = 8   // bytes that two lines of one form begin with
)

// unwrapped puts lines together again that a terminal's window had cut, as tmux and screen copy them: no line is longer than the window, and
// what follows one of its whole width begins in the middle of something.
func unwrapped(ls []line) []line {
	width := 0
	for _, l := range ls {
		width = max(width, utf8.RuneCountInString(l.Text))
	}
	if width < narrowest || width > widest {
		return ls
	}
	cut, whole := 0, 0
	for i := range ls[:max(len(ls)-1, 0)] {
		switch {
		case !isCut(ls[i], width):
		case goesOn(ls[i], ls[i+1]):
			cut++
		default:
			whole++
		}
	}
	if whole > cut || whole > 0 && !isUsual(width) || cut < fewestCut && !(cut == 1 && whole == 0 && isUsual(width) && inTheMiddle(ls, width)) {
		return ls
	}
	out := ls[:0:0]
	for i := 0; i < len(ls); i++ {
		l := ls[i]
		for last := l; isCut(last, width) && i+1 < len(ls) && goesOn(last, ls[i+1]); {
			i++
			last = ls[i]
			l.Text, l.Raw = l.Text+last.Text, l.Raw+last.Raw
		}
		out = append(out, l)
	}
	return out
}

// isUsual are widths that windows have.
func isUsual(width int) bool { return slices.Contains([]int{80, 100, 120, 132, 160, 200}, width) }

// inTheMiddle reports whether the only cut line was cut within a word or beside a space, and goes on as no sentence begins.
func inTheMiddle(ls []line, width int) bool {
	for i := range ls[:len(ls)-1] {
		if isCut(ls[i], width) {
			last, _ := utf8.DecodeLastRuneInString(ls[i].Text)
			next, _ := utf8.DecodeRuneInString(ls[i+1].Text)
			return (last == ' ' || unicode.IsLetter(last) || unicode.IsDigit(last)) && (unicode.IsLower(next) || unicode.IsDigit(next) || strings.ContainsRune(" ,.;:)]}", next))
		}
	}
	return false
}

func isCut(l line, width int) bool {
	return utf8.RuneCountInString(l.Text) == width && !strings.HasSuffix(l.Text, "  ") // blanks that fill the window
}

// goesOn reports whether a line is the rest of the one above: it has the form of no line that stands for itself.
func goesOn(above, l line) bool {
	t := l.Text
	switch {
	case isBlank(t), indent(t) > 1, t[0] == '{', isTelling(t), isFrame(t), isPrinted(t):
		return false
	case len(t) > alike && strings.HasPrefix(above.Text, t[:alike]): // two of one form, of one length by chance
		return false
	case strings.Trim(t, "-=_~^* |+") == "", strings.Trim(above.Text, "-=_~^* |+") == "", strings.ContainsAny(above.Text, "│─━╭╰"): // drawn
		return false
	}
	if _, ok := parsePrefix(t); ok {
		return false
	}
	if rest, ok := digits(t, 1, 4); ok && strings.HasPrefix(rest, " ") && strings.Contains(rest, " 0x") { // a frame of a native stack
		return false
	}
	r, ok := parseRecord(t)
	return !ok || r.level == ""
}

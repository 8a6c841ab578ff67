package paste

import (
	"html"
	"strings"
)

// oneLine is for what an entity may bring into a line.
var oneLine = strings.NewReplacer("\n", " ", "\r", " ")

var straight = strings.NewReplacer("“", `"`, "”", `"`, "‘", "'", "’", "'")

// markup takes out what a page or an issue puts around a program's output: entities, tags, fences, quotes.
func markup(text string, ls []line) []line {
	if strings.Contains(text, "&quot;") || strings.Contains(text, "&lt;") || strings.Contains(text, "&gt;") || strings.Contains(text, "&amp;") || strings.Contains(text, "&#") {
		for i := range ls {
			if strings.IndexByte(ls[i].Text, '&') >= 0 {
				ls[i].Text = oneLine.Replace(plain(html.UnescapeString(ls[i].Text)))
			}
		}
	}
	if strings.ContainsAny(text, "“”‘’") { // a program for letters set the quotation marks
		for i := range ls {
			if !strings.Contains(ls[i].Text, `{"`) { // in a record's text they are what somebody wrote
				ls[i].Text = straight.Replace(ls[i].Text)
			}
		}
	}
	ls = quotes(ls)
	ls = unnumbered(ls)
	if strings.Contains(text, "`") || strings.Contains(text, "**") {
		for i := range ls {
			ls[i].Text = unmarked(ls[i].Text)
		}
	}
	if strings.Contains(text, "</") || strings.Contains(text, "&lt;/") || strings.Contains(text, "<details") || strings.Contains(text, "<pre") || strings.Contains(text, "<br") {
		ls = tags(ls)
	}
	if strings.Contains(text, "```") || strings.Contains(text, "~~~") || strings.Contains(text, "{code") || strings.Contains(text, "{noformat") || strings.Contains(text, "[code]") || strings.Contains(text, "[/code]") {
		ls = fences(ls)
	}
	return ls
}

// unmarked takes the marks of code and of emphasis off a line that stands in them as a whole.
func unmarked(s string) string {
	for _, mark := range []string{"`", "**"} {
		if t, ok := strings.CutPrefix(strings.TrimSpace(s), mark); ok {
			if t, ok = strings.CutSuffix(t, mark); ok && t != "" && !strings.Contains(t, mark) {
				return t
			}
		}
	}
	return s
}

// unnumbered takes the numbers off lines that are counted from the first to the last, as pages show them.
func unnumbered(ls []line) []line {
	last, n := -1, 0
	for _, l := range ls {
		if isBlank(l.Text) {
			continue
		}
		at, _, ok := lineNumber(l.Text)
		if !ok || last >= 0 && at != last+1 {
			return ls
		}
		last = at
		n++
	}
	if n == 0 || n < 3 && (last != n || !anyTelling(ls)) {
		return ls
	}
	for i := range ls {
		if _, rest, ok := lineNumber(ls[i].Text); ok {
			ls[i].Text = rest
		}
	}
	return ls
}

func anyTelling(ls []line) bool {
	for _, l := range ls[:min(len(ls), 4)] {
		if _, rest, ok := lineNumber(l.Text); ok && isTelling(strings.TrimLeft(rest, " ")) {
			return true
		}
	}
	return false
}

// lineNumber reads "12  ", "12: ", "12<tab>", "12 | ".
func lineNumber(s string) (n int, rest string, ok bool) {
	s = s[indent(s):]
	rest, ok = digits(s, 1, 6)
	if !ok {
		return 0, s, false
	}
	for _, c := range s[:len(s)-len(rest)] {
		n = n*10 + int(c-'0')
	}
	for _, mark := range []string{" | ", " │ ", ": ", "\t", " "} {
		if after, is := strings.CutPrefix(rest, mark); is {
			return n, after, true
		}
	}
	return n, rest, rest == "" || rest == " |" || rest == ":"
}

const deepestQuote = 6

// quotes takes the marks of Markdown's and of mails' quotes off. One line alone is none: loguru marks a frame so, and npm a command.
func quotes(ls []line) []line {
	for range deepestQuote {
		found := false
		for i := 0; i < len(ls); {
			end := i
			for end < len(ls) && isQuote(ls[end].Text) {
				end++
			}
			if end-i >= 2 || end-i == 1 && isTelling(unquoteAll(ls[i].Text)) {
				found = true
				for j := range ls[i:end] {
					l := &ls[i+j]
					l.Text, l.quoted = unquote(l.Text), true
				}
			}
			i = max(end, i+1)
		}
		if !found {
			break
		}
	}
	return ls
}

func isQuote(s string) bool {
	s = strings.TrimLeft(s, " ")
	return strings.HasPrefix(s, ">") && !strings.HasPrefix(s, ">>> ") && s != ">>>" && !strings.HasPrefix(s, `> File "`)
}

func unquoteAll(s string) string {
	for range deepestQuote {
		if !isQuote(s) {
			break
		}
		s = unquote(s)
	}
	return s
}

func unquote(s string) string {
	s = strings.TrimLeft(s, " ")[1:]
	return strings.TrimPrefix(s, " ")
}

// pageTags are those that pages and issues put around text. Python's own "<module>" and "<string>" are none of them.
var pageTags = []string{
	"details", "summary", "pre", "code", "blockquote", "br", "p", "div", "span", "samp", "kbd", "tt", "b", "strong", "em", "i", "a", "font", "body", "html", "table", "tr", "td",
}

// tags drops the tags, and lines of nothing else; what a summary says is no output.
func tags(ls []line) []line {
	out := make([]line, 0, len(ls))
	for _, l := range ls {
		if strings.IndexByte(l.Text, '<') < 0 {
			out = append(out, l)
			continue
		}
		for _, br := range []string{"<br>", "<br/>", "<br />"} {
			for {
				before, after, is := strings.Cut(l.Text, br)
				if !is || strings.TrimSpace(after) == "" {
					break
				}
				first := l
				first.Text, _ = untag(before)
				out = append(out, first)
				l.Text = after
			}
		}
		t, found := untag(l.Text)
		if found && strings.TrimSpace(t) == "" {
			continue
		}
		l.Text = t
		out = append(out, l)
	}
	return out
}

func untag(s string) (text string, found bool) {
	if open := strings.Index(s, "<summary>"); open >= 0 {
		if end := strings.Index(s[open:], "</summary>"); end >= 0 {
			s, found = s[:open]+s[open+end+len("</summary>"):], true
		}
	}
	var b strings.Builder
	for {
		open := strings.IndexByte(s, '<')
		if open < 0 {
			break
		}
		n := tagLength(s[open:])
		if n == 0 {
			b.WriteString(s[:open+1])
			s = s[open+1:]
			continue
		}
		b.WriteString(s[:open])
		s, found = s[open+n:], true
	}
	if !found {
		return b.String() + s, false
	}
	b.WriteString(s)
	return b.String(), true
}

// tagLength is the length of the tag at the head of s, 0 if it is none of a page.
func tagLength(s string) int {
	name := strings.TrimPrefix(s[1:min(len(s), 16)], "/")
	for _, t := range pageTags {
		rest, ok := strings.CutPrefix(name, t)
		if !ok || rest == "" || rest[0] != '>' && rest[0] != ' ' && rest[0] != '/' {
			continue
		}
		if end := strings.IndexByte(s[:min(len(s), 400)], '>'); end >= 0 {
			return end + 1
		}
	}
	return 0
}

package paste

import "strings"

// fences drops the marks of fenced blocks and the prose between them. Where the lines outside are a log's own, the fences are what a
// program printed, as servers of language models do, and stay.
func fences(ls []line) []line {
	inside := make([]bool, len(ls))
	open, any := "", false
	for i, l := range ls {
		mark := fence(l.Text)
		switch {
		case open == "" && mark != "":
			open, any = mark, true
			inside[i] = true
		case open != "" && (mark == open || open != "`" && open != "~" && mark != ""):
			open = ""
			inside[i] = true
		default:
			inside[i] = open != ""
			if open == "`" && strings.HasSuffix(l.Text, "```") {
				open = ""
			}
		}
	}
	if !any {
		return ls
	}
	evident := false
	for i, l := range ls {
		if inside[i] {
			continue
		}
		if r, ok := parseRecord(l.Text); ok && r.level != "" || strings.Contains(l.Text, `HTTP/1.`) {
			return ls
		}
		evident = evident || isEvident(l.Text)
	}
	out := ls[:0]
	for i, l := range ls {
		if fence(l.Text) != "" {
			l.Text = afterFence(l.Text)
			if l.Text == "" {
				continue
			}
		} else if !inside[i] && !evident {
			continue
		}
		if cut, ok := strings.CutSuffix(l.Text, "```"); ok {
			l.Text = cut
		}
		out = append(out, l)
	}
	return out
}

// isEvident reports whether a line outside of the fences may be more than prose.
func isEvident(s string) bool {
	for _, word := range []string{traceHeader, `File "`, "rror", "abort", "erminat", "panic", "ssert", "Fatal", "illed", "OMP:", "rash", "0x"} {
		if strings.Contains(s, word) {
			return !isProse(s)
		}
	}
	key, known := reportKey(strings.TrimSpace(s))
	return known && reportKeys[key] || isStatement(s)
}

// isProse reports whether a line is a sentence of somebody's, or a heading.
func isProse(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasPrefix(s, "#") || strings.Count(s, " ") >= 3 && !strings.ContainsAny(s, `:"=(/`) || strings.HasSuffix(s, "?")
}

// fence is the kind of mark that a line is: "`", "~", "{"; "" if it is none.
func fence(s string) string {
	s = strings.TrimSpace(s)
	switch {
	case strings.HasPrefix(s, "```"):
		return "`"
	case strings.HasPrefix(s, "~~~"):
		return "~"
	case strings.HasPrefix(s, "{code") && strings.HasSuffix(s, "}"), s == "{noformat}":
		return "{"
	case s == "[code]" || s == "[/code]":
		return "["
	}
	return ""
}

// afterFence is what stands beside an opening mark and is no language's name.
func afterFence(s string) string {
	s = strings.TrimSpace(s)
	rest := strings.TrimLeft(s, "`~")
	if rest == s || !strings.Contains(rest, " ") || strings.Contains(rest, "=") && !strings.Contains(rest, ":") {
		return ""
	}
	return rest
}

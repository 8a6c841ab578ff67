package page

import (
	"fmt"
	"strings"
)

// markdown is the report as text for an issue: short enough to be pasted, with what helps another person.
func (p crashPage) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %s\n\n", plainMarkdown(p.Backend), plainMarkdown(p.Summary))
	if p.Remedy != "" { // the commands in it stand between backticks already
		fmt.Fprintf(&b, "**What to do:** %s\n\n", withCommands(p.Remedy))
	}
	row := func(name, value string) { fmt.Fprintf(&b, "- %s: %s\n", plainMarkdown(name), plainMarkdown(value)) }
	row("Died", p.At+" "+p.Zone)
	if p.Kind != "" {
		row("Kind", p.Kind)
	}
	for _, f := range p.Facts {
		row(f.Name, f.Value)
	}
	for _, v := range p.Versions {
		row(v.Name, v.Value)
	}
	if p.Line != "" {
		fenced(&b, "The line that decided", []string{p.Line})
	}
	if p.Timeline != nil {
		fmt.Fprintf(&b, "\n%s\n", plainMarkdown(p.Timeline.Says))
	}
	if p.Graph != nil {
		b.WriteString("\n**OpenMP**\n\n")
		for _, c := range p.Graph.Copies {
			row(c.Detail, copyWords(c))
		}
	}
	for _, s := range p.Stacks {
		fenced(&b, s.Title, s.lines())
	}
	if p.Native != nil {
		b.WriteString("\n**What the system reports**\n\n")
		for _, f := range p.Native.Facts {
			row(f.Name, f.Value)
		}
		fenced(&b, "The thread that crashed", p.Native.lines())
	}
	fenced(&b, "The end of the log", p.Tail.around())
	var env []string
	for _, v := range p.Environment {
		l := v.Name + "=" + v.Value
		if v.Missing {
			l += "  # did not arrive in Python"
		}
		env = append(env, l)
	}
	for _, name := range p.Missing {
		env = append(env, name+"  # did not arrive in Python")
	}
	fenced(&b, "Crash environment", env)
	return b.String()
}

// copyWords is a copy of OpenMP in one line.
func copyWords(c node) string {
	text := c.Version
	if len(c.Users) > 0 {
		text += ", used by " + strings.Join(c.Users, ", ")
	}
	if state := c.State(); state != "" {
		text += ", " + state
	}
	return text
}

// lines are the stack in Python's own form.
func (s stack) lines() []string {
	var all []string
	for _, f := range s.Frames {
		l := fmt.Sprintf(`File "%s", line %s`, f.File, f.Line)
		if f.Function != "" {
			l += ", in " + f.Function
		}
		if f.Own {
			l = "→ " + l
		} else {
			l = "  " + l
		}
		all = append(all, l)
		if f.Code != "" {
			for code := range strings.SplitSeq(f.Code, "\n") {
				all = append(all, "      "+code)
			}
		}
	}
	if s.End != "" {
		all = append(all, s.End)
	}
	return all
}

// around is the end of the log, with the deciding line in it.
func (t tail) around() []string {
	from := max(0, len(t.Lines)-plainLog)
	to := len(t.Lines)
	for i, l := range t.Lines {
		if l.Deciding && i < from {
			from, to = max(0, i-plainLog/2), min(to, i+plainLog/2)
			break
		}
	}
	var all []string
	for _, l := range t.Lines[from:to] {
		all = append(all, l.Text)
	}
	return all
}

// fenced writes lines as they are, in a fence that none of them can close.
func fenced(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fence := "```"
	for strings.Contains(strings.Join(lines, "\n"), fence) {
		fence += "`"
	}
	fmt.Fprintf(b, "\n**%s**\n\n%s\n%s\n%s\n", plainMarkdown(title), fence, strings.Join(lines, "\n"), fence)
}

var marks = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "<", "\\<", ">", "\\>", "#", "\\#", "|", "\\|", "~~", "\\~~", "!", "\\!",
	"@", "@\u200b", "://", ":\\//", "www.", "www\\.")

// withCommands is a text whose commands stand between backticks: those are shown to the letter, and the rest is plain.
func withCommands(s string) string {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 {
		return plainMarkdown(s)
	}
	for i := 0; i < len(parts); i += 2 {
		parts[i] = plainMarkdown(parts[i])
	}
	return strings.Join(parts, "`")
}

// plainMarkdown is a text that is shown as it is: output may hold links and mentions. A backslash undoes an address, but not a name after an
// @, whose user would be told: an invisible space does.
func plainMarkdown(s string) string { return marks.Replace(s) }

package environment

import "strings"

// exportWidth is where the comments of Exports are broken.
const exportWidth = 100

// Exports is the crash environment for a shell: an export line for each variable, the reason above it. `eval` of it, or
// sourcing it, sets exactly these values.
func Exports(applied []Var) string {
	var b strings.Builder
	for i, v := range applied {
		if i > 0 {
			b.WriteByte('\n')
		}
		why := v.Why
		if v.From != "" && v.From != FromVivarium {
			why += " (From " + v.From + ".)"
		}
		for _, line := range wrap(why, exportWidth-2) {
			b.WriteString("# " + line + "\n")
		}
		if v.Unset {
			b.WriteString("unset " + v.Name + "\n")
			continue
		}
		b.WriteString("export " + v.Name + "=" + Quote(v.Value) + "\n")
	}
	return b.String()
}

// Quote makes one word of a POSIX shell out of any text without NUL. What needs no quotes gets none.
func Quote(s string) string {
	plain := s != ""
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+", r) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// wrap breaks text at spaces. Fields drops every line break, so no reason can leave its comment.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// Markdown is the crash environment as a table for the README.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| variable | value | what it really does |\n|---|---|---|\n")
	for _, v := range table {
		name, why := "`"+v.Name+"`", strings.ReplaceAll(v.Why, "|", `\|`)
		if v.Only == "darwin" {
			name += " (macOS only)"
		}
		b.WriteString("| " + name + " | `" + v.Value + "` | " + why + " |\n")
	}
	return b.String()
}

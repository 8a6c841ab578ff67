package project

import (
	"slices"
	"strings"
)

// justfile reads the recipes of just. It is close to a Makefile, but a recipe has parameters, and what stands in {{ }} is just's own: the
// shell never sees it.
func (p *Project) justfile(file string) {
	globals, values := map[string]string{}, map[string]string{}
	target, n := "", 0
	for line := range strings.Lines(p.r.text(file)) {
		n++
		if recipe := strings.TrimLeft(line, " \t"); recipe != line && target != "" {
			if slices.Contains(serveNames, target) {
				p.line("Makefile", target, fillJust(strings.TrimLeft(recipe, "@-"), values, globals), Place{file, n}, ".")
			}
			continue
		}
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, ":="); ok {
			name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "export "))
			if text, plain := justText(value); plain && isName(name) {
				globals[name] = text
			}
			target = ""
			continue
		}
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		target, values = justHeader(line)
	}
}

// justHeader is a recipe's name and the values that its parameters have when nobody gives any: `serve port="8000" *args:`.
func justHeader(line string) (target string, values map[string]string) {
	head, _, ok := strings.Cut(line, ":")
	fields := strings.Fields(head)
	if !ok || len(fields) == 0 {
		return "", nil
	}
	values = map[string]string{}
	for _, f := range fields[1:] {
		name, value, given := strings.Cut(f, "=")
		star := strings.HasPrefix(name, "*")
		name = strings.TrimLeft(name, "*+$")
		if text, plain := justText(value); given && plain {
			values[name] = text
		} else if star && !given {
			values[name] = ""
		}
	}
	return strings.TrimPrefix(fields[0], "@"), values
}

// justText is a quoted text or a bare number, the values that need no just to be known.
func justText(value string) (string, bool) {
	value = strings.TrimSpace(value)
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] && strings.Count(value, value[:1]) == 2 {
		return value[1 : n-1], true
	}
	return "", false
}

// fillJust puts values in the place of {{name}}. One that only just can know becomes a shell's variable of that name, which is left out as such.
func fillJust(recipe string, scopes ...map[string]string) string {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(recipe, "{{")
		inside, after, closed := strings.Cut(rest, "}}")
		if !open || !closed {
			b.WriteString(recipe)
			return b.String()
		}
		b.WriteString(before)
		name := strings.TrimSpace(inside)
		b.WriteString(justValue(name, scopes))
		recipe = after
	}
}

func justValue(name string, scopes []map[string]string) string {
	for _, values := range scopes {
		if v, ok := values[name]; ok {
			return v
		}
	}
	if isName(name) {
		return "${" + name + "}"
	}
	return "${just}"
}

package servers

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the fixtures expect anew")

// split reads a line as a shell does, as far as the fixtures need it.
func split(line string) []string {
	var words []string
	quote, word, open := rune(0), "", false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, open = r, true
		case quote == 0 && r == ' ':
			if word != "" || open {
				words = append(words, word)
			}
			word, open = "", false
		default:
			word += string(r)
		}
	}
	if word != "" || open {
		words = append(words, word)
	}
	return words
}

func describe(argv []string) string {
	var b strings.Builder
	s, m := ByCommand(argv)
	name := s.Name
	if name == "" {
		name = "nothing"
	}
	fmt.Fprintf(&b, "\tis %s", name)
	say := func(what string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "0" && text != "false" {
			fmt.Fprintf(&b, " %s=%s", what, strings.TrimPrefix(text, "true"))
		}
	}
	say("sub", m.Sub)
	say("app", m.App)
	say("in", m.AppDir)
	say("factory", m.Factory)
	say("host", m.Host)
	say("port", m.Port)
	say("socket", m.Socket)
	say("workers", m.Workers)
	say("root", m.Root)
	say("tls", m.TLS)
	say("reload", IsReloader(argv))
	for _, v := range m.Via {
		say("via", strings.Join(strings.Fields(strings.Join(v.Words, " ")), "_"))
		say("env", v.Name+v.Prefix)
	}
	b.WriteString("\n")
	command, left, ok := Rewrite(argv)
	if ok {
		fmt.Fprintf(&b, "\t-> %s\n", strings.Join(command, " "))
	}
	for _, l := range left {
		fmt.Fprintf(&b, "\tleft %s: %s\n", strings.Join(l.Words, " "), l.Why)
	}
	return b.String()
}

func TestCommandLinesAreReadAsTheirProgramsReadThem(t *testing.T) {
	const file = "testdata/commands.txt"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var out strings.Builder
	n := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "\t") {
			continue
		}
		n++
		out.WriteString(line + "\n" + describe(split(line)))
	}
	require.Greater(t, n, 90)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
		return
	}
	require.Equal(t, string(text), out.String())
}

package paste

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// update writes what is parsed into the fixtures, to be read by a person before they are committed.
var update = flag.Bool("update", false, "write what is parsed of testdata anew")

const parsedMark = "-- parsed --\n"

// A fixture is a text, and below the mark what is parsed of it: "=" is a line as it stood, "~" one that was cleaned.
func TestATextIsTakenApartAsItsFixtureSays(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 60)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			text, want, ok := strings.Cut(string(raw), parsedMark)
			require.True(t, ok || *update, "no %q", parsedMark)
			got := parsedText(Copied([]byte(text)))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(text+parsedMark+got), 0o644))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

// parsedText shows what was parsed: a line with what its prefix told, marked where the text is not the line as it stood.
func parsedText(t Text) string {
	var b strings.Builder
	for _, l := range t.Lines {
		mark := "="
		if l.Text != l.Raw {
			mark = "~"
		}
		var told []string
		for _, s := range []string{l.Source, l.Level, l.Time} {
			if s != "" {
				told = append(told, s)
			}
		}
		if len(told) > 0 {
			fmt.Fprintf(&b, "%s [%s] %s\n", mark, strings.Join(told, " · "), l.Text)
			continue
		}
		fmt.Fprintf(&b, "%s %s\n", mark, l.Text)
	}
	if s := t.Status; s.Known {
		fmt.Fprintf(&b, "status: by=%s code=%d signal=%s oom=%v core=%v\n   line: %s\n", s.By, s.Code, signalText(s.Signal), s.OOMKilled, s.CoreDumped, s.Line)
	}
	for _, r := range t.Reports {
		fmt.Fprintf(&b, "report:\n%s", r)
	}
	return b.String()
}

func signalText(n int) string {
	for _, name := range linuxNames {
		if name != "" && int(numbers[name]) == n {
			return name
		}
	}
	if n == 0 {
		return "none"
	}
	return syscall.Signal(n).String()
}

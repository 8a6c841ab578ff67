package logfile

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestColoursBecomeClasses(t *testing.T) {
	for text, want := range map[string][]Span{
		"plain":                                  {{"plain", ""}},
		"":                                       nil,
		"\x1b[32mINFO\x1b[0m:     ok":            {{"INFO", "f2"}, {":     ok", ""}},
		"\x1b[1;31mbold red\x1b[22m red":         {{"bold red", "b f1"}, {" red", "f1"}},
		"\x1b[97;41mx\x1b[39my\x1b[49mz":         {{"x", "f15 g1"}, {"y", "g1"}, {"z", ""}},
		"\x1b[38;5;196mred\x1b[m":                {{"red", "f1"}},
		"\x1b[38;2;0;255;0mgreen":                {{"green", "f2"}},
		"\x1b[38;5;244mgrey\x1b[48;5;9mx":        {{"grey", "f7"}, {"x", "f7 g9"}},
		"\x1b[4munder\x1b[24m\x1b[3mitalic":      {{"under", "u"}, {"italic", "i"}},
		"\x1b[7minverse\x1b[27m\x1b[9mgone":      {{"inverse", "v"}, {"gone", "s"}},
		"a\tb":                                   {{"a\tb", ""}},
		"häßlich 😀 👩‍👩‍👧":                        {{"häßlich 😀 👩‍👩‍👧", ""}},
		" 10%|#\r 50%|###\r100%|#####\r":         {{"100%|#####", ""}},
		"cursor\x1b[2K\x1b[1Ahere":               {{"cursorhere", ""}},
		"\x1b]0;a title\x07shown":                {{"shown", ""}},
		"\x1b]8;;http://x\x1b\\link\x1b]8;;\x07": {{"link", ""}},
		"\x1b(Bcharset":                          {{"charset", ""}},
		"\x1b[31":                                nil,
		"\x1b":                                   {{"␛", "c"}},
		"\x1b]unended":                           {{"␛", "c"}, {"]unended", ""}},
		"a\x00b\x08c\x7f":                        {{"a", ""}, {"␀", "c"}, {"b", ""}, {"␈", "c"}, {"c", ""}, {"␡", "c"}},
		"user\u202egpj.exe":                      {{"user", ""}, {"‹U+202E›", "c"}, {"gpj.exe", ""}},
		"zero\u200bwidth\ufeff":                  {{"zero", ""}, {"‹U+200B›", "c"}, {"width", ""}, {"‹U+FEFF›", "c"}},
		"bad \xff\xfe utf-8":                     {{"bad \ufffd\ufffd utf-8", ""}},
		"<script>alert(1)</script>":              {{"<script>alert(1)</script>", ""}},
		"\u2028line":                             {{"‹U+2028›", "c"}, {"line", ""}},
		"\u009b31mc1":                            {{"‹U+009B›", "c"}, {"31mc1", ""}},
	} {
		require.Equal(t, want, Spans([]byte(text)), "%q", text)
	}
}

func TestWhatASearchFoundIsMarkedAcrossColours(t *testing.T) {
	p, err := Compile("o w", false)
	require.NoError(t, err)
	spans := Spans([]byte("\x1b[32mhello\x1b[0m world, o w"))
	require.Equal(t, []Span{{"hell", "f2"}, {"o", "f2 m"}, {" w", "m"}, {"orld, ", ""}, {"o w", "m"}}, marked(spans, p.places(textOf(spans))))
}

// shown is what may reach a page.
func shown(t *testing.T, spans []Span) {
	t.Helper()
	for _, s := range spans {
		require.True(t, utf8.ValidString(s.Text))
		require.NotEmpty(t, s.Text)
		require.Empty(t, strings.Trim(s.Class, "bdiuvsfgmc 0123456789"))
		for _, r := range s.Text {
			ok := r == '\t' || r == '\u200c' || r == '\u200d' || !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
			require.True(t, ok, "%U", r)
		}
	}
}

func FuzzSpans(f *testing.F) {
	for _, s := range []string{"\x1b[38;5;1mx", "\x1b[;;;m", "\x1b]0;\x1b\\", "\x1bP\x1b", "\r\r\n", "\xf0\x9f\x98", "\x1b[999999999999999999999m", "\x1b[48;2;1m"} {
		f.Add([]byte(s), "x")
	}
	f.Fuzz(func(t *testing.T, text []byte, pattern string) {
		spans := Spans(text)
		shown(t, spans)
		p, err := Compile(pattern, false)
		if err != nil {
			return
		}
		all := marked(spans, p.places(textOf(spans)))
		shown(t, all)
		require.Equal(t, textOf(spans), textOf(all))
	})
}

package terminal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnATerminalOnlyLettersLinesAndColoursArrive(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext, ü, 漢, 👩‍💻\n":                        "plain\ttext, ü, 漢, 👩‍💻\n",
		"\x1b[31mred\x1b[0m \x1b[1;38;5;208mx\x1b[m\n":    "\x1b[31mred\x1b[0m \x1b[1;38;5;208mx\x1b[m\n",
		"\x1b[38:2::1:2:3mx\n":                            "\x1b[38:2::1:2:3mx\n",
		"a\x1b]52;c;cm0gLXJmIC8=\ab\n":                    "ab\n",
		"a\x1b]0;title\x1b\\b\n":                          "ab\n",
		"a\x1bPq#0;2;0\x1b\\b\n":                          "ab\n",
		"a\x1b_payload\x1b\\b\x1b^x\x1b\\c\x1bXs\x1b\\\n": "abc\n",
		"a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b\n":    "alinkb\n",
		"a\x1b]never ends\nthe next line\n":               "a\nthe next line\n",
		"a\u009d0;title\u009cb\u009b2Jc\u0090x\u009cd\n":  "abcd\n",
		"a\x9bb\n": "a?b\n",
		"a\x1b[2J\x1b[H\x1b[?1049h\x1b[6nb\x1b[>4;2mc\n": "abc\n",
		"a\x1bcb\x1b(0c\x1b7d\x1b=e\n":                   "abcde\n",
		"safe\rhidden\r\nx\n":                            "safe\nhidden\nx\n",
		"a\b\b\x00\x7f\x0e\vb\n":                         "ab\n",
		"a\u202eb\u2066c\u200fd\n":                       "abcd\n",
		"a\x1b[31\x1b[0mb\n":                             "a\x1b[0mb\n",
		"a\x1b[" + strings.Repeat("1;", 200) + "mb\n":    "a" + strings.Repeat("1;", 168)[1:] + "mb\n",
	} {
		for size := range len(in) {
			var out bytes.Buffer
			s := &Safe{Out: &out}
			for rest := in; rest != ""; {
				n := min(size+1, len(rest))
				took, err := s.Write([]byte(rest[:n]))
				require.NoError(t, err)
				require.Equal(t, n, took)
				rest = rest[n:]
			}
			if strings.Contains(want, "1;1;1;") { // how much of an endless sequence is shown does not matter
				require.NotContains(t, out.String(), "\x1b")
				continue
			}
			require.Equal(t, want, out.String(), "%q in pieces of %d", in, size+1)
		}
	}
}

func FuzzNoSequenceButAColourPasses(f *testing.F) {
	f.Add([]byte("a\x1b]52;c;x\ab"), 3)
	f.Add([]byte("\x1b[31m\x1b[2J\u009b"), 1)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		var out bytes.Buffer
		s := &Safe{Out: &out}
		size = 1 + max(size%64, -size%64)
		for rest := in; len(rest) > 0; {
			n := min(size, len(rest))
			_, err := s.Write(rest[:n])
			require.NoError(t, err)
			rest = rest[n:]
		}
		text := out.String()
		for {
			i := strings.IndexByte(text, '\x1b')
			if i < 0 {
				break
			}
			text = text[i:]
			require.True(t, strings.HasPrefix(text, "\x1b["))
			end := 2 + strings.IndexFunc(text[2:], func(r rune) bool { return !strings.ContainsRune("0123456789;:", r) })
			require.Greater(t, end, 1)
			require.Equal(t, byte('m'), text[end])
			text = text[end:]
		}
		for _, r := range out.String() {
			require.False(t, r < 0x20 && r != '\n' && r != '\t' && r != '\x1b' || r >= 0x7f && r < 0xa0, "%q", r)
		}
	})
}

package mask

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A value may hold its own quotes, escaped once more: it ends at the quote that is escaped as often as the one it begins with.
func TestAQuoteInsideASecretIsNotItsEnd(t *testing.T) {
	for name, line := range map[string]string{
		"JSON inside of JSON":         `body {\"password\": \"a\\\"b hunter2abc\", \"user\": \"kim\"}`,
		"JSON, twice inside of JSON":  `body {\\\"password\\\": \\\"a\\\\\\\"b hunter2abc\\\", \\\"user\\\": \\\"kim\\\"}`,
		"a couple, inside of JSON":    `"headers": "[[\"x-api-key\", \"a\\\"b hunter2abc\"], [\"user\", \"kim\"]]"`,
		"JSON":                        `{"password": "a\"b hunter2abc", "user": "kim"}`,
		"a text in three quotes":      `password = """hunter2abc"""; user = "kim"`,
		"a text in three apostrophes": `password = '''a"b 'c' hunter2abc'''; user = 'kim'`,
		"a couple in three quotes":    `[("x-api-key", """hunter2abc"""), ("user", "kim")]`,
	} {
		t.Run(name, func(t *testing.T) {
			got := Line(line)
			require.NotContains(t, got, "hunter2abc")
			require.Contains(t, got, "kim", "what stands behind it stays")
		})
	}
}

func TestAnEmptyValueHidesNothingBehindIt(t *testing.T) {
	require.Equal(t, `password=[masked], user="kim"`, Line(`password="", user="kim"`))
	require.Equal(t, `{\"password\": [masked], \"user\": \"kim\"}`, Line(`{\"password\": \"\", \"user\": \"kim\"}`))
}

func TestATextThatDoesNotEndIsMaskedToTheEndOfItsLine(t *testing.T) {
	for _, line := range []string{
		`password = "hunter2abc`, `password = 'hunter2abc\`, `password = """hunter2abc""`, `{\"password\": \"hunter2abc`, `{\"password\": \"hunter2abc\`,
		`["x-api-key", "hunter2abc`, `["x-api-key", """hunter2abc"`,
	} {
		require.NotContains(t, Line(line), "hunter2abc", line)
	}
}

// Programs colour what they ask for and what they show.
func TestColoursDoNotHideThatALineAsksForASecret(t *testing.T) {
	for _, above := range []string{
		"\x1b[1mAPI key:\x1b[0m", "\x1b[1;32mAPI key\x1b[0m:", "\x1b]8;;http://x\x1b\\password\x1b]8;;\x1b\\ =", "\x1b[33m\"password\"\x1b[39m: ", "pass\u200bword:",
	} {
		got := strings.Join(Lines([]string{above, "\x1b[36mhunter2abc\x1b[0m", "ready"}), "\n")
		require.NotContains(t, got, "hunter2abc", "%q", above)
		require.Contains(t, got, "ready", "%q", above)
	}
}

func TestOfAPrivateKeyNoLineIsShown(t *testing.T) {
	const begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
	for name, c := range map[string]struct{ lines, want []string }{
		"a whole one": {
			[]string{"loading", begin, "Proc-Type: 4,ENCRYPTED", "", "aGVsbG8", end, "loaded"},
			[]string{"loading", "[masked] a private key", "loaded"},
		},
		"one that began before the first line": {
			[]string{"aGVsbG8", "d29ybGQ", end, "loaded"},
			[]string{"[masked]", "[masked]", "loaded"},
		},
		"one that is cut off": {
			[]string{"loading", begin, "aGVsbG8", "d29ybGQ"},
			[]string{"loading", "[masked] a private key"},
		},
		"one on a single line": {
			[]string{`key: "` + begin + `\naGVsbG8\n` + end + `"`, "loaded"},
			[]string{"[masked] a private key", "loaded"},
		},
		"two, without an end of the line between them": {
			[]string{begin, "aGVsbG8", end + begin, "d29ybGQ", end, "loaded"},
			[]string{"[masked] a private key", "[masked] a private key", "loaded"},
		},
		"two, of which the first began before the first line": {
			[]string{"aGVsbG8", end + begin, "d29ybGQ", end, "loaded"},
			[]string{"[masked]", "[masked] a private key", "loaded"},
		},
		"one below its name": {
			[]string{"private_key:", "  " + begin, "  aGVsbG8", "  " + end, "loaded"},
			[]string{"private_key:[masked]", "[masked] a private key", "loaded"},
		},
		"the block of a program for mail": {
			[]string{"-----BEGIN PGP PRIVATE KEY BLOCK-----", "lQOYBF", "-----END PGP PRIVATE KEY BLOCK-----", "loaded"},
			[]string{"[masked] a private key", "loaded"},
		},
		"a certificate, which is public": {
			[]string{"-----BEGIN CERTIFICATE-----", "aGVsbG8", "-----END CERTIFICATE-----"},
			[]string{"-----BEGIN CERTIFICATE-----", "aGVsbG8", "-----END CERTIFICATE-----"},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, Lines(c.lines)) })
	}
}

// Of a line that is too long the beginning is shown, and never a word in half: half of a key does not look like one.
func TestALineThatIsTooLongIsCutBetweenWords(t *testing.T) {
	for _, pad := range []int{maxMask - 1, maxMask - 8, maxMask - 20, maxMask} {
		line := strings.Repeat("é ", pad/3) + strings.Repeat("x", pad%3) + " sk-hunter2abcdefghijkl tail"
		got := Line(line)
		require.NotContains(t, got, "sk-h")
		require.LessOrEqual(t, len([]rune(got)), maxDiagLine)
		require.True(t, strings.HasSuffix(got, "…"))
	}
	require.Equal(t, "…", Line(strings.Repeat("x", maxMask+1)), "a single word")
}

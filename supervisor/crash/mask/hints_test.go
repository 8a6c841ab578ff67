package mask

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keysOfServices are one key in the form of each service, as far as a pattern tells it.
var keysOfServices = []string{
	"sk-abcdefgh", "sk_live_abcdefgh", "rk_test_abcdefgh", "ghp_abcdefghijklmnop", "github_pat_abcdefghijklmnop", "glpat-abcdefghijklmnop", "hf_abcdefghijklmnop",
	"xoxb-abcdefgh", "AKIAABCDEFGHIJKL", "ASIAABCDEFGHIJKL", "AROAABCDEFGHIJKL", "AIDAABCDEFGHIJKL", "AIzaabcdefghijklmnopqrst", "ya29.a", "eyJabcdefgh", "npm_abcdefghijklmnop",
	"pypi-abcdefghijklmnop", "gsk_abcdefghijklmnop", "r8_abcdefghijklmnop", "pplx-abcdefghijklmnop", "SG.abcdefgh.a", "dop_v1_abcdefabcdefabcd", "shpat_abcdefghijklmnop",
	"lsv2_abcdefghijklmnop", "tvly-abcdefgh",
}

var namesOfSecrets = []string{
	"client_secret", "TOKEN", "passwd", "passphrase", "Passcode", "api_key", "apikey", "api-key", "ACCESS.KEY", "private_key", "signingkey", "encryption_key", "credentials",
	"Authorization", "authorisation", "cookie", "session_id", "sessionkey", "auth_key", "bearer", "x_auth", "dsn", "pwd_", "my_pass", "pin", "otp", "key", "salt", "x-salt",
}

// agrees fails if a hint says no to what its expression would have changed.
func agrees(t *testing.T, line string) {
	t.Helper()
	folded := foldASCII(line)
	require.True(t, holds(line, keyHints) || !known.MatchString(line), "known: %q", line)
	require.True(t, holds(folded, schemeHints) || !scheme.MatchString(line), "scheme: %q", line)
	require.True(t, hasLongRun(line) || !long.MatchString(line), "long: %q", line)
	require.True(t, holds(folded, nameHints) || maskFlags(maskNamed(line)) == line, "names: %q", line)
	require.True(t, strings.Contains(line, "://") || !userInfo.MatchString(line), "url: %q", line)
}

func TestAHintNeverSaysNoToASecret(t *testing.T) {
	for _, key := range keysOfServices {
		require.True(t, known.MatchString(key), "%q is no key any more: mend this list", key)
		agrees(t, "loading with "+key)
	}
	require.Len(t, keysOfServices, strings.Count(known.String(), "|")+1-strings.Count("(?:live|test)", "|")-strings.Count("(?:AKIA|ASIA|AROA|AIDA)", "|")+1+3,
		"a pattern was added: give it a key here, and a hint")
	for _, name := range namesOfSecrets {
		require.True(t, namesSecret(name) || name == "pwd_", name)
		for _, form := range []string{"%s=hunter2", "%s: hunter2", `"%s": "hunter2"`, "--%s hunter2", "?%s=hunter2&a=b"} {
			agrees(t, fmt.Sprintf(form, name))
			agrees(t, strings.ToUpper(fmt.Sprintf(form, name)))
		}
	}
	for _, line := range []string{"BEARER abc", "Proxy-Authorization: Basic dXNlcg==", "baſic abc", "to\u212aen=abc", "postgres://u:p@h/db", strings.Repeat("a", 31), strings.Repeat("Z9", 16)} {
		agrees(t, line)
	}
	files, err := filepath.Glob("../testdata/verdicts/*.txt")
	require.NoError(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			agrees(t, line)
		}
	}
}

func FuzzAHintNeverSaysNoToASecret(f *testing.F) {
	for _, s := range append(keysOfServices, namesOfSecrets...) {
		f.Add("x " + s + "=" + s)
	}
	f.Fuzz(func(t *testing.T, line string) { agrees(t, line) })
}

// BenchmarkMask is of a log as it mostly is.
func BenchmarkMask(b *testing.B) {
	b.SetBytes(95)
	for b.Loop() {
		_ = Line(`INFO:     127.0.0.1:40123 - "GET /search?k=10&q=lorem+ipsum+dolor HTTP/1.1" 200 OK in 12.3 ms`)
	}
}

package mask

import "strings"

// Most lines of a log hold no secret, and eight regular expressions take a hundred times as long to say so as a look at what each of them
// cannot do without. A hint may say yes for nothing; it never says no to a line that its expression would match.

// hints of a secret's name: each alternative of secretWord holds one of them.
var nameHints = []string{"secret", "token", "pass", "key", "credential", "authori", "cookie", "session", "bearer", "auth", "dsn", "pwd", "pin", "otp", "salt", "sid", "sessid", "csrf", "xsrf"}

// hints of a key in the form of a well-known service: each alternative of known begins with one of them, or holds it.
var keyHints = []string{
	"sk-", "k_live_", "k_test_", "gh", "glpat-", "hf_", "xox", "AKIA", "ASIA", "AROA", "AIDA", "AIza", "ya29.", "eyJ", "npm_", "pypi-", "gsk_", "r8_",
	"pplx-", "SG.", "dop_v1_", "shpat_", "lsv2_", "tvly-", "github_pat_",
}

var schemeHints = []string{"bearer", "basic", "digest", "negotiate"}

func holds(s string, hints []string) bool {
	for _, h := range hints {
		if strings.Contains(s, h) {
			return true
		}
	}
	return false
}

// foldASCII is s in lower case where its letters are ASCII; (?i) takes two letters beyond ASCII for k and s, and they are theirs here, too.
func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == 'ſ':
			return 's'
		case r == '\u212a': // KELVIN SIGN
			return 'k'
		}
		return r
	}, s)
}

// hasLongRun: there are so many characters of hexadecimal or base64 in a row that they may be random.
func hasLongRun(s string) bool {
	run := 0
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '_' || c == '-' {
			if run++; run >= 32 {
				return true
			}
			continue
		}
		run = 0
	}
	return false
}

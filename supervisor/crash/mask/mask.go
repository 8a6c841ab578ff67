// Package mask takes secrets out of lines before anybody is shown them: passwords, keys and tokens, by the names that stand before them and by
// the forms that services give them. It errs on the side of silence, and leaves alone what only looks random: UUIDs, and paths of builds and caches.
// It knows nothing of Vivarium and imports the standard library alone. Begin with Line.
package mask

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	masked      = "[masked]"
	maxDiagLine = 500     // characters of one line of a log
	maxMask     = 4 << 10 // bytes of it that are looked at
)

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(\x07|\x1b\\\\)?|\x1b[@-Z\\\\^_]")
	// userInfo is what stands before the @ of a URL. Passwords may hold any character, so it reaches to the last @ of the word.
	userInfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)\S*@`)
	scheme   = regexp.MustCompile(`(?i)\b(bearer|basic|digest|negotiate)(\s+)[^\s"',;]+`)
	// known are the forms in which well-known services hand out their keys.
	known = regexp.MustCompile(`\b(?:` + strings.Join([]string{
		`sk-[A-Za-z0-9_-]{8,}`, `[sr]k_(?:live|test)_[A-Za-z0-9]{8,}`, `gh[pousr]_[A-Za-z0-9]{16,}`, `github_pat_[A-Za-z0-9_]{16,}`,
		`glpat-[A-Za-z0-9_-]{16,}`, `hf_[A-Za-z0-9]{16,}`, `xox[abeoprs]-[A-Za-z0-9-]{8,}`, `(?:AKIA|ASIA|AROA|AIDA)[A-Za-z0-9]{12,}`,
		`AIza[A-Za-z0-9_-]{20,}`, `ya29\.[A-Za-z0-9_-]+`, `eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*`, `npm_[A-Za-z0-9]{16,}`,
		`pypi-[A-Za-z0-9_-]{16,}`, `gsk_[A-Za-z0-9]{16,}`, `r8_[A-Za-z0-9]{16,}`, `pplx-[A-Za-z0-9]{16,}`, `SG\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+`,
		`dop_v1_[a-f0-9]{16,}`, `shpat_[A-Za-z0-9]{16,}`, `lsv2_[A-Za-z0-9_]{16,}`, `tvly-[A-Za-z0-9-]{8,}`,
	}, "|") + `)[A-Za-z0-9_-]*`)
	// named is a name with what stands between it and its value; whether it names a secret is for namesSecret.
	named  = regexp.MustCompile(`([A-Za-z0-9_.-]+)([\\"'\]]*\s*(?:=>|:=|==|[:=])\s*)`)
	option = regexp.MustCompile(`(^|[\s"'\[,])(--?[A-Za-z][A-Za-z0-9_-]*)(["']?,?\s+["']?)([^\s"',\]]+|"[^"]*"?)`)
	long   = regexp.MustCompile(`[A-Za-z0-9+/_-]{32,}={0,2}`)
	// words of a name that belong to a secret
	secretWord = regexp.MustCompile(`(?i)secret|token|passw|passphrase|passcode|api_?key|access_?key|private_?key|signing_?key|encryption_?key|credential|authori[sz]ation|cookie|session_?(?:id|key)|sessid|connect_sid|csrf|xsrf|auth_?key|bearer|(?:^|_)(?:auth|dsn|pwd|pass|pin|otp|key|salt|sid)$`)
	harmless   = regexp.MustCompile(`(?i)^(?:pwd|oldpwd)$|tokeni[sz]|token_?(?:s$|count|limit|len|type|classification)|tokens|public_?key|primary_?key|foreign_?key|ssh_auth_sock`)
	keyBegin   = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----`)
	keyEnd     = regexp.MustCompile(`-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----`)
)

// Line makes one printable line of a line of output, with what looks like a secret taken out. It errs on the side of silence: what
// is masked by mistake can be asked for, what is sent cannot be called back.
func Line(line string) string {
	s, more := line, ""
	if len(s) > maxMask { // not in the middle of a word: half of a secret looks like none
		s, more = s[:strings.LastIndexByte(s[:maxMask], ' ')+1], "…"
	}
	s = plain(s)
	if strings.Contains(s, "://") {
		s = userInfo.ReplaceAllString(s, "${1}"+masked+"@")
	}
	folded := foldASCII(s)
	if holds(folded, nameHints) {
		s = maskNames(s)
	}
	if holds(folded, schemeHints) {
		s = scheme.ReplaceAllString(s, "${1}${2}"+masked)
	}
	if holds(s, keyHints) {
		s = known.ReplaceAllString(s, masked)
	}
	if hasLongRun(s) {
		s = long.ReplaceAllStringFunc(s, func(run string) string {
			if looksSecret(run) {
				return masked
			}
			return run
		})
	}
	if r := []rune(s); len(r) >= maxDiagLine {
		s, more = string(r[:maxDiagLine-1]), "…"
	}
	return s + more
}

// plain is the line as it is seen: what stands between the letters of a name, and is not seen, must not hide the name.
func plain(s string) string {
	if strings.IndexByte(s, '\x1b') >= 0 {
		s = colours.ReplaceAllString(s, "")
	}
	return printable(s)
}

// printable is Plain, but leaves columns and indentation as they are.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case r == utf8.RuneError:
			return '?'
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	return strings.TrimRight(s, " ")
}

// Lines masks lines that belong together: a private key is several of them.
func Lines(lines []string) []string {
	out := make([]string, 0, len(lines))
	inKey, asked := false, false
	for _, line := range lines {
		begins, ends := lastOf(keyBegin, line), lastOf(keyEnd, line)
		switch {
		case begins >= 0 || ends >= 0:
			if ends >= 0 && !inKey && !endsWhatItBegins(line) { // the key began before the first line that we have
				for i := range out {
					out[i] = masked
				}
			}
			inKey = begins > ends
			if begins >= 0 {
				out = append(out, masked+" a private key")
			}
			asked = false // it is the value, if one was asked for
			continue
		case inKey:
			continue
		case asked && strings.TrimSpace(line) == "":
			out = append(out, "")
			continue
		case asked: // the value of the name that the line above ends with
			asked = false
			out = append(out, maskValue(line))
			continue
		}
		asked = asksForValue(plain(line))
		out = append(out, Line(line))
	}
	return out
}

// lastOf is where the last match in s begins, -1 if there is none.
func lastOf(what *regexp.Regexp, s string) int {
	if !strings.Contains(s, "PRIVATE KEY") {
		return -1
	}
	all := what.FindAllStringIndex(s, -1)
	if len(all) == 0 {
		return -1
	}
	return all[len(all)-1][0]
}

// endsWhatItBegins: the first key that ends on the line begins on it, too.
func endsWhatItBegins(line string) bool {
	begin := keyBegin.FindStringIndex(line)
	return begin != nil && begin[0] < keyEnd.FindStringIndex(line)[0]
}

// namesSecret: a variable, key or option of this name holds what nobody else should see.
func namesSecret(name string) bool {
	name = strings.NewReplacer("-", "_", ".", "_").Replace(strings.Trim(name, "-._"))
	rest := harmless.ReplaceAllString(name, "")
	return secretWord.MatchString(rest)
}

// maskNamed takes the value after each name of a secret: up to its closing quote, up to the next parameter of a URL, or else to the
// end of the line, since passwords may hold anything.
func maskNamed(s string) string {
	var b strings.Builder
	done := 0
	for _, m := range named.FindAllStringSubmatchIndex(s, -1) {
		begin, end := m[2], m[1]
		name := s[begin:m[3]]
		if begin < done || !namesSecret(name) && !(strings.EqualFold(name, "pwd") && ofConnection(s, begin)) { // what is inside a value is gone with it
			continue
		}
		b.WriteString(s[done:end] + masked)
		rest := s[end:]
		switch {
		case rest != "" && (rest[0] == '"' || rest[0] == '\''):
			done = end + closing(rest)
		case escapedQuote(rest) != "":
			done = end + escapedClosing(rest)
		case begin > 0 && (s[begin-1] == '?' || s[begin-1] == '&'):
			done = len(s) - len(strings.TrimLeftFunc(rest, func(r rune) bool { return !strings.ContainsRune("& \"'", r) }))
		default:
			return b.String()
		}
	}
	return b.String() + s[done:]
}

// closing is the end of the quoted text that s begins with. Three quotes in a row are Python's: one or two do not end them.
func closing(s string) int {
	quote := s[:1]
	if three := strings.Repeat(quote, 3); strings.HasPrefix(s, three) {
		quote = three
	}
	for i := len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		}
	}
	return len(s)
}

// maskFlags takes the word after an option that names a secret: "--api-key abc", also as a list of words.
func maskFlags(s string) string {
	return option.ReplaceAllStringFunc(s, func(match string) string {
		m := option.FindStringSubmatch(match)
		if !namesSecret(m[2]) || strings.HasPrefix(m[4], masked) {
			return match
		}
		return m[1] + m[2] + m[3] + masked
	})
}

// random: a run of letters and digits that nobody would write, in hexadecimal or base64. Paths and long names are made of words.
func random(run string) bool {
	hex, digits := true, false
	for _, r := range run {
		digits = digits || r >= '0' && r <= '9'
		hex = hex && strings.ContainsRune("0123456789abcdefABCDEF-=", r)
	}
	if hex && digits {
		return true
	}
	for _, part := range strings.FieldsFunc(run, func(r rune) bool { return strings.ContainsRune("/_-+=", r) }) {
		numbers, kinds := changes(part)
		share := 45              // of the places at which letters change their kind; half of them do in a random text
		switch n := len(part); { // the longer, the surer; a name in camel case has 30
		case n >= 60:
			share = 33
		case n >= 40:
			share = 37
		}
		if numbers >= 4 || len(part) >= 20 && kinds*100 >= share*(len(part)-1) {
			return true
		}
	}
	return false
}

// changes counts how often letters turn to digits or back, and how often any kind of character turns to another: a word does it once
// or twice, a name in camel case at every third letter.
func changes(part string) (numbers, kinds int) {
	kind := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return 0
		case c >= 'A' && c <= 'Z':
			return 1
		}
		return 2
	}
	for i := 1; i < len(part); i++ {
		a, b := kind(part[i-1]), kind(part[i])
		if a != b {
			kinds++
			if a == 0 || b == 0 {
				numbers++
			}
		}
	}
	return numbers, kinds
}

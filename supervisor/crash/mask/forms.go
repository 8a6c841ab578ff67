package mask

import (
	"regexp"
	"strings"
)

// The forms in which a name and its value stand together without a colon between them, and what looks like a secret and is none.

var (
	// couple is a name and a value in a list, as ASGI's headers are: (b'x-api-key', b'…').
	couple = regexp.MustCompile(`(\\*["'])([A-Za-z0-9_.-]+)(\\*["']\s*,\s*b?)(\\*["'])`)
	tag    = regexp.MustCompile(`(<(?:[A-Za-z0-9]+:)?([A-Za-z0-9_.-]+)(?:\s[^<>]*)?>)([^<]+)`)
	asking = regexp.MustCompile(`(?:^|[\s"'\[({,])(?:b?["'])?([A-Za-z0-9_.-]+)["'\]]*\s*(?:=>|:=|==|[:=])\s*$|(?:^|[\s\[({,])b?["']([A-Za-z0-9_.-]+)["'],$|(?:^|\s)--?([A-Za-z][A-Za-z0-9_-]*)["',]*$`)
	field  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(?:[_.-][A-Za-z0-9]+)+$`)
	uuid   = regexp.MustCompile(`[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`)
	// rooted is a path of a file, by the folder in which it begins.
	rooted = regexp.MustCompile(`^/(?:Users|home|usr|opt|var|private|AppleInternal|nix|tmp|root|srv|app|build|builds|Library|System|Applications|Volumes|mnt|croot|workspace|work|code|data|Developer|__w|io|pytorch|github|proc|etc|run)/`)
	odbc   = regexp.MustCompile(`(?i)(?:^|[;"'\s])(?:uid|user id|driver|server|data source|database)\s*=`)
)

// maskNames takes out the values of all that has a secret's name.
func maskNames(s string) string {
	if strings.Contains(s, ",") {
		s = maskCouples(s)
	}
	if strings.Contains(s, "<") {
		s = tag.ReplaceAllStringFunc(s, func(match string) string {
			m := tag.FindStringSubmatch(match)
			if !namesSecret(m[2]) || strings.TrimSpace(m[3]) == "" {
				return match
			}
			return m[1] + masked
		})
	}
	return maskFlags(maskNamed(s))
}

// maskCouples takes the second of two quoted words, if the first names a secret.
func maskCouples(s string) string {
	var b strings.Builder
	done := 0
	for _, m := range couple.FindAllStringSubmatchIndex(s, -1) {
		if m[0] < done || s[m[4]] == '-' || !namesSecret(s[m[4]:m[5]]) { // options are maskFlags's
			continue
		}
		end := m[8] // where the value's quote begins
		quote := s[m[8]:m[9]]
		b.WriteString(s[done:end] + quote + masked + quote)
		if rest := s[end:]; escapedQuote(rest) != "" {
			done = end + escapedClosing(rest)
		} else {
			done = end + closing(rest)
		}
	}
	return b.String() + s[done:]
}

// ofConnection: the word before begin on its line is a part of a connection string, in which PWD is a password and not a folder.
func ofConnection(s string, begin int) bool {
	return begin > 0 && s[begin-1] == ';' || odbc.MatchString(s)
}

// escapedQuote is a quote with what escapes it, as in JSON inside of JSON; "" if s does not begin with one.
func escapedQuote(s string) string {
	t := strings.TrimLeft(s, "\\")
	if n := len(s) - len(t); n > 0 && t != "" && (t[0] == '"' || t[0] == '\'') {
		return s[:n+1]
	}
	return ""
}

// escapedClosing is the end of the text in escaped quotes that s begins with. A quote that is escaped more often is a part of the text.
func escapedClosing(s string) int {
	quote := escapedQuote(s)
	most := len(quote) - 1
	escapes := 0
	for i := len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\':
			escapes++
			continue
		case s[i] == quote[most] && escapes <= most:
			return i + 1
		}
		escapes = 0
	}
	return len(s)
}

// asksForValue: the line ends with a secret's name, so that its value stands on the next.
func asksForValue(line string) bool {
	line = strings.TrimRight(line, " \t\r")
	if field.MatchString(line) { // pydantic's: what was given for the field stands below
		return namesSecret(line)
	}
	if !holds(foldASCII(line), nameHints) {
		return false
	}
	m := asking.FindStringSubmatch(line)
	return m != nil && namesSecret(m[1]+m[2]+m[3])
}

var (
	given  = regexp.MustCompile(`(input_value=).*?(, input_type=|\]|$)`)
	spoken = regexp.MustCompile(`^\s*(?:Field required|field required|Input should|Value error|value is not|ensure this|none is not|For further)`)
)

// maskValue is a line that is the value of what the line above names, or that says what is wrong with it.
func maskValue(line string) string {
	if spoken.MatchString(line) || given.MatchString(line) {
		return Line(given.ReplaceAllString(line, "${1}"+masked+"${2}"))
	}
	word := strings.TrimLeft(printable(line), " \t")
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	if strings.HasPrefix(word, "File \"") || strings.HasPrefix(word, "Traceback") || strings.HasPrefix(word, "at ") {
		return Line(line)
	}
	return printable(indent) + masked
}

// hashed are folders whose names are hashes and that stand in paths of models and packages.
var hashed = []string{"/snapshots/", "/blobs/", "huggingface/hub/", "/BuildRoots/", "/overlay2/", "/nix/store/", "build_artifacts/"}

// looksSecret: a long run of letters and digits that may be a secret. A UUID names a library, a crash or a build; a path names a file.
func looksSecret(run string) bool {
	if rooted.MatchString("/"+strings.TrimLeft(run, "/")) && strings.HasPrefix(run, "/") || holds(run, hashed) {
		return false
	}
	for _, part := range uuid.Split(run, -1) {
		if len(part) >= 32 && random(part) {
			return true
		}
	}
	return false
}

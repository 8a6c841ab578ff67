package config

import (
	"errors"
	"os"
	"regexp"
	"strings"
)

// ReadEnvFile reads the file at path in the syntax that python-dotenv reads, so that a server which loads the same file itself gets the
// same values: NAME=value lines, comments, "export " before the name, single and double quotes, also over several lines, and ${NAME} or
// ${NAME:-default} outside single quotes. Nothing is executed. An error is a *ConfigError with file and line, never with a value: these
// files hold secrets. If the file is missing, the error is also fs.ErrNotExist.
//
// Why not github.com/joho/godotenv: its errors name no line and quote the file's text, it takes "NAME" alone for a value without a name,
// and it rewrites every $WORD, also in a password.
func ReadEnvFile(path string) (map[string]string, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	return parseEnvFile(path, string(text), os.LookupEnv)
}

// envText is an env_file while it is read.
type envText struct {
	file string
	text string // what is left
	line int    // of its first character
	room int    // bytes that the values may have together
}

// Limits of what the values of an env_file expand to: a few lines of ${A}${A} would otherwise need all memory there is. The system takes no
// longer variable (Linux), and not more of them (macOS: 1 MiB with the arguments).
const (
	maxValue  = 128 << 10
	maxValues = 2 << 20
)

// errTooLong is a value that is longer than anything that could be handed to a process.
var errTooLong = errors.New("too long")

// parseEnvFile is pure; inherited gives what ${NAME} means when the file does not set it before.
func parseEnvFile(file, text string, inherited func(string) (string, bool)) (map[string]string, error) {
	e := envText{file: file, text: strings.ReplaceAll(text, "\r\n", "\n"), line: 1, room: maxValues}
	vars := map[string]string{}
	lookup := func(name string) (string, bool) {
		if v, ok := vars[name]; ok {
			return v, true
		}
		return inherited(name)
	}
	for e.skip(); e.text != ""; e.skip() {
		start := e.line
		name, err := e.name()
		if err != nil {
			return nil, err
		}
		value, err := e.value(name, lookup)
		if err != nil {
			return nil, err
		}
		if problem, remedy := variableProblem(name, value); problem != "" {
			return nil, e.fail(start, name, problem, remedy)
		}
		if e.room -= len(value); e.room < 0 {
			return nil, e.fail(start, name, "makes the variables longer than 2 MiB together", "shorten them: no process could be started with so much")
		}
		vars[name] = value
	}
	return vars, nil
}

func (e *envText) fail(line int, name, problem, remedy string) *Error {
	return &Error{File: e.file, Line: line, Key: name, Problem: problem, Remedy: remedy}
}

func (e *envText) advance(n int) string {
	taken := e.text[:n]
	e.line += strings.Count(taken, "\n")
	e.text = e.text[n:]
	return taken
}

// skip goes to the next statement, over empty lines and comments.
func (e *envText) skip() {
	for {
		e.advance(len(e.text) - len(strings.TrimLeft(e.text, " \t\n\r\v\f")))
		if !strings.HasPrefix(e.text, "#") {
			return
		}
		e.advance(len(restOfLine(e.text)))
	}
}

var (
	exportWord = regexp.MustCompile(`^export[ \t]+`)
	// A name as it may be written: in quotes, or up to an equals sign. What is no variable's name is told afterwards.
	nameText = regexp.MustCompile(`^(?:'([^'\n]+)'|"([^"\n]+)"|([^=#\s'"]+))[ \t]*`)
)

// name reads up to the first character of the value.
func (e *envText) name() (string, error) {
	e.advance(len(exportWord.FindString(e.text)))
	m := nameText.FindStringSubmatch(e.text)
	if m == nil {
		// The text may be a secret whose line was broken: it is not shown.
		return "", e.fail(e.line, "", "is not NAME=value", "write one variable a line, and put a value of several lines in quotes")
	}
	e.advance(len(m[0]))
	if !strings.HasPrefix(e.text, "=") {
		return "", e.fail(e.line, "", `has no "=" after its first word`, "write NAME=value, or # before a comment")
	}
	e.advance(1)
	return m[1] + m[2] + m[3], nil
}

var comment = regexp.MustCompile(`\s+#.*`)

func (e *envText) value(name string, lookup func(string) (string, bool)) (string, error) {
	line := restOfLine(e.text)
	first := strings.TrimLeft(line, " \t")
	if first == "" || first[0] != '"' && first[0] != '\'' {
		e.advance(len(line))
		var out strings.Builder
		if expand(&out, strings.TrimSpace(comment.ReplaceAllString(line, "")), lookup) != nil {
			return "", e.tooLong(e.line, name)
		}
		return out.String(), nil
	}
	e.advance(len(line) - len(first))
	quote, start := e.text[0], e.line
	end := closing(e.text, quote)
	if end < 0 {
		return "", e.fail(start, name, "the quotes of its value are not closed", "close them")
	}
	inner := e.advance(end + 1)[1:end]
	rest := restOfLine(e.text)
	if after := strings.TrimSpace(rest); after != "" && after[0] != '#' {
		return "", e.fail(e.line, name, "goes on after the closing quotes", `put a \ before quotes that belong to the value`)
	}
	e.advance(len(rest))
	if quote == '\'' {
		return singleEscapes.Replace(inner), nil
	}
	value, err := unescape(inner, lookup)
	if err != nil {
		return "", e.tooLong(start, name)
	}
	return value, nil
}

func (e *envText) tooLong(line int, name string) *Error {
	return e.fail(line, name, "has a value that is longer than 128 KiB", "shorten it: no process could be started with it")
}

// closing is the place of the quote that ends the text, which begins with one; -1 if there is none.
func closing(text string, quote byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return i
		}
	}
	return -1
}

var (
	singleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`)
	doubleEscapes = map[byte]string{
		'\\': `\`, '\'': `'`, '"': `"`, '$': `$`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
	}
)

// unescape takes the backslashes out of a text from double quotes, and expands what has none before it.
func unescape(s string, lookup func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			if err := expand(&out, s, lookup); err != nil {
				return "", err
			}
			break
		}
		if err := expand(&out, s[:i], lookup); err != nil {
			return "", err
		}
		if plain, ok := doubleEscapes[s[i+1]]; ok {
			out.WriteString(plain)
		} else {
			out.WriteString(s[i : i+2])
		}
		s = s[i+2:]
	}
	return out.String(), nil
}

var reference = regexp.MustCompile(`\$\{([^}:]*)(?::-([^}]*))?\}`)

// expand writes s with ${NAME} and ${NAME:-default} replaced, as far as there is room for it; $NAME stays as it is, for it is often part of
// a password.
func expand(out *strings.Builder, s string, lookup func(string) (string, bool)) error {
	put := func(text string) error {
		if out.Len()+len(text) > maxValue {
			return errTooLong
		}
		out.WriteString(text)
		return nil
	}
	for s != "" {
		at := reference.FindStringSubmatchIndex(s)
		if at == nil {
			break
		}
		value, ok := lookup(s[at[2]:at[3]])
		if !ok && at[4] >= 0 {
			value = s[at[4]:at[5]]
		}
		if err := errors.Join(put(s[:at[0]]), put(value)); err != nil {
			return errTooLong
		}
		s = s[at[1]:]
	}
	return put(s)
}

func restOfLine(s string) string {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return s[:i]
	}
	return s
}

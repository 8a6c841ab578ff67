package config

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Deep is the section [health.deep]: a request that does the server's real work, once in a while.
type Deep struct {
	Path        string // as it is written: with its ${NAME}; "" = there is no deep probe
	Method      string // GET or POST
	Body        string // with its ${NAME}
	ContentType string // "" without a body
	Headers     map[string]string
	Status      int    // the status that is expected; 0: any 2xx
	Text        string // what must occur in the answer; "" = nothing in particular
	Interval    time.Duration
	Timeout     time.Duration
}

type deepText struct {
	Path        string            `toml:"path"`
	Method      string            `toml:"method"`
	Body        string            `toml:"body"`
	ContentType string            `toml:"content_type"`
	Headers     map[string]string `toml:"headers"`
	Expect      any               `toml:"expect"` // 200, or "text"
	Interval    string            `toml:"interval"`
	Timeout     string            `toml:"timeout"`
}

// deepRules are the keys of [health.deep].
var deepRules = map[string]keyRule{
	"health.deep":              {"a section", `[health.deep]`},
	"health.deep.path":         {"a text", `path = "/v1/chat/completions"`},
	"health.deep.method":       {"a text", `method = "POST"`},
	"health.deep.body":         {"a text", `body = '{"prompt": "hi", "max_tokens": 1}'`},
	"health.deep.content_type": {"a text", `content_type = "application/json"`},
	"health.deep.headers":      {"a section", `headers = {Authorization = "Bearer ${API_KEY}"}`},
	"health.deep.expect":       {"a status, or a text in quotes", `expect = 200`},
	"health.deep.interval":     {"a duration in quotes", `interval = "5m"`},
	"health.deep.timeout":      {"a duration in quotes", `timeout = "60s"`},
}

const (
	deepKey     = "health.deep."
	deepHeaders = deepKey + "headers."
	maxHeaders  = 50
)

// headerRule is the rule of every key below [health.deep.headers].
var headerRule = keyRule{"a text in quotes", deepRules["health.deep.headers"].example}

func init() { maps.Copy(keyRules, deepRules) }

// Named is the request in words, without any value of the environment: "POST /v1/chat".
func (d Deep) Named() string { return d.Method + " " + d.Path }

// takeDeep checks [health.deep]. Without it there is no deep probe.
func (r *reading) takeDeep(raw configText) (err error) {
	if r.deepLine() == 0 {
		return nil
	}
	t, d := raw.Health.Deep, &r.Health.Deep
	example := "write it like this: " + deepRules["health.deep.path"].example
	switch problem := pathProblem(withoutReferences(t.Path)); {
	case t.Path == "":
		return r.failDeep("has no path: what is the server to be asked?", example+", or remove the section")
	case problem != "":
		return r.fail(deepKey+"path", problem, example)
	case r.Port == 0 && r.Health.URL == "":
		return r.failDeep("has nowhere to ask: port = 0 says that it listens nowhere", "set a port, or url under [health], or remove the section")
	}
	d.Path = t.Path
	for _, step := range []func(deepText, *Deep) error{r.takeDeepBody, r.takeDeepHeaders, r.takeExpect, r.takeReferences} {
		if err := step(t, d); err != nil {
			return err
		}
	}
	if d.Interval, err = r.duration(deepKey+"interval", t.Interval, 5*time.Minute, time.Second, 24*time.Hour); err != nil {
		return err
	}
	d.Timeout, err = r.duration(deepKey+"timeout", t.Timeout, time.Minute, 10*time.Millisecond, time.Hour)
	return err
}

// deepLine is where [health.deep] begins, however it is written; 0: nowhere.
func (r *reading) deepLine() int {
	first := 0
	for key, line := range r.lines {
		if (key == "health.deep" || strings.HasPrefix(key, deepKey)) && (first == 0 || line < first) {
			first = line
		}
	}
	return first
}

func (r *reading) failDeep(problem, remedy string) *Error {
	return &Error{File: r.File, Line: r.deepLine(), Key: "health.deep", Problem: problem, Remedy: remedy}
}

func (r *reading) takeDeepBody(t deepText, d *Deep) (err error) {
	d.Method = http.MethodGet
	if t.Body != "" {
		d.Method = http.MethodPost
	}
	if r.has(deepKey + "method") {
		if d.Method, err = r.choice(deepKey+"method", t.Method, http.MethodGet, http.MethodPost); err != nil {
			return err
		}
	}
	d.Body, d.ContentType = t.Body, t.ContentType
	switch {
	case d.Body != "" && d.Method == http.MethodGet:
		return r.fail(deepKey+"body", "goes with no GET", `write method = "POST", or remove the body`)
	case r.has(deepKey+"content_type") && (strings.TrimSpace(t.ContentType) == "" || !isHeaderValue(t.ContentType)):
		return r.fail(deepKey+"content_type", Quoted(t.ContentType)+" is no type of a body", "write it like this: "+deepRules[deepKey+"content_type"].example)
	case d.Body != "" && d.ContentType == "":
		d.ContentType = "application/json"
	}
	return nil
}

// takeDeepHeaders never tells a value: there may be a key in it.
func (r *reading) takeDeepHeaders(t deepText, d *Deep) error {
	example := "write it like this: " + headerRule.example
	if len(t.Headers) > maxHeaders {
		return r.fail(deepKey+"headers", fmt.Sprintf("has %d of them", len(t.Headers)), fmt.Sprintf("use at most %d", maxHeaders))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		switch key := deepHeaders + name; {
		case !isHeaderName(name):
			return r.fail(key, "is no name of a header", example)
		case !isHeaderValue(t.Headers[name]):
			return r.fail(key, "has a line break or another control character in its value", example)
		case slices.Contains([]string{"host", "content-length", "transfer-encoding", "connection", "content-type"}, strings.ToLower(name)):
			return r.fail(key, "is set by Vivarium", "remove it; the body's type is content_type")
		}
	}
	d.Headers = t.Headers
	return nil
}

// takeExpect: a number is a status, and a text must occur.
func (r *reading) takeExpect(t deepText, d *Deep) error {
	const key = deepKey + "expect"
	remedy := `write a status, as in expect = 200, or a text that must occur in the answer, as in expect = "choices"`
	switch v := t.Expect.(type) {
	case nil:
	case int64:
		if v < 200 || v > 599 {
			return r.fail(key, fmt.Sprintf("%d is no status of an answer", v), remedy)
		}
		d.Status = int(v)
	case string:
		if n, err := strconv.Atoi(v); err == nil && n >= 100 && n <= 599 {
			return r.fail(key, Quoted(v)+" is a text, and looks like a status", fmt.Sprintf("write expect = %d for the status", n))
		}
		switch {
		case v == "":
			return r.fail(key, "is empty: every answer has that", remedy)
		case len(v) > 10_000:
			return r.fail(key, "is longer than 10,000 bytes", "name a short text that only a good answer has")
		}
		d.Text = v
	default:
		return r.fail(key, "wants "+deepRules[key].wants, remedy)
	}
	return nil
}

// takeReferences checks what is written between ${ and }.
func (r *reading) takeReferences(t deepText, d *Deep) error {
	texts := map[string]string{"path": d.Path, "body": d.Body, "content_type": d.ContentType}
	for name, value := range d.Headers {
		texts["headers."+name] = value
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		for _, m := range reference.FindAllStringSubmatch(texts[key], -1) {
			if problem, _ := variableProblem(m[1], ""); problem != "" {
				return r.fail(deepKey+key, Quoted(m[0])+" names no variable", "write ${NAME}: letters, digits and underscores")
			}
		}
	}
	return nil
}

// isHeaderName: it is a token, in the words of RFC 9110.
func isHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func isHeaderValue(value string) bool {
	return !strings.ContainsFunc(value, func(c rune) bool { return unicode.IsControl(c) && c != '\t' })
}

// withoutReferences is a path with something plain in place of each ${NAME}.
func withoutReferences(path string) string { return reference.ReplaceAllString(path, "x") }

// UnsetError: a variable that [health.deep] names is not set.
type UnsetError struct{ Name string }

func (e *UnsetError) Error() string {
	return "[health.deep] names ${" + e.Name + "}, which the server's environment does not have"
}

// Fill puts the values of env in place of ${NAME} and ${NAME:-default}, and gives them too: whatever is told of the request
// must not have them in it. In the path they are escaped.
func (d Deep) Fill(env []string) (filled Deep, values []string, err error) {
	fill := func(text string, escape func(string) string) string {
		return reference.ReplaceAllStringFunc(text, func(found string) string {
			m := reference.FindStringSubmatch(found)
			value, ok := lookup(env, m[1])
			switch {
			case ok && value != "":
				values = append(values, value)
			case strings.Contains(found, ":-"):
				value = m[2]
			case !ok && err == nil:
				err = &UnsetError{m[1]}
			}
			return escape(value)
		})
	}
	same := func(s string) string { return s }
	filled = d
	filled.Path, filled.Body, filled.ContentType = fill(d.Path, escaped), fill(d.Body, same), fill(d.ContentType, same)
	filled.Headers = make(map[string]string, len(d.Headers))
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		filled.Headers[name] = fill(d.Headers[name], same)
	}
	for name, value := range filled.Headers {
		if !isHeaderValue(value) && err == nil {
			err = fmt.Errorf("the header %s of [health.deep] has a line break in its value", name)
		}
	}
	if !isHeaderValue(filled.ContentType) && err == nil {
		err = errors.New("content_type of [health.deep] has a line break in it")
	}
	return filled, values, err
}

// lookup finds a variable; the last one of a name counts, as for a process.
func lookup(env []string, name string) (value string, ok bool) {
	for _, e := range env {
		if v, found := strings.CutPrefix(e, name+"="); found {
			value, ok = v, true
		}
	}
	return value, ok
}

// escaped makes a value fit for a path and for a query. Its slashes stay: it may be the name of a model.
func escaped(value string) string {
	return strings.NewReplacer("%2F", "/", "+", "%20").Replace(url.QueryEscape(value))
}

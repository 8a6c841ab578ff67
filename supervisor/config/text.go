package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// configText is vivarium.toml as it is written, before anything is made of it.
type configText struct {
	Name           string            `toml:"name"`
	Command        []string          `toml:"command"`
	Python         string            `toml:"python"`
	Port           int64             `toml:"port"`
	Autostart      bool              `toml:"autostart"`
	EnvFile        string            `toml:"env_file"`
	LoginShellEnv  []string          `toml:"login_shell_env"`
	OnPortConflict string            `toml:"on_port_conflict"`
	After          []string          `toml:"after"`
	KeepAwake      string            `toml:"keep_awake"`
	Health         healthText        `toml:"health"`
	Restart        restartText       `toml:"restart"`
	Stop           stopText          `toml:"stop"`
	Log            logText           `toml:"log"`
	Recorder       recorderText      `toml:"recorder"`
	OnEvent        onEventText       `toml:"on_event"`
	Memory         memoryText        `toml:"memory"`
	Environment    map[string]string `toml:"environment"`
}

type healthText struct {
	Path        string `toml:"path"`
	URL         string `toml:"url"`
	Interval    string `toml:"interval"`
	Timeout     string `toml:"timeout"`
	Startup     string `toml:"startup"`
	Failures    int64  `toml:"failures"`
	BusyLimit   string `toml:"busy_limit"`
	QuietStart  string `toml:"quiet_start"`
	RestartHung bool   `toml:"restart_hung"`

	Deep deepText `toml:"deep"`
}

type restartText struct {
	Policy      string `toml:"policy"`
	Stable      string `toml:"stable"`
	GiveUpAfter int64  `toml:"give_up_after"`
}

type stopText struct {
	Signal string `toml:"signal"`
	Grace  string `toml:"grace"`
}

type logText struct {
	File    string `toml:"file"`
	MaxSize any    `toml:"max_size"` // "50MB", or bytes
	Keep    int64  `toml:"keep"`
	Probes  bool   `toml:"probes"`
}

type recorderText struct {
	Enabled bool `toml:"enabled"`
}

type onEventText struct {
	Command []string `toml:"command"`
	Events  []string `toml:"events"`
	Timeout string   `toml:"timeout"`
}

type memoryText struct {
	Warn    any    `toml:"warn"` // "85%", "12GB", bytes, or "" for none
	Restart any    `toml:"restart"`
	For     string `toml:"for"`
}

// keyRule is what a key wants, in words, with a line that is right.
type keyRule struct{ wants, example string }

// keyRules has every key of vivarium.toml.
var keyRules = map[string]keyRule{
	"name":                {"a text", `name = "backend"`},
	"command":             {"a list of words", `command = ["{python}", "-m", "uvicorn", "main:app", "--port", "{port}"]`},
	"python":              {"a text", `python = "auto"`},
	"port":                {"a whole number", `port = 8000`},
	"autostart":           {"true or false", `autostart = true`},
	"env_file":            {"a text", `env_file = ".env"`},
	"login_shell_env":     {"a list of names", `login_shell_env = ["PATH", "HF_TOKEN"]`},
	"on_port_conflict":    {"a text", `on_port_conflict = "take_over"`},
	"after":               {"a list of names", `after = ["database"]`},
	"keep_awake":          {"a text", `keep_awake = "busy"`},
	"health":              {"a section", `[health]`},
	"health.path":         {"a text", `path = "/health"`},
	"health.url":          {"a text", `url = "https://127.0.0.1:8443/health"`},
	"health.interval":     {"a duration in quotes", `interval = "5s"`},
	"health.timeout":      {"a duration in quotes", `timeout = "3s"`},
	"health.startup":      {"a duration in quotes", `startup = "3m"`},
	"health.failures":     {"a whole number", `failures = 3`},
	"health.busy_limit":   {"a duration in quotes", `busy_limit = "10m"`},
	"health.quiet_start":  {"a duration in quotes", `quiet_start = "30s"`},
	"health.restart_hung": {"true or false", `restart_hung = false`},
	"restart":             {"a section", `[restart]`},
	"restart.policy":      {"a text", `policy = "on-crash"`},
	"restart.stable":      {"a duration in quotes", `stable = "1m"`},
	"restart.give_up_after": {
		"a whole number", `give_up_after = 5`,
	},
	"stop":         {"a section", `[stop]`},
	"stop.signal":  {"a text", `signal = "SIGINT"`},
	"stop.grace":   {"a duration in quotes", `grace = "10s"`},
	"log":          {"a section", `[log]`},
	"log.file":     {"a text", `file = "logs/server.log"`},
	"log.max_size": {"a size in quotes", `max_size = "50MB"`},
	"log.keep":     {"a whole number", `keep = 5`},
	"recorder":     {"a section", `[recorder]`},
	"recorder.enabled": {
		"true or false", `enabled = true`,
	},
	"log.probes":       {"true or false", `probes = true`},
	"on_event":         {"a section", `[on_event]`},
	"on_event.command": {"a list of words", `command = ["./tell.sh"]`},
	"on_event.events":  {"a list of names", `events = ["crashed", "gave-up"]`},
	"on_event.timeout": {"a duration in quotes", `timeout = "10s"`},
	"memory":           {"a section", `[memory]`},
	"memory.warn":      {"a share or a size in quotes", `warn = "85%"`},
	"memory.restart":   {"a share or a size in quotes", `restart = "90%"`},
	"memory.for":       {"a duration in quotes", `for = "30s"`},
	"environment":      {"a section", `[environment]`},
}

// variableRule is the rule of every key below [environment].
var variableRule = keyRule{"a text in quotes", `OMP_NUM_THREADS = "4"`}

func ruleOf(key string) (keyRule, bool) {
	if strings.HasPrefix(key, "environment.") {
		return variableRule, true
	}
	if strings.HasPrefix(key, deepHeaders) {
		return headerRule, true
	}
	r, ok := keyRules[key]
	return r, ok
}

// reading is a configuration while it is read, with the place of each of its keys.
type reading struct {
	Config
	lines map[string]int
}

func (r *reading) has(key string) bool { return r.lines[key] > 0 }

func (r *reading) fail(key, problem, remedy string) *Error {
	line := r.lines[key]
	if line == 0 { // the value is a default: then its section, or the file, is as near as we get
		line = r.lines[strings.SplitN(key, ".", 2)[0]]
	}
	return &Error{File: r.File, Line: line, Key: key, Problem: problem, Remedy: remedy}
}

// parseConfig reads text on top of the defaults. It looks at nothing but text.
func parseConfig(c Config, text []byte) (*reading, error) {
	r := &reading{Config: c}
	raw := textOf(c)
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&raw); err != nil {
		return nil, decodingError(c.File, text, err)
	}
	var keys []placedKey
	keys, r.lines = placesOf(text)
	for _, k := range keys { // the decoder takes "Port" for "port"; then half of the world's tools would not
		if _, known := ruleOf(k.key); !known {
			return nil, unknownKey(c.File, k.line, k.column, k.key)
		}
	}
	if err := r.take(raw); err != nil {
		return nil, err
	}
	return r, nil
}

// textOf writes the defaults as a person would. Durations stay empty: what is empty was not set, or is refused.
func textOf(c Config) configText {
	return configText{
		Name: c.Name, Python: c.Python, Port: int64(c.Port), Autostart: c.Autostart, EnvFile: defaultEnvFile,
		OnPortConflict: c.OnPortConflict,
		KeepAwake:      c.KeepAwake,
		Health:         healthText{Path: c.Health.Path, Failures: int64(c.Health.Failures), RestartHung: c.Health.RestartHung},
		Restart:        restartText{Policy: c.Restart.Policy, GiveUpAfter: int64(c.Restart.GiveUpAfter)},
		Log:            logText{Keep: int64(c.Log.Keep)},
		Recorder:       recorderText{Enabled: c.Recorder.Enabled},
	}
}

type placedKey struct {
	key          string
	line, column int
}

// placesOf gives every key of a valid document with its line, in order. Go-toml tells the place of what it cannot decode, but not
// of what it could.
func placesOf(text []byte) ([]placedKey, map[string]int) {
	var p unstable.Parser
	p.Reset(text)
	var keys []placedKey
	prefix := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			prefix = ""
			keys = appendKey(&p, keys, "", e)
			if len(keys) > 0 {
				prefix = keys[len(keys)-1].key + "."
			}
		case unstable.KeyValue:
			keys = appendKey(&p, keys, prefix, e)
		}
	}
	lines := make(map[string]int, len(keys))
	for _, k := range keys {
		if _, ok := lines[k.key]; !ok {
			lines[k.key] = k.line
		}
	}
	return keys, lines
}

func appendKey(p *unstable.Parser, keys []placedKey, prefix string, e *unstable.Node) []placedKey {
	var words []string
	line, column := 0, 0
	for it := e.Key(); it.Next(); {
		n := it.Node()
		words = append(words, string(n.Data))
		if at := p.Shape(n.Raw).Start; line == 0 {
			line, column = at.Line, at.Column
		}
	}
	key := prefix + strings.Join(words, ".")
	keys = append(keys, placedKey{key, line, column})
	if e.Kind != unstable.KeyValue || e.Value().Kind != unstable.InlineTable {
		return keys
	}
	for it := e.Value().Children(); it.Next(); {
		if n := it.Node(); n.Kind == unstable.KeyValue {
			keys = appendKey(p, keys, key+".", n)
		}
	}
	return keys
}

var (
	wrongType = regexp.MustCompile(`^cannot decode TOML (.+?) into `)
	setTwice  = regexp.MustCompile(`already (defined|exists)`)
)

// decodingError puts the library's words into ours. The human form of its errors shows lines of the file, which may hold secrets, so it
// is not used.
func decodingError(file string, text []byte, err error) *Error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := &strict.Errors[0]
		line, column := e.Position()
		return unknownKey(file, line, column, strings.Join(e.Key(), "."))
	}
	var d *toml.DecodeError
	if !errors.As(err, &d) {
		return &Error{File: file, Problem: "cannot be read as TOML: " + Plain(err.Error()), Remedy: "check the syntax: toml.io"}
	}
	line, column := d.Position()
	e := &Error{File: file, Line: line, Column: column, Key: strings.Join(d.Key(), ".")}
	message := strings.TrimPrefix(d.Error(), "toml: ")
	rule, known := ruleOf(e.Key)
	m := wrongType.FindStringSubmatch(message)
	switch {
	case setTwice.MatchString(message):
		e.Problem, e.Remedy = "is there twice", "keep one of the two"
	case known && (m != nil || strings.HasPrefix(message, "cannot store")):
		found := "a section"
		switch {
		case m != nil:
			found = article(m[1])
		case strings.Contains(message, "array table"):
			found = "a list of sections"
		}
		e.Problem = fmt.Sprintf("wants %s, not %s", rule.wants, found)
		e.Remedy = "write it like this: " + rule.example
	case known:
		e.Problem, e.Remedy = Plain(message), "write it like this: "+rule.example
	default:
		e.Problem = fmt.Sprintf("is not TOML, at column %d: %s", column, Plain(message))
		e.Remedy = "check the quotes, brackets and commas there"
	}
	return e
}

func article(word string) string {
	word = strings.Replace(word, "boolean", "true or false", 1)
	switch {
	case word == "true or false":
		return word
	case strings.ContainsAny(word[:1], "aeiou"):
		return "an " + word
	}
	return "a " + word
}

func unknownKey(file string, line, column int, key string) *Error {
	e := &Error{File: file, Line: line, Column: column, Key: Plain(key), Problem: "is not a key that Vivarium knows"}
	if near := nearestKey(key); near != "" {
		e.Remedy = fmt.Sprintf("did you mean %s?", near)
	} else {
		e.Remedy = "remove it; your own variables belong under [environment]"
	}
	return e
}

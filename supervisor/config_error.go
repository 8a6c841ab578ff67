package supervisor

import (
	"strconv"
	"strings"
)

// ConfigError is a mistake in vivarium.toml or in the env_file, told so that a person can mend it. It never holds a value
// of the environment.
type ConfigError struct {
	File    string // absolute
	Line    int    // 0: the file as a whole
	Key     string // as in "health.interval", or ""
	Problem string
	Remedy  string
}

// Error is one line: "file:line: key: problem; remedy".
func (e *ConfigError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		b.WriteString(":" + strconv.Itoa(e.Line))
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Problem)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(b.String())
}

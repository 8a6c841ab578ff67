package postmortem

import (
	"os"
	"strings"
)

// systemVersion is what the distribution calls itself; see os-release(5).
func systemVersion() string {
	text, _ := os.ReadFile("/etc/os-release") // without it nothing is known
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return strings.Trim(strings.TrimSpace(name), `"'`)
		}
	}
	return "unknown"
}

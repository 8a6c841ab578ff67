package safefile

import (
	"path/filepath"
	"strings"
)

// IsLogName: a file of that name is a log, whoever made it. What is named otherwise and has something in it is never rotated, because to
// rotate is to rename it away, or to remove it.
func IsLogName(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	switch filepath.Ext(name) {
	case "", ".log", ".out", ".err", ".txt", ".jsonl", ".ndjson":
		return true
	}
	return strings.Contains(name, "log") || strings.Contains(name, "stdout") || strings.Contains(name, "stderr")
}

package crash

import (
	"path/filepath"
	"strings"
)

// Own reports whether a file that Python names is the person's own code: below dir, the backend's folder, or named without a folder, as
// Python does with the script it runs, and neither a package's nor Python's own.
func Own(dir, file string) bool {
	if file == "" || foreign(file) {
		return false
	}
	if !filepath.IsAbs(file) {
		return true
	}
	below, err := filepath.Rel(dir, file)
	return dir != "" && err == nil && below != ".." && !strings.HasPrefix(below, "../")
}

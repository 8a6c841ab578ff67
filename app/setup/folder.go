package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"
)

func RealFolder(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", dir, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", fmt.Errorf("adding a backend: %w", err)
	}
	st, err := os.Stat(real)
	if err != nil {
		return "", fmt.Errorf("adding a backend: %w", err)
	}
	if !utf8.ValidString(real) { // JSON would change it silently
		return "", fmt.Errorf("adding a backend: the name of %q is not valid UTF-8: rename the folder", real)
	}
	if !st.IsDir() {
		return "", fmt.Errorf("adding a backend: %s is not a folder", real)
	}
	return real, nil
}

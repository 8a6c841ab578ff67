package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const environmentFile = "environment"

// Environment is the folder of the Python environment with which the backend was started the last time, "" if that is not known. folder is
// where the backend's state is kept.
func Environment(folder string) string {
	path := filepath.Join(folder, environmentFile)
	if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() || st.Size() > 8<<10 {
		return ""
	}
	text, err := os.ReadFile(path)
	env := strings.TrimSuffix(string(text), "\n")
	if err != nil || !filepath.IsAbs(env) || strings.ContainsRune(env, 0) {
		return ""
	}
	return env
}

// SetEnvironment keeps the environment for the next start.
func SetEnvironment(folder, env string) error {
	if Environment(folder) == env {
		return nil
	}
	if err := safefile.Replace(filepath.Join(folder, environmentFile), []byte(env+"\n")); err != nil {
		return fmt.Errorf("saving which environment was used: %w", err)
	}
	return nil
}

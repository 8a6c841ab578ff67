package ready

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A launcher may go to another folder first: modules, scripts and models are looked for there.
func TestWhatIsMissingIsLookedForWhereTheServerStarts(t *testing.T) {
	onBusy(t)
	files := map[string]string{"api/main.py": "import helper\napp = 1\n", "api/helper.py": "", "api/models/m.gguf": "x", "main.py": "app = (\n"}
	for command, says := range map[string]string{
		"uv run --directory api uvicorn main:app":                           "",
		"uv run --directory api python main.py":                             "",
		"uv run --directory api uvicorn main:app --model models/m.gguf":     "",
		"uv run --directory api uvicorn main:app --model models/other.gguf": "models/other.gguf",
		"uv run --directory api uvicorn other:app":                          "other",
		"uv run --project api uvicorn main:app":                             "SyntaxError",
	} {
		c, p := backend(t, command, files)
		p.Spec.Dir = c.Dir
		if says != "SyntaxError" {
			p.Spec.Dir = filepath.Join(c.Dir, "api")
		}
		found := Look(t.Context(), c, p)
		if says == "" {
			require.Empty(t, found, command)
			continue
		}
		require.NotEmpty(t, found, command)
		require.Contains(t, found[0].Summary, says, command)
	}
}

func TestAPythonOfTheBackendsOwnIsNotRunFromAFolderBelowEither(t *testing.T) {
	onBusy(t)
	c, p := backend(t, "uv run --directory api uvicorn main:app", map[string]string{"api/main.py": "app = (\n"})
	ran := filepath.Join(c.Dir, "ran")
	p.Spec.Dir = filepath.Join(c.Dir, "api")
	p.Python.Real = filepath.Join(c.Dir, "python")
	require.NoError(t, os.WriteFile(p.Python.Real, []byte("#!/bin/sh\ntouch '"+ran+"'\n"), 0o755))
	require.Empty(t, Look(t.Context(), c, p))
	require.NoFileExists(t, ran)
}

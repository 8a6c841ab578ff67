package assets

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

//go:embed demo/server.py demo/page.html demo/vivarium.toml
var demo embed.FS

// WriteDemo writes the demo backend to dir, making the folder when it is missing. What is there already stays as it is,
// changed or not: it is the user's.
func WriteDemo(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the demo's folder: %w", err)
	}
	files, err := fs.ReadDir(demo, "demo")
	if err != nil {
		return fmt.Errorf("reading the demo: %w", err)
	}
	for _, f := range files {
		text, err := fs.ReadFile(demo, path.Join("demo", f.Name()))
		if err != nil {
			return fmt.Errorf("reading the demo: %w", err)
		}
		if err := writeNew(filepath.Join(dir, f.Name()), text); err != nil {
			return fmt.Errorf("writing the demo: %w", err)
		}
	}
	return nil
}

// writeNew writes a file that is not there yet, whole or not at all: a half-written one would be kept for ever.
func writeNew(name string, text []byte) error {
	if _, err := os.Lstat(name); err == nil {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".demo-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) { // a rename would replace what came meanwhile
		return err
	}
	return nil
}

package main

import (
	"archive/zip"
	"compress/flate"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// archive packs a bundle into a zip: entries in the order of their names, all of one time, with the modes that macOS needs. The
// same bundle gives the same bytes.
func archive(bundle, out string, at time.Time) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	w := zip.NewWriter(f)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestCompression) })
	top := filepath.Dir(bundle)
	err = filepath.WalkDir(bundle, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		return entry(w, path, filepath.ToSlash(below), d, at)
	})
	if err != nil {
		return fmt.Errorf("packing %s: %w", bundle, err)
	}
	return w.Close()
}

func entry(w *zip.Writer, path, name string, d fs.DirEntry, at time.Time) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at.UTC()}
	if d.IsDir() {
		header.Name += "/"
		header.Method = zip.Store
		header.SetMode(0o755 | fs.ModeDir)
		_, err := w.CreateHeader(header)
		return err
	}
	st, err := d.Info()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if st.Mode()&0o111 != 0 {
		mode = 0o755
	}
	header.SetMode(mode)
	to, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

// checksums writes the SHA-256 sums of files, to be checked by `shasum -c` beside them.
func checksums(out string, files ...string) error {
	var text strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(content), filepath.Base(file))
	}
	return os.WriteFile(out, []byte(text.String()), 0o644)
}

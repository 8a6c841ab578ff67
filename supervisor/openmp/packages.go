package openmp

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what a package's own records may hold.
const (
	maxRecord   = 64 << 20 // bytes of RECORD
	maxMetadata = 1 << 20  // bytes of METADATA's head
)

// index says which package a file belongs to.
type index struct {
	owner map[string]int // by path: a place in all
	all   []Package
}

func (x *index) of(path string) (Package, bool) {
	i, ok := x.owner[path]
	if !ok {
		return Package{}, false
	}
	return x.all[i], true
}

// packages reads what is installed from the .dist-info folders.
func (w *walk) packages() *index {
	x := &index{owner: map[string]int{}}
	slices.Sort(w.infos)
	interesting := map[string]bool{}
	for _, b := range w.found {
		interesting[b.path] = true
	}
	for _, dir := range w.infos {
		p, err := readMetadata(dir)
		if err != nil {
			w.skip(dir, err)
			continue
		}
		modules := map[string]bool{}
		err = readRecord(dir, func(path string) {
			if isBinary(path) {
				if full := filepath.Join(filepath.Dir(dir), filepath.FromSlash(path)); interesting[full] {
					x.owner[full] = len(x.all)
				}
			}
			if m := moduleOf(path); m != "" {
				modules[m] = true
			}
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) { // conda writes none
			w.skip(dir, err)
		}
		for m := range modules {
			p.Modules = append(p.Modules, m)
		}
		slices.Sort(p.Modules)
		x.all = append(x.all, p)
	}
	return x
}

// moduleOf is the top-level name by which a file of a package can be imported, "" if there is none.
func moduleOf(path string) string {
	first, rest, deep := strings.Cut(path, "/")
	switch {
	case strings.HasPrefix(first, ".") || strings.HasSuffix(first, "-info") || strings.HasSuffix(first, ".data") || strings.HasSuffix(first, ".libs") || first == "__pycache__" || first == "bin":
		return ""
	case deep && (strings.HasSuffix(rest, ".py") || strings.HasSuffix(rest, ".so") || strings.HasSuffix(rest, ".pyd")):
		return first
	case !deep && strings.HasSuffix(first, ".py"):
		return strings.TrimSuffix(first, ".py")
	case !deep && strings.HasSuffix(first, ".so"):
		name, _, _ := strings.Cut(first, ".")
		return name
	}
	return ""
}

// readMetadata reads the head of METADATA, which is a mail's.
func readMetadata(dir string) (Package, error) {
	f, err := os.Open(filepath.Join(dir, "METADATA"))
	if err != nil {
		return Package{}, err
	}
	defer f.Close()
	return parseMetadata(io.LimitReader(f, maxMetadata))
}

func parseMetadata(r io.Reader) (Package, error) {
	var p Package
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMetadata)
	for lines.Scan() && len(lines.Bytes()) > 0 {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Name":
			p.Name = value
		case "Version":
			p.Version = value
		case "Requires-Dist":
			if name := requirement(value); name != "" && !slices.Contains(p.Requires, name) {
				p.Requires = append(p.Requires, name)
			}
		}
	}
	if p.Name == "" {
		return p, errors.New("METADATA names no package")
	}
	slices.Sort(p.Requires)
	return p, lines.Err()
}

// requirement is the normal name in "numpy>=1.22 ; python_version > '3.8'", "" if it is for an extra. Other markers are taken to hold:
// what may be there counts.
func requirement(text string) string {
	text, marker, _ := strings.Cut(text, ";")
	if strings.Contains(marker, "extra") {
		return ""
	}
	end := strings.IndexFunc(text, func(r rune) bool { return strings.ContainsRune(" <>=!~[(@", r) })
	if end >= 0 {
		text = text[:end]
	}
	return Normal(strings.TrimSpace(text))
}

// readRecord tells of every file in RECORD, whose lines are "path,sha256=…,size" as CSV has them.
func readRecord(dir string, tell func(path string)) error {
	f, err := os.Open(filepath.Join(dir, "RECORD"))
	if err != nil {
		return err
	}
	defer f.Close()
	return parseRecord(io.LimitReader(f, maxRecord), tell)
}

func parseRecord(r io.Reader, tell func(path string)) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Bytes()
		if i := bytes.IndexByte(line, ','); i > 0 && line[0] != '"' {
			tell(string(line[:i]))
			continue
		}
		fields, err := csv.NewReader(bytes.NewReader(line)).Read()
		if err == nil && len(fields) > 0 {
			tell(fields[0])
		}
	}
	return lines.Err()
}

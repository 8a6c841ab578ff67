package openmp

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// Bounds for the files that describe a distribution, in bytes.
const (
	maxMetadata = 4 << 20
	maxRecord   = 64 << 20
	maxLine     = 64 << 10
	maxRecorded = 100_000 // libraries or modules of one distribution; the largest real ones have a hundredth of it
)

var errRecorded = errors.New("it claims more files than any package has")

// record is a distribution as its files describe it.
type record struct {
	Package
	site  string
	files []string // the libraries it recorded, absolute
}

// isRecord tells the folder in which an installer describes a distribution.
func isRecord(name string) bool {
	return strings.HasSuffix(name, ".dist-info") || strings.HasSuffix(name, ".egg-info")
}

// record reads one distribution of a site.
func (w *walk) record(site, name string) {
	dir := filepath.Join(site, name)
	r := record{site: site}
	err := r.metadata(dir)
	if err == nil {
		err = r.contents(dir)
	}
	if err != nil {
		w.problem(dir, err)
		if r.Name == "" {
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packages = append(w.packages, r)
}

// metadata reads the headers of METADATA, or of an egg's PKG-INFO. See
// https://packaging.python.org/en/latest/specifications/core-metadata/.
func (r *record) metadata(dir string) error {
	var f *os.File
	var err error
	for _, path := range []string{filepath.Join(dir, "METADATA"), filepath.Join(dir, "PKG-INFO"), dir} {
		if f, err = safefile.Open(path); err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			break
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r.Package, err = readMetadata(f)
	return err
}

var errNoName = errors.New("it names no package")

func readMetadata(from io.Reader) (Package, error) {
	var p Package
	requires := map[string]bool{}
	err := lines(io.LimitReader(from, maxMetadata), func(line []byte) bool {
		if len(bytes.TrimSpace(line)) == 0 {
			return false
		}
		key, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "name":
			p.Name = value
		case "version":
			p.Version = value
		case "requires-dist":
			if name := required(value); name != "" {
				requires[name] = true
			}
		}
		return true
	})
	p.Requires = slices.Sorted(maps.Keys(requires))
	if err == nil && p.Name == "" {
		err = errNoName
	}
	return p, err
}

// required is the name of a requirement such as `scipy[all]>=1.8 ; python_version < "3.12"`, "" for one of an extra.
func required(text string) string {
	text, marker, _ := strings.Cut(text, ";")
	if strings.Contains(marker, "extra") {
		return ""
	}
	end := strings.IndexFunc(text, func(r rune) bool { return strings.ContainsRune(" \t([<>=!~@,", r) })
	if end >= 0 {
		text = text[:end]
	}
	return Normal(text)
}

// lines tells of a stream's lines until tell returns false. What is longer than maxLine is told in pieces nobody recognises.
func lines(from io.Reader, tell func(line []byte) bool) error {
	in := bufio.NewReaderSize(from, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 && !tell(bytes.TrimRight(line, "\r\n")) {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// contents reads RECORD, or an egg's lists, for the modules and the libraries.
func (r *record) contents(dir string) error {
	modules := map[string]bool{}
	take := func(base, path string) {
		if isLibrary(path) {
			file := path
			if !filepath.IsAbs(file) {
				file = filepath.Join(base, path)
			}
			r.files = append(r.files, filepath.Clean(file))
		}
		if m := moduleOf(path); m != "" {
			modules[m] = true
		}
	}
	readers := map[string]func(line []byte){
		"RECORD":              func(line []byte) { take(r.site, recordPath(line)) },
		"installed-files.txt": func(line []byte) { take(dir, string(line)) },
		"top_level.txt": func(line []byte) {
			if m := strings.TrimSpace(string(line)); isIdentifier(m) {
				modules[m] = true
			}
		},
	}
	var wrong error
	for name, read := range readers {
		f, err := safefile.Open(filepath.Join(dir, name))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) { // each of them may be missing
				wrong = errors.Join(wrong, err)
			}
			continue
		}
		err = lines(io.LimitReader(f, maxRecord), func(line []byte) bool {
			read(line)
			return len(r.files) <= maxRecorded && len(modules) <= maxRecorded
		})
		f.Close()
		if len(r.files) > maxRecorded || len(modules) > maxRecorded {
			err = errors.Join(err, errRecorded)
		}
		wrong = errors.Join(wrong, err)
	}
	for m := range modules {
		r.Modules = append(r.Modules, m)
	}
	slices.Sort(r.Modules)
	return wrong
}

// recordPath is the first field of a line of RECORD, which is a CSV file.
func recordPath(line []byte) string {
	if len(line) > 0 && line[0] == '"' {
		fields, err := csv.NewReader(bytes.NewReader(line)).Read()
		if err != nil || len(fields) == 0 {
			return ""
		}
		return fields[0]
	}
	path, _, _ := bytes.Cut(line, []byte{','})
	return string(path)
}

// moduleOf is the name by which a recorded file is imported, its first part: "faiss" of "faiss/loader.py", "six" of "six.py". What is no
// code, or lies outside of the site, is none.
func moduleOf(path string) string {
	if !strings.HasSuffix(path, ".py") && !strings.HasSuffix(path, ".so") {
		return ""
	}
	first, _, folder := strings.Cut(path, "/")
	if !folder {
		first, _, _ = strings.Cut(first, ".") // also of "_x.cpython-311-darwin.so"
	}
	if !isIdentifier(first) {
		return ""
	}
	return first
}

func isIdentifier(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// distribution is a name and a version.
type distribution struct{ name, version string }

// condaOwner asks conda's own records, which have a name for what no Python package brought.
func (g *graph) condaOwner(path string) (name, version string) {
	rel, ok := strings.CutPrefix(path, g.root+"/")
	if !ok {
		return "", ""
	}
	if g.conda == nil {
		g.conda = condaOwners(g.root)
	}
	d := g.conda[rel]
	return d.name, d.version
}

// condaOwners are the libraries that conda's packages brought, by their paths below root.
func condaOwners(root string) map[string]distribution {
	owners := map[string]distribution{}
	files, _ := filepath.Glob(filepath.Join(root, "conda-meta", "*.json")) // an environment that venv made has none
	for _, file := range files {
		text, err := safefile.Read(file, maxRecord)
		if err != nil {
			continue
		}
		var meta struct {
			Name, Version string
			Files         []string
		}
		if json.Unmarshal(text, &meta) != nil {
			continue
		}
		for _, f := range meta.Files {
			if _, there := owners[f]; isLibrary(f) && !there {
				owners[f] = distribution{meta.Name, meta.Version}
			}
		}
	}
	return owners
}

package cure

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// manifest is the content of manifest.json. Its paths are relative to the environment's root, so that the environment may be moved.
type manifest struct {
	Version int        `json:"v"`
	At      time.Time  `json:"at"`
	Keep    keptFile   `json:"keep"`
	Links   []replaced `json:"links"`
	Stale   []string   `json:"stale,omitempty"` // originals that are of no use any more and may not be removed yet
}

// keptFile is the one that stays, as it looked when it was proven to fit.
type keptFile struct {
	Path    string    `json:"path"`
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mod_time"`
	Hash    string    `json:"hash"`
	Package string    `json:"package,omitempty"`
}

func (k keptFile) same(o keptFile) bool {
	return k.Path == o.Path && k.Size == o.Size && k.ModTime.Equal(o.ModTime) && k.Hash == o.Hash
}

// replaced is one link, and what stood in its place.
type replaced struct {
	Path     string `json:"path"`
	Target   string `json:"target"`
	Original string `json:"original"` // its name in the folder
	Hash     string `json:"hash"`
	Package  string `json:"package,omitempty"`
}

const maxManifest = 1 << 20 // bytes

// load reads the manifest. Without one it is empty, and fs.ErrNotExist the error.
func (s *store) load() (manifest, error) {
	if s.folder == nil {
		return manifest{}, fmt.Errorf("reading what was cured: %w", fs.ErrNotExist)
	}
	path := s.path(in(manifestName))
	text, err := safefile.ReadIn(s.root, in(manifestName), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return manifest{}, fmt.Errorf("reading what was cured: %w", err)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("reading what was cured: %s: %w", path, reasonOf(err))
	}
	m, err := parseManifest(text)
	if err != nil {
		return manifest{}, fmt.Errorf("reading what was cured: %s: %w", path, err)
	}
	return m, nil
}

// parseManifest refuses what no cure has written: whoever made the environment may have made the manifest, too.
func parseManifest(text []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, err
	}
	if m.Version != 1 {
		return m, errors.New("it is of a newer Vivarium: use that")
	}
	if m.Keep.Path != "" && !isInside(m.Keep.Path) {
		return m, fmt.Errorf("it names %q, which does not lie in the environment", m.Keep.Path)
	}
	names := map[string]bool{}
	for _, r := range m.Links {
		if !isInside(r.Path) {
			return m, fmt.Errorf("it names %q, which does not lie in the environment", r.Path)
		}
		if !originalName.MatchString(r.Original) || names[r.Original] {
			return m, fmt.Errorf("it names %q, which is no original of its own", r.Original)
		}
		names[r.Original] = true
	}
	for _, name := range m.Stale {
		if !originalName.MatchString(name) || names[name] {
			return m, fmt.Errorf("it names %q, which is no original of its own", name)
		}
	}
	return m, nil
}

// originalName is the form of the names that originals get: "0-libomp.dylib". It is no path, and neither the lock nor the manifest.
var originalName = regexp.MustCompile(`^[0-9]{1,9}-[^/\x00]{1,255}$`)

// isInside: a relative path of a file in the environment and not in the cure's own folder. What links on the way make of it is os.Root's to
// say.
func isInside(rel string) bool {
	if !filepath.IsLocal(rel) || filepath.Clean(rel) != rel || rel == "." {
		return false
	}
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	return !strings.EqualFold(first, storeFolder) // a Mac's file system does not tell letters by case
}

// plan is the manifest of the cure, with the links of an earlier one that still stand. Nothing is changed.
func (s *store) plan(c Plan, old manifest) (manifest, error) {
	m := manifest{Version: 1, At: time.Now().UTC().Truncate(time.Second)}
	kept, err := s.describe(c.Keep)
	if err != nil {
		return m, err
	}
	m.Keep = kept
	used := map[string]bool{}
	for _, name := range old.Stale {
		used[name] = true
		m.stale(s, name)
	}
	for _, r := range old.Links {
		used[r.Original] = true
		if err := s.damaged(r); err != nil { // to go on would lose what is left of it
			return m, err
		}
		standing, err := s.isLink(r.Path)
		if err != nil {
			return m, err
		}
		if !standing {
			m.stale(s, r.Original)
			continue
		}
		if r.Target, err = filepath.Rel(filepath.Dir(s.path(r.Path)), c.Keep.Real); err != nil {
			return m, fmt.Errorf("curing %s: %w", r.Path, err)
		}
		m.Links = append(m.Links, r) // its original is the only one there is
	}
	for _, l := range c.Links {
		rel, err := filepath.Rel(s.name, l.Path)
		if err != nil || !isInside(rel) {
			return m, fmt.Errorf("curing %s: it does not lie in %s", l.Path, s.name)
		}
		r := replaced{Path: rel, Target: l.Target, Hash: l.Hash, Package: l.Package}
		for n := len(m.Links); r.Original == "" || used[r.Original]; n++ {
			r.Original = fmt.Sprintf("%d-%s", n, filepath.Base(rel))
		}
		used[r.Original] = true
		m.Links = append(m.Links, r)
	}
	return m, nil
}

// stale notes an original that is to be removed, if it is still there.
func (m *manifest) stale(s *store, name string) {
	if _, err := s.root.Lstat(in(name)); err == nil {
		m.Stale = append(m.Stale, name)
	}
}

func (s *store) describe(keep openmp.Runtime) (keptFile, error) {
	if keep.Real == "" {
		return keptFile{}, &Error{"no OpenMP runtime is left in " + s.name, "take back what a cure has left there with `vivarium doctor --undo`"}
	}
	rel, err := filepath.Rel(s.name, keep.Real)
	if err != nil || !isInside(rel) {
		return keptFile{}, &Error{fmt.Sprintf("%s does not lie in %s", keep.Real, s.name), otherCures}
	}
	st, err := s.root.Stat(rel)
	if err != nil {
		return keptFile{}, fmt.Errorf("looking at what stays: %s: %w", keep.Real, reasonOf(err))
	}
	return keptFile{Path: rel, Size: st.Size(), ModTime: st.ModTime(), Hash: keep.Hash, Package: keep.Package}, nil
}

// save writes the manifest so that it survives a power failure: it is on disk before the first change is made.
func (s *store) save(m manifest) error {
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return fmt.Errorf("writing down the cure: %w", err)
	}
	if err := s.write(in(manifestName), append(text, '\n')); err != nil {
		return fmt.Errorf("writing down the cure: %w", err)
	}
	return nil
}

func (s *store) write(name string, text []byte) error {
	next := name + newSuffix
	if err := s.step("write the manifest"); err != nil {
		return err
	}
	if err := s.remove(next, 0); err != nil { // of an attempt that was interrupted
		return err
	}
	f, err := s.root.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := s.step("rename the manifest"); err != nil {
		return err
	}
	if err := s.root.Rename(next, name); err != nil {
		return err
	}
	return s.sync(storeFolder)
}

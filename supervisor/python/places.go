package python

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	applePython = "/usr/bin/python3"
	framework   = "/Library/Frameworks/Python.framework/Versions"
)

// at is a path of the system, below Root.
func (o Options) at(path string) string {
	if o.Root == "" {
		return path
	}
	return filepath.Join(o.Root, path)
}

// candidates are the interpreters outside the backend's folder, in the order in which they are taken. Most are not there.
func (o Options) candidates() []string {
	var all []string
	if o.GOOS == "darwin" {
		all = append(all, o.at("/opt/homebrew/bin/python3"), o.at("/usr/local/bin/python3"), o.at(framework+"/Current/bin/python3"))
		all = append(all, binaries(o.at(framework), "", "")...)
	}
	all = append(all, o.uvPythons(o.pinned())...)
	root := o.pyenvRoot()
	if p := o.pyenvChosen(root); p != "" {
		all = append(all, p)
	} else if !o.pyenvSystem(root) {
		all = append(all, binaries(filepath.Join(root, "versions"), "", "")...)
	}
	for _, dir := range o.path() {
		if p := filepath.Join(dir, "python3"); o.GOOS != "darwin" || p != o.at(applePython) {
			all = append(all, p)
		}
	}
	if o.GOOS == "darwin" {
		all = append(all, o.at(applePython))
	}
	return all
}

// folders are where a bare name such as python3.12 is looked up.
func (o Options) folders() []string {
	dirs := o.path()
	if o.GOOS == "darwin" { // an app that was started at login has none of these on its PATH
		dirs = append(dirs, o.at("/opt/homebrew/bin"), o.at("/usr/local/bin"), o.at(framework+"/Current/bin"))
	}
	return dirs
}

func (o Options) path() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(o.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, o.at(dir))
		}
	}
	return dirs
}

// uvPythons are the interpreters that uv installed, newest first; pin restricts them to "3.12" or "3.12.4".
func (o Options) uvPythons(pin string) []string {
	dir := o.Getenv("UV_PYTHON_INSTALL_DIR")
	if data := o.Getenv("XDG_DATA_HOME"); dir == "" && filepath.IsAbs(data) {
		dir = filepath.Join(data, "uv", "python")
	} else if dir == "" && o.Home != "" {
		dir = filepath.Join(o.Home, ".local", "share", "uv", "python")
	}
	if dir == "" {
		return nil
	}
	return binaries(dir, "cpython-", pin)
}

func (o Options) pyenvRoot() string {
	if root := o.Getenv("PYENV_ROOT"); root != "" {
		return root
	}
	if o.Home == "" {
		return ""
	}
	return filepath.Join(o.Home, ".pyenv")
}

// pinned is the version that the backend's .python-version asks for, if it is a number; uv and pyenv both read that file.
func (o Options) pinned() string {
	for _, name := range firstWords(filepath.Join(o.Dir, ".python-version")) {
		if _, ok := versionOf(name); ok {
			return name
		}
	}
	return ""
}

// pyenvNames are the versions that pyenv would choose among: $PYENV_VERSION, else .python-version in the backend's folder or above it, else
// the global version.
func (o Options) pyenvNames(root string) []string {
	if v := o.Getenv("PYENV_VERSION"); v != "" {
		return strings.Split(v, ":")
	}
	for dir := o.Dir; ; dir = filepath.Dir(dir) {
		if names := firstWords(filepath.Join(dir, ".python-version")); len(names) > 0 {
			return names
		}
		if dir == filepath.Dir(dir) {
			return firstWords(filepath.Join(root, "version"))
		}
	}
}

func (o Options) pyenvSystem(root string) bool {
	return root == "" || slices.Contains(o.pyenvNames(root), "system")
}

// pyenvChosen is the interpreter behind pyenv's shim, "" if there is none.
func (o Options) pyenvChosen(root string) string {
	if root == "" {
		return ""
	}
	versions := filepath.Join(root, "versions")
	for _, name := range o.pyenvNames(root) {
		name = strings.TrimPrefix(name, "python-")
		if name == "system" || name == "" || strings.Contains(name, "..") {
			continue
		}
		for _, bin := range []string{"python", "python3"} {
			if p := filepath.Join(versions, name, "bin", bin); isFile(p) {
				return p
			}
		}
		if found := binaries(versions, "", name); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

// binaries are the interpreters below the version folders in dir, newest first: dir/<prefix>3.12.4…/bin/python3. Pre-releases and
// builds without the lock are left out; whoever wants one says so.
func binaries(dir, prefix, pin string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	type found struct {
		version [3]int
		path    string
	}
	var all []found
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(name, "-")
		v, ok := versionOf(name)
		if !ok || v[0] != 3 || pin != "" && name != pin && !strings.HasPrefix(name, pin+".") {
			continue
		}
		all = append(all, found{v, filepath.Join(dir, e.Name(), "bin", "python3")})
	}
	slices.SortStableFunc(all, func(a, b found) int { return slices.Compare(b.version[:], a.version[:]) })
	var paths []string
	for _, f := range all {
		if isFile(f.path) {
			paths = append(paths, f.path)
		}
	}
	return paths
}

// versionOf reads "3", "3.12" or "3.12.4".
func versionOf(s string) (v [3]int, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) > len(v) {
		return v, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || len(p) > 3 || p[0] == '+' {
			return v, false
		}
		v[i] = n
	}
	return v, true
}

// firstWords are the first words of a small file's lines, without comments.
func firstWords(path string) []string {
	text, err := readHead(path)
	if err != nil {
		return nil
	}
	var words []string
	for _, l := range strings.Split(text, "\n") {
		if f := strings.Fields(l); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
			words = append(words, f[0])
		}
	}
	return words
}

// readHead reads the beginning of a file that ought to be small.
func readHead(path string) (string, error) {
	f, err := safefile.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 8<<10)
	n, err := f.Read(b)
	if n > 0 {
		err = nil
	}
	return string(b[:n]), err
}

var programName = regexp.MustCompile(`^(?i)(pypy|python)[0-9.]*[a-z]*$`)

// IsProgram says whether the program at path is an interpreter, by its name.
func IsProgram(path string) bool { return programName.MatchString(filepath.Base(path)) }

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

package python

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
)

// VenvFile makes a folder a virtual environment.
const VenvFile = "pyvenv.cfg"

// describe fills in what the files around an interpreter tell.
func (o Options) describe(in *Interpreter) {
	in.Prefix = filepath.Dir(filepath.Dir(in.Path))
	cfg := readVenv(in.Prefix)
	conda := cfg == nil && isDir(filepath.Join(in.Prefix, "conda-meta"))
	in.Venv = cfg != nil || conda
	if !in.Venv {
		in.Prefix = filepath.Dir(filepath.Dir(in.Real))
	}
	in.Version = firstOf(threeNumbers(cfg["version"]), threeNumbers(cfg["version_info"]), versionInPath(in.Real))
	in.Site = sitesOf(in.Prefix, in.Version)
	if in.Version == "" && len(in.Site) > 0 {
		in.Version = versionInPath(filepath.Dir(in.Site[0]))
	}
	if cfg != nil && strings.EqualFold(cfg["include-system-site-packages"], "true") && cfg["home"] != "" {
		in.Site = append(in.Site, o.systemSites(cfg["home"], *in)...)
	}
	if !in.Venv {
		in.Site = append(o.userSites(in.Version), in.Site...)
	}
	in.Install = environment.Quote(in.Path) + " -m pip install"
	if cfg["uv"] != "" { // uv puts no pip into its environments
		in.Install = "uv pip install --python " + environment.Quote(in.Path)
	}
	if o.isApples(in.Real) {
		// Into the shim it is dropped for certain, by System Integrity Protection. Into the real file it depends on the file's signature, which is read
		// elsewhere, and on the version of macOS.
		in.Warning = "this is Apple's own Python, of the command line tools or Xcode: macOS may drop DYLD_INSERT_LIBRARIES on the way into it; " +
			"make an environment with another Python, for instance `brew install python`, then `python3 -m venv .venv`"
	}
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// readVenv reads pyvenv.cfg: "key = value" lines, keys in any case. It is nil if there is none.
func readVenv(dir string) map[string]string {
	text, err := readHead(filepath.Join(dir, VenvFile))
	if err != nil {
		return nil
	}
	cfg := map[string]string{}
	for _, l := range strings.Split(text, "\n") {
		if key, value, ok := strings.Cut(l, "="); ok {
			cfg[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return cfg
}

// threeNumbers makes "3.11.7" of "3.11.7", of "3.11.7.final.0" and of "3.11.7+".
func threeNumbers(s string) string {
	parts := strings.SplitN(s, ".", 4)
	if len(parts) > 3 {
		parts = parts[:3]
	}
	for len(parts) > 0 {
		last := parts[len(parts)-1]
		end := strings.IndexFunc(last, func(r rune) bool { return r < '0' || r > '9' })
		if end > 0 {
			parts[len(parts)-1] = last[:end]
		}
		if v := strings.Join(parts, "."); strings.Contains(v, ".") {
			if _, ok := versionOf(v); ok {
				return v
			}
		}
		parts = parts[:len(parts)-1]
	}
	return ""
}

// versionInPath finds Python's version in a path such as …/versions/3.11.7/bin/python3.11, …/Cellar/python@3.12/3.12.1_1/… or
// …/cpython-3.12.4-macos-aarch64-none/…: the longest one, and of equal ones the last.
func versionInPath(path string) string {
	best := ""
	for _, part := range strings.Split(path, "/") {
		for _, prefix := range []string{"cpython-", "python@", "python"} {
			part = strings.TrimPrefix(part, prefix)
		}
		part, _, _ = strings.Cut(part, "-")
		part, _, _ = strings.Cut(part, "_")
		if strings.HasPrefix(part, "3.") {
			if v := threeNumbers(part); strings.Count(v, ".") >= strings.Count(best, ".") && v != "" {
				best = v
			}
		}
	}
	return best
}

// minor makes "3.11" of "3.11.7".
func minor(version string) string {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return ""
	}
	return parts[0] + "." + parts[1]
}

// sitesOf are the site-packages folders of an installation that exist. Debian calls its own dist-packages, keeps one for all
// versions, and one below /usr/local.
func sitesOf(prefix, version string) []string {
	m := minor(version)
	if m == "" {
		entries, _ := os.ReadDir(filepath.Join(prefix, "lib"))
		for _, e := range entries {
			if v := strings.TrimPrefix(e.Name(), "python"); v != e.Name() && strings.HasPrefix(v, "3.") {
				if m = minor(threeNumbers(v)); isDir(filepath.Join(prefix, "lib", e.Name(), "site-packages")) {
					break
				}
			}
		}
	}
	lib := "lib/python" + m
	folders := []string{lib + "/site-packages"}
	if prefix == "/usr" {
		folders = append(folders, "local/"+lib+"/dist-packages", "lib/python3/dist-packages", lib+"/dist-packages")
	}
	var found []string
	for _, f := range append(folders, "lib64/python"+m+"/site-packages") {
		dir := filepath.Join(prefix, f)
		if m != "" && isDir(dir) && !(len(found) > 0 && strings.HasPrefix(f, "lib64/") && sameFile(dir, found[0])) {
			found = append(found, dir)
		}
	}
	return found
}

// systemSites are what an environment with include-system-site-packages takes in besides its own: the person's own packages, and those of
// the installation that it was made from, also where that was named by a link.
func (o Options) systemSites(home string, in Interpreter) []string {
	sites := o.userSites(in.Version)
	for _, base := range []string{filepath.Dir(home), filepath.Dir(filepath.Dir(in.Real))} {
		for _, site := range sitesOf(base, in.Version) {
			if !slices.ContainsFunc(sites, func(s string) bool { return sameFile(s, site) }) {
				sites = append(sites, site)
			}
		}
	}
	return sites
}

// userSites is where `pip install --user` puts things.
func (o Options) userSites(version string) []string {
	if o.Home == "" || minor(version) == "" {
		return nil
	}
	dir := filepath.Join(o.Home, ".local", "lib", "python"+minor(version), "site-packages")
	if o.GOOS == "darwin" {
		if mac := filepath.Join(o.Home, "Library", "Python", minor(version), "lib", "python", "site-packages"); isDir(mac) {
			return []string{mac}
		}
	}
	if isDir(dir) {
		return []string{dir}
	}
	return nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

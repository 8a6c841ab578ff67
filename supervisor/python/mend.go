package python

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
)

// dangling tells of an environment whose interpreter is gone, as after `brew upgrade`, and how to mend it.
func (o Options) dangling(path string) error {
	missing := missingTarget(path)
	env := filepath.Dir(filepath.Dir(path))
	e := &Error{Path: path, Problem: path + " leads to " + missing + ", which is gone"}
	if missing == path {
		e.Problem = env + " has no bin/python"
	}
	cfg := readVenv(env)
	switch {
	case cfg != nil:
		e.Remedy = o.mend(env, path, cfg, versionInPath(missing))
	case isDir(filepath.Join(env, "conda-meta")):
		e.Remedy = "make the conda environment anew"
	default:
		e.Remedy = `set python in vivarium.toml to an interpreter that is there, or to "auto"`
	}
	return e
}

// missingTarget follows the links from path to the first that leads nowhere.
func missingTarget(path string) string {
	for range 40 { // as many as the kernel follows
		to, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path
}

// mend is the command that brings the environment back, with its packages if a Python of the same minor version is there. The
// dangling links are removed first: `venv --upgrade` alone takes them for good ones (seen with 3.11).
func (o Options) mend(env, path string, cfg map[string]string, target string) string {
	m := minor(firstOf(threeNumbers(cfg["version"]), threeNumbers(cfg["version_info"]), target))
	name := env
	if rel, err := filepath.Rel(o.Dir, env); err == nil && filepath.IsLocal(rel) {
		name = rel
	}
	where := "in " + environment.Quote(o.Dir) + " "
	if filepath.IsAbs(name) {
		where = ""
	}
	quoted := environment.Quote(name)
	if cfg["uv"] != "" {
		command := "uv venv --allow-existing"
		if m != "" {
			command += " --python " + m
		}
		return where + "run `" + command + " " + quoted + "`"
	}
	if python := o.sameMinor(m); python != "" {
		command := environment.Quote(python) + " -m venv --upgrade " + quoted
		if links := danglingLinks(filepath.Join(env, "bin")); len(links) > 0 {
			for i, l := range links {
				links[i] = environment.Quote(filepath.Join(name, "bin", l))
			}
			command = "rm " + strings.Join(links, " ") + " && " + command
		}
		return where + "run `" + command + "`"
	}
	command := "python3 -m venv --clear " + quoted
	if isFile(filepath.Join(o.Dir, "requirements.txt")) && !filepath.IsAbs(name) {
		return where + "run `" + command + " && " + environment.Quote(name+"/bin/python") + " -m pip install -r requirements.txt`"
	}
	return where + "run `" + command + "` and install its packages again"
}

// sameMinor finds an installed Python of the minor version, "" if there is none.
func (o Options) sameMinor(m string) string {
	if m == "" {
		return ""
	}
	var all []string
	for _, dir := range o.folders() {
		all = append(all, filepath.Join(dir, "python"+m))
	}
	if o.GOOS == "darwin" {
		all = append(all, o.at(framework+"/"+m+"/bin/python"+m))
	}
	all = append(all, o.uvPythons(m)...)
	if root := o.pyenvRoot(); root != "" {
		all = append(all, binaries(filepath.Join(root, "versions"), "", m)...)
	}
	for _, p := range all {
		real, err := filepath.EvalSymlinks(p)
		if err != nil || !isFile(real) {
			continue
		}
		if _, script := ScriptText(real); !script {
			return p
		}
	}
	return ""
}

// danglingLinks are the names in bin that lead nowhere.
func danglingLinks(bin string) []string {
	entries, _ := os.ReadDir(bin)
	var names []string
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 || !strings.HasPrefix(e.Name(), "python") {
			continue
		}
		if _, err := os.Stat(filepath.Join(bin, e.Name())); errors.Is(err, fs.ErrNotExist) {
			names = append(names, e.Name())
		}
	}
	return names
}

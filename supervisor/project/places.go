package project

import (
	"crypto/sha256"
	"encoding/base64"
	"path/filepath"
	"strings"
)

// System is what must be known of a computer and its person to find environments outside of a project's folder.
type System struct {
	GOOS   string
	Home   string
	Getenv func(string) string
}

// ownFolders are the names under which people keep a project's environment, the usual one first.
var ownFolders = []string{".venv", "venv", "env"}

// belowFolders are where the server mostly is when a project has other parts, too.
var belowFolders = []string{"backend", "server", "api", "app", "src", "python", "service"}

// OwnPlaces are where an environment of the folder dir may be.
func OwnPlaces(dir string) []string {
	var all []string
	for _, name := range ownFolders {
		all = append(all, filepath.Join(dir, name))
	}
	return all
}

// BelowPlaces are where one may be in a folder below: backend/venv.
func BelowPlaces(dir string) []string {
	var all []string
	for _, below := range belowFolders {
		all = append(all, OwnPlaces(filepath.Join(dir, below))...)
	}
	return all
}

// ToolPlaces are where the project's tool keeps the environment of the project in dir: patterns of filepath.Match, as some have the version of
// Python in their name. conda is a conda environment's name where a script or environment.yml says one.
func (e Environment) ToolPlaces(dir, conda string, s System) []string {
	if s.Getenv == nil {
		s.Getenv = func(string) string { return "" }
	}
	switch {
	case conda != "" && filepath.IsAbs(conda):
		return []string{globQuote(conda)}
	case conda != "" || e.Tool == Conda && e.Name != "":
		return s.condaPlaces(firstOf(conda, e.Name))
	case e.Tool == Poetry:
		return []string{filepath.Join(globQuote(s.poetryFolder()), globQuote(PoetryName(e.Name, dir))+"-py3.*")}
	case e.Tool == Pipenv:
		return []string{filepath.Join(globQuote(s.pipenvFolder()), globQuote(PipenvName(dir)))}
	case e.Tool == Hatch:
		name := e.Name
		return []string{filepath.Join(globQuote(s.hatchFolder()), globQuote(name503(name)), "*", globQuote(name503(name)))}
	case e.Tool == Pixi:
		return []string{filepath.Join(globQuote(dir), ".pixi", "envs", "default")}
	case e.Tool == UV && s.Getenv("UV_PROJECT_ENVIRONMENT") != "":
		env := s.Getenv("UV_PROJECT_ENVIRONMENT")
		if !filepath.IsAbs(env) {
			env = filepath.Join(dir, env)
		}
		return []string{globQuote(env)}
	}
	return nil
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// globQuote keeps a folder named "a[1]" from being a pattern.
func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func (s System) cache(name string) string {
	if s.GOOS == "darwin" {
		return filepath.Join(s.Home, "Library", "Caches", name)
	}
	if dir := s.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	return filepath.Join(s.Home, ".cache", name)
}

func (s System) data(name string) string {
	if s.GOOS == "darwin" {
		return filepath.Join(s.Home, "Library", "Application Support", name)
	}
	if dir := s.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	return filepath.Join(s.Home, ".local", "share", name)
}

func (s System) poetryFolder() string {
	if dir := s.Getenv("POETRY_VIRTUALENVS_PATH"); dir != "" {
		return dir
	}
	if dir := s.Getenv("POETRY_CACHE_DIR"); dir != "" {
		return filepath.Join(dir, "virtualenvs")
	}
	return filepath.Join(s.cache("pypoetry"), "virtualenvs")
}

func (s System) pipenvFolder() string {
	if dir := s.Getenv("WORKON_HOME"); dir != "" {
		return dir
	}
	return filepath.Join(s.Home, ".local", "share", "virtualenvs")
}

func (s System) hatchFolder() string {
	if dir := s.Getenv("HATCH_DATA_DIR"); dir != "" {
		return filepath.Join(dir, "env", "virtual")
	}
	return filepath.Join(s.data("hatch"), "env", "virtual")
}

// condaPlaces are the folders in which the installers of conda put environments.
func (s System) condaPlaces(name string) []string {
	var all []string
	if name == "" || strings.ContainsAny(name, "/\\") || name == ".." {
		return nil
	}
	quoted := globQuote(name)
	for _, root := range []string{s.Getenv("MAMBA_ROOT_PREFIX"), s.Getenv("CONDA_ROOT")} {
		if root != "" {
			all = append(all, filepath.Join(globQuote(root), "envs", quoted))
		}
	}
	for _, root := range []string{"miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba", "opt/miniconda3", "opt/anaconda3", ".conda"} {
		all = append(all, filepath.Join(globQuote(s.Home), root, "envs", quoted))
	}
	for _, root := range []string{"/opt/miniforge3", "/opt/miniconda3", "/opt/anaconda3", "/opt/conda", "/opt/homebrew/Caskroom/miniconda/base", "/opt/homebrew/Caskroom/miniforge/base", "/opt/homebrew/Caskroom/mambaforge/base", "/opt/homebrew/anaconda3", "/usr/local/Caskroom/miniconda/base"} {
		all = append(all, filepath.Join(root, "envs", quoted))
	}
	return all
}

// PoetryName is the beginning of the name that Poetry gives the environment of the project in dir; "-py3.12" follows.
func PoetryName(project, dir string) string {
	name := strings.ToLower(project)
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" $`!*@\"\\\r\n\t", r) {
			return '_'
		}
		return r
	}, name)
	if len(name) > 42 {
		name = name[:42]
	}
	sum := sha256.Sum256([]byte(dir))
	return name + "-" + base64.URLEncoding.EncodeToString(sum[:])[:8]
}

// PipenvName is the name that Pipenv gives the environment of the Pipfile in dir.
func PipenvName(dir string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" &$`!*@\"()[]\\\r\n\t", r) {
			return '_'
		}
		return r
	}, filepath.Base(dir))
	if len(name) > 42 {
		name = name[:42]
	}
	sum := sha256.Sum256([]byte(filepath.Join(dir, "Pipfile")))
	return name + "-" + base64.URLEncoding.EncodeToString(sum[:])[:8]
}

package python

import (
	"os"
	"path/filepath"
	"strings"
)

const (
	applePython = "/usr/bin/python3"
	appleTools  = "/Library/Developer/CommandLineTools"
	appleChosen = "/var/db/xcode_select_link" // what `xcode-select --switch` chose, a link
)

// appleReal is the interpreter behind /usr/bin/python3 on a Mac, a path; "" if there is none. What lies at /usr/bin/python3 is a shim: without
// the command line tools it opens the dialog that installs them, and exits, at each start again. So it is never run itself.
func (o Options) appleReal() string {
	tools := []string{o.at(appleTools)}
	if chosen, err := os.Readlink(o.at(appleChosen)); err == nil {
		if !filepath.IsAbs(chosen) {
			chosen = filepath.Join(filepath.Dir(appleChosen), chosen)
		}
		tools = []string{o.at(chosen), tools[0]}
	}
	for _, dir := range tools {
		if p := filepath.Join(dir, "usr", "bin", "python3"); isFile(p) {
			return p
		}
	}
	return ""
}

func (o Options) isAppleShim(path string) bool {
	return o.GOOS == "darwin" && path == o.at(applePython)
}

// isApples: the interpreter whose links are resolved comes with macOS, the command line tools or Xcode.
func (o Options) isApples(real string) bool {
	if o.GOOS != "darwin" {
		return false
	}
	return o.isAppleShim(real) || strings.HasPrefix(real, o.at(appleTools)+"/") || strings.Contains(real, ".app/Contents/Developer/")
}

func (o Options) noTools(path string) error {
	return &Error{Path: path, Problem: path + " is only a placeholder of macOS: the command line tools, which have the Python behind it, are not installed",
		Remedy: "install a Python (`brew install python`, or python.org) and make an environment with `python3 -m venv .venv`"}
}

package openmp

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Python is an interpreter as its files describe it: whether what is set for it arrives, and as what it runs. It was not run.
type Python struct {
	Path       string    `json:"path"`                 // what is started
	Runs       string    `json:"runs"`                 // the program behind it, links resolved: of a framework the one in Python.app, which bin/python3 starts in its place
	Archs      []string  `json:"archs"`                // its architectures, in GOARCH's words where Go has one
	Arch       string    `json:"arch"`                 // the one it runs as on this machine
	Translated bool      `json:"translated,omitempty"` // by Rosetta: made for Intel, on a Mac that is not
	Signature  Signature `json:"signature"`            // of that architecture
	// Drops says why DYLD_* variables do not arrive, in one clause for a person; "" if they do, and on Linux, which has none.
	Drops string `json:"drops,omitempty"`
	// Refuses says why it loads no library of another maker, inserted or not; "" if it does.
	Refuses string `json:"refuses,omitempty"`
}

// Misses are the packages with extension modules that this interpreter cannot load, as they are made for another architecture.
func (p Python) Misses(packages []Package) []Package {
	var all []Package
	for _, one := range packages {
		if len(one.Archs) > 0 && !slices.Contains(one.Archs, p.Arch) {
			all = append(all, one)
		}
	}
	return all
}

// InspectPython reads an interpreter for a machine of a system and an architecture, both in Go's words. An error means that it is no
// program for that machine.
func InspectPython(path, goos, arch string) (Python, error) {
	p := Python{Path: path, Arch: arch}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return p, fmt.Errorf("inspecting the interpreter: %w", err)
	}
	hops := []string{real}
	if inner := frameworkProgram(real); goos == "darwin" && inner != "" {
		hops = append(hops, inner)
	}
	p.Runs = hops[len(hops)-1]
	for _, hop := range hops {
		if err := p.inspect(hop, goos, arch); err != nil {
			return p, fmt.Errorf("inspecting the interpreter: %s: %w", hop, err)
		}
	}
	return p, nil
}

// frameworkProgram is what a framework's bin/python3 starts in its place, so that windows work; "" if path is not of a framework.
func frameworkProgram(path string) string {
	version := filepath.Dir(filepath.Dir(path))
	if filepath.Base(filepath.Dir(path)) != "bin" || filepath.Base(filepath.Dir(version)) != "Versions" {
		return ""
	}
	inner := filepath.Join(version, "Resources", "Python.app", "Contents", "MacOS", "Python")
	if st, err := os.Stat(inner); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	return inner
}

// inspect takes what one program on the way tells. What one drops does not arrive at the next.
func (p *Python) inspect(path, goos, arch string) error {
	o, err := open(path)
	if err != nil {
		return err
	}
	defer o.Close()
	p.Archs = nil
	for _, part := range o.parts {
		p.Archs = append(p.Archs, part.arch)
	}
	if goos != "darwin" {
		if !slices.Contains(p.Archs, arch) {
			return fmt.Errorf("it is made for %s", strings.Join(p.Archs, " and "))
		}
		return nil
	}
	i := slices.Index(p.Archs, arch)
	if i < 0 && arch == "arm64" {
		i = slices.Index(p.Archs, "amd64")
		p.Translated = i >= 0
	}
	if i < 0 {
		return fmt.Errorf("it is made for %s", strings.Join(p.Archs, " and "))
	}
	p.Arch = p.Archs[i]
	m, ok := o.parts[i].symbols.(*machO)
	if !ok {
		return fmt.Errorf("it is no program of macOS")
	}
	if p.Signature, err = m.signed(); err != nil {
		return err
	}
	if p.Drops == "" {
		p.Drops = p.drops(path, o.info.Mode())
	}
	if s := p.Signature; p.Refuses == "" && (s.Hardened || s.LibraryValidation) && !slices.Contains(s.Entitlements, allowLibraries) {
		p.Refuses = path + " loads only libraries that Apple or its own maker signed"
	}
	return nil
}

// drops says why dyld ignores and removes DYLD_* in a process of this program.
func (p *Python) drops(path string, mode fs.FileMode) string {
	s := p.Signature
	switch {
	case isProtected(path):
		return path + " belongs to macOS, which drops DYLD_* variables on the way into its own programs"
	case mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		return path + " runs as another user, and macOS drops DYLD_* variables for such programs"
	case s.Restricted:
		return path + " is marked as restricted, and macOS drops DYLD_* variables for such programs"
	case s.Hardened && !slices.Contains(s.Entitlements, allowVariables):
		return path + " has the hardened runtime without the entitlement " + allowVariables + ", so macOS drops DYLD_* variables"
	}
	return ""
}

// isProtected reports whether System Integrity Protection has the file. See https://support.apple.com/en-us/102149.
func isProtected(path string) bool {
	for _, dir := range []string{"/System", "/bin", "/sbin", "/usr"} {
		if within(dir, path) {
			return !within("/usr/local", path)
		}
	}
	return false
}

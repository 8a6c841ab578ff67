// Package openmp finds every OpenMP runtime in a Python environment, and says who asks for it. Two of them in one process are what
// kills most local AI backends on a Mac. A scan only reads files and starts nothing, Python least of all: a probe by `import torch` would be the
// very crash it looks for. What it reads is Mach-O and ELF wherever it runs, so that a Mac's environment is tested on Linux.
package openmp

import (
	"slices"
	"strings"
)

// Flavor is a family of runtimes. Within one family, and between LLVM and Intel, a second copy in a process aborts it.
type Flavor string

const (
	LLVM  Flavor = "LLVM"  // libomp
	Intel Flavor = "Intel" // libiomp5, of the same source as LLVM's
	GNU   Flavor = "GNU"   // libgomp
)

// Slice is one architecture of a file.
type Slice struct {
	Arch string `json:"arch"`         // in GOARCH's words where Go has one, as in "arm64", "amd64"; "arm64e"
	ID   string `json:"id,omitempty"` // LC_UUID as Apple prints it; ELF's build id in upper-case hex, without dashes; "" none
}

// Runtime is one OpenMP runtime on disk.
type Runtime struct {
	Path    string  `json:"path"`              // as found, absolute
	Real    string  `json:"real"`              // links resolved
	File    string  `json:"file,omitempty"`    // device and inode, "2049:1311": hard links of one file have the same
	Link    bool    `json:"link,omitempty"`    // Path itself is a symbolic link
	Flavor  Flavor  `json:"flavor"`            // whose runtime it is
	Static  bool    `json:"static,omitempty"`  // inside an extension module or another library, no library of its own
	Version string  `json:"version,omitempty"` // as the runtime's banner says it, "5.0.20140926"; "" unknown
	Name    string  `json:"name,omitempty"`    // install name or SONAME
	Slices  []Slice `json:"slices"`            // its architectures
	Hash    string  `json:"hash,omitempty"`    // SHA-256 of the content, hex
	Package string  `json:"package,omitempty"` // owner by RECORD, as its METADATA writes the name; "" none
	// PackageVersion is the owner's version.
	PackageVersion string `json:"package_version,omitempty"`
	Users          []User `json:"users,omitempty"` // who asks for it; a static one has itself alone in it and needs no user
}

// Same reports whether dyld and ld.so take two paths for one image: links to one file, symbolic or hard.
func (r Runtime) Same(o Runtime) bool {
	return r.Real == o.Real || r.File != "" && r.File == o.File
}

// Arch is the slice of an architecture.
func (r Runtime) Arch(arch string) (Slice, bool) {
	i := slices.IndexFunc(r.Slices, func(s Slice) bool { return s.Arch == arch })
	if i < 0 {
		return Slice{}, false
	}
	return r.Slices[i], true
}

// User is a module or a library that needs a runtime.
type User struct {
	Path    string `json:"path"`
	Package string `json:"package,omitempty"` // its owner by RECORD, "" none
	Asks    string `json:"asks"`              // the name it asks for, as it stands in the file: "@rpath/libomp.dylib"
	Via     string `json:"via,omitempty"`     // the library through which it comes to the runtime; "" if it asks for it itself
}

// Package is an installed distribution.
type Package struct {
	Name     string   `json:"name"` // as its METADATA writes it
	Version  string   `json:"version"`
	Modules  []string `json:"modules,omitempty"`  // top-level names that can be imported, sorted
	Requires []string `json:"requires,omitempty"` // normalised names (see Normal) of what it needs always: no extras; sorted
	Archs    []string `json:"archs,omitempty"`    // architectures that every one of its extension modules has; none: it has no such module
}

// Environment is what a walk found.
type Environment struct {
	Root     string    `json:"root"`
	Sites    []string  `json:"sites"`
	Runtimes []Runtime `json:"runtimes"`          // by path
	Missing  []User    `json:"missing,omitempty"` // who asks for a runtime that is nowhere, as a wheel that counts on Homebrew's
	Packages []Package `json:"packages"`          // by name
	Files    int       `json:"files"`             // files seen
	Skipped  int       `json:"skipped"`           // files and folders that could not be read, or are not what their name says
	Problems []string  `json:"problems"`          // what was skipped and why, and who asks for a runtime that is nowhere; at most 100
}

// Package is the installed distribution of a name, written in any way.
func (e Environment) Package(name string) (Package, bool) {
	name = Normal(name)
	i := slices.IndexFunc(e.Packages, func(p Package) bool { return Normal(p.Name) == name })
	if i < 0 {
		return Package{}, false
	}
	return e.Packages[i], true
}

// Normal is a package's name in the one spelling that all of its spellings share: lower case, every run of "-", "_" and "." one
// "-". See https://packaging.python.org/en/latest/specifications/name-normalization/.
func Normal(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' }), "-")
}

package environment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// libompNames are where torch's macOS wheels keep their copy of OpenMP, newest layout first: arm64 since 2.2; before that Intel's
// runtime in the folder that delocate makes, and for 1.13 to 2.2 on x86_64 under functorch, which came in the same wheel.
var libompNames = []string{
	"torch/lib/libomp.dylib",
	"torch/.dylibs/libomp.dylib",
	"torch/.dylibs/libiomp5.dylib",
	"functorch/.dylibs/libiomp5.dylib",
}

// FindLibomp looks for torch's copy of OpenMP in the site-packages folders, for a Python that runs as arch (in GOARCH's words). If
// there is none that can be inserted, path is "" and why says so in one clause for a person.
func FindLibomp(sites []string, arch string) (path, why string) {
	if len(sites) == 0 {
		return "", "no site-packages folder was found"
	}
	torch := false
	for _, site := range sites {
		if st, err := os.Stat(filepath.Join(site, "torch")); err != nil || !st.IsDir() {
			continue
		}
		torch = true
		for _, name := range libompNames {
			file := filepath.Join(site, filepath.FromSlash(name))
			err := CheckDylib(file, arch)
			if err == nil && strings.Contains(file, ":") {
				err = fmt.Errorf("%s has a colon in its path, which %s cannot hold", file, nameInsert)
			}
			switch {
			case err == nil:
				return file, ""
			case errors.Is(err, fs.ErrNotExist):
			case why == "":
				why = err.Error()
			}
		}
	}
	switch {
	case why != "":
		return "", why
	case torch:
		return "", "this torch brings no copy of OpenMP"
	}
	return "", "torch is not installed in this environment"
}

// CheckDylib says why dyld could not insert the library into a process of the architecture arch (in GOARCH's words), or nil. A
// file that is not there is fs.ErrNotExist. dyld ends a process before its first instruction when an inserted library cannot be
// loaded ("terminating because inserted dylib '…' could not be loaded"), so what is doubtful is not insertable.
func CheckDylib(path, arch string) error {
	found, err := openmp.ReadMachO(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be used: %w", path, err)
	}
	for _, s := range found {
		if s.Arch != arch {
			continue
		}
		if !s.Library {
			return fmt.Errorf("%s is not a library", path)
		}
		return nil
	}
	return fmt.Errorf("%s is made for another architecture (have %s, need %s)", path, macNames(archs(found)), macNames([]string{arch}))
}

// MachArchs are the architectures of a Mach-O file, in GOARCH's words where Go has one.
func MachArchs(path string) ([]string, error) {
	s, err := openmp.ReadMachO(path)
	return archs(s), err
}

// RunsAs is the architecture a process of the program at path has when a process of architecture parent starts it: the
// parent's own if the program offers it, else what it has. An unreadable program is taken to be as its parent.
func RunsAs(path, parent string) string {
	have, err := MachArchs(path)
	if err != nil || len(have) == 0 || slices.Contains(have, parent) {
		return parent
	}
	return have[0]
}

// macNames are architectures as a Mac's messages name them.
func macNames(all []string) string {
	return strings.ReplaceAll(strings.Join(all, " and "), "amd64", "x86_64")
}

func archs(all []openmp.MachO) []string {
	var names []string
	for _, s := range all {
		if !slices.Contains(names, s.Arch) {
			names = append(names, s.Arch)
		}
	}
	return names
}

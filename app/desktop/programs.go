package desktop

import (
	"fmt"
	"os"
	"path/filepath"
)

// The programs look for one another by these names. In the macOS bundle the menu-bar program is named like the app, because
// that is the name macOS shows; two names that differ in case alone may not share a folder on a Mac, so the others live in
// Helpers.
const (
	CommandProgram = "vivarium"
	MenubarProgram = "vivarium-menubar"
	KeeperProgram  = "vivarium-keeper"
	bundledMenubar = "Vivarium"
)

// MissingError: one of the programs is not beside this one.
type MissingError struct {
	Name string
	Seen []string // where it was looked for
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s was not found: it belongs beside this program, as %s", e.Name, e.Seen[0])
}

// Program is the path of one of our programs: beside this one, links resolved, else in the bundle's ../MacOS and ../Helpers. PATH
// is not asked: a keeper of another version, or of somebody else, would be worse than none.
func Program(name string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("looking for %s: %w", name, err)
	}
	if resolved, err := filepath.EvalSymlinks(exe); err == nil {
		exe = resolved
	}
	seen := ProgramPaths(filepath.Dir(exe), name)
	for _, path := range seen {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &MissingError{Name: name, Seen: seen}
}

func ProgramPaths(dir, name string) []string {
	contents := filepath.Dir(dir)
	bundled := name
	if name == MenubarProgram {
		bundled = bundledMenubar
	}
	return []string{
		filepath.Join(dir, name),
		filepath.Join(contents, "MacOS", bundled),
		filepath.Join(contents, "Helpers", bundled),
	}
}

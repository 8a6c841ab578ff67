package desktop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ToolLink is the link by which a shell finds the command line: it points from a folder that is on people's PATH into the app, so that
// an update of the app is one of the command line, too.
type ToolLink struct {
	Program string   // absolute path of the command line, links resolved
	Folders []string // where the link may be, the best first
	Path    string   // PATH, to tell whether a shell will find it
}

// NewToolLink is the link to the command line beside this program, for the person who runs this.
func NewToolLink() (ToolLink, error) {
	program, err := Program(CommandProgram)
	if err != nil {
		return ToolLink{}, err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ToolLink{}, errors.New("cannot find your home folder: set HOME")
	}
	return ToolLink{Program: program, Folders: []string{"/usr/local/bin", filepath.Join(home, ".local", "bin")}, Path: os.Getenv("PATH")}, nil
}

// Status is where the link to this program is, or "".
func (l ToolLink) Status() string {
	for _, folder := range l.Folders {
		path := filepath.Join(folder, CommandProgram)
		if real, err := filepath.EvalSymlinks(path); err == nil && real == l.Program && isLink(path) {
			return path
		}
	}
	return ""
}

// Install makes the link in the first folder that lets it, and says where, and whether a shell finds it there. What is not a link of
// ours is never overwritten: of another program's there is the error.
func (l ToolLink) Install() (path string, onPath bool, err error) {
	if IsTranslocated(l.Program) {
		return "", false, ErrTranslocated
	}
	if path := l.Status(); path != "" {
		return path, l.onPath(path), nil
	}
	var all []error
	for i, folder := range l.Folders {
		if i == len(l.Folders)-1 { // the person's own: the others are the system's to make
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return "", false, fmt.Errorf("making a folder for the command line tool: %w", err)
			}
		}
		path := filepath.Join(folder, CommandProgram)
		err := l.place(path)
		if err == nil {
			return path, l.onPath(path), nil
		}
		all = append(all, err)
		if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return "", false, all[len(all)-1]
}

// place makes the link. One of ours that leads nowhere, because the app has moved, is replaced in one step.
func (l ToolLink) place(path string) error {
	err := os.Symlink(l.Program, path)
	if !errors.Is(err, fs.ErrExist) {
		if err != nil {
			return fmt.Errorf("linking the command line tool: %w", err)
		}
		return nil
	}
	if !l.ours(path) {
		return fmt.Errorf("%s is there already, and is not Vivarium's: it stays as it is. Remove it, or call the command line by its path, %s", path, l.Program)
	}
	fresh := path + ".vivarium-new"
	if l.ours(fresh) { // an attempt was cut off between its two steps
		_ = os.Remove(fresh)
	}
	if err := os.Symlink(l.Program, fresh); err != nil {
		return fmt.Errorf("linking the command line tool: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("linking the command line tool: %w", err)
	}
	return nil
}

// ours: it is a link to the command line of a Vivarium, also of one that is not there any more.
func (l ToolLink) ours(path string) bool {
	target, err := os.Readlink(path)
	return err == nil && (target == l.Program || strings.HasSuffix(target, "/Vivarium.app/Contents/Helpers/"+CommandProgram))
}

// Remove undoes Install; what is not ours stays.
func (l ToolLink) Remove() error {
	path := l.Status()
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the command line tool: %w", err)
	}
	return nil
}

func (l ToolLink) onPath(path string) bool {
	return slices.Contains(filepath.SplitList(l.Path), filepath.Dir(path))
}

func isLink(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode()&fs.ModeSymlink != 0
}

// ErrTranslocated: macOS runs an app that was downloaded and not moved from a read-only copy, whose path is gone after the next restart.
var ErrTranslocated = errors.New("macOS runs Vivarium from a temporary place: move Vivarium.app to the Applications folder first, and open it there")

func IsTranslocated(path string) bool { return strings.Contains(path, "/AppTranslocation/") }

// ToolText says where the command line is linked now.
func ToolText(path string, onPath bool) string {
	text := "The command line, vivarium, is now at " + path + ".\n\nOpen a new terminal window and try: vivarium status"
	if onPath {
		return text
	}
	return text + "\n\nIf your shell does not find it, add this line to ~/.zprofile or ~/.profile:\nexport PATH=\"" + filepath.Dir(path) + ":$PATH\""
}

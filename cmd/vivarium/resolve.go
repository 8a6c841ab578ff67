package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// home is this person's Vivarium: the state folder, and the backends in it.
type home struct{ state string }

func openHome() (home, error) {
	state, err := keeper.StateFolder()
	if err != nil {
		return home{}, &codeError{codeUsage, err}
	}
	if state, err = filepath.Abs(state); err != nil {
		return home{}, fmt.Errorf("finding the state folder: %w", err)
	}
	if err := keeper.CheckState(state); err != nil {
		return home{}, &codeError{codeFailed, err}
	}
	return home{state}, nil
}

// folder is where a directory's backend keeps its state.
func (h home) folder(dir string) string { return keeper.BackendFolder(h.state, dir) }

// load reads a backend's configuration, and looks at what it says of the other backends.
func (h home) load(dir string) (config.Config, error) {
	c, err := config.Load(dir)
	if err == nil {
		err = app.Waiter(h.state).Check(c)
	}
	return c, err
}

// registered are the folders of the app's list. One that could not be read is put aside, and that is an error this once: nobody else can tell
// of it, as the next look finds an empty list.
func (h home) registered() ([]string, error) {
	list, err := app.OpenBackends(h.state)
	if err != nil {
		return nil, err
	}
	if list.Broken != nil {
		return nil, list.Broken
	}
	return list.List()
}

// kept are the folders of backends that some Vivarium program keeps at this moment, registered or not.
func (h home) kept(ctx context.Context) []string {
	sockets, _ := filepath.Glob(filepath.Join(h.state, "b", "*", "ctl")) // the pattern is ours
	var dirs []string
	for _, s := range sockets {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		if c, err := control.Dial(one, filepath.Dir(s)); err == nil {
			if row, err := c.Status(one); err == nil && row.Dir != "" {
				dirs = append(dirs, row.Dir)
			}
			c.Close()
		}
		cancel()
	}
	return dirs
}

// known are all backends that can be told by name: those of the list in its order, then those that are kept.
func (h home) known(ctx context.Context) ([]string, error) {
	dirs, err := h.registered()
	if err != nil {
		return nil, err
	}
	for _, d := range h.kept(ctx) {
		if !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return dirs, nil
}

// resolve finds the backend that a person means: by folder or name, else the one around the working directory, else the only
// one there is.
func (h home) resolve(ctx context.Context, arg string) (string, error) {
	if arg != "" {
		return h.named(ctx, arg)
	}
	listed, err := h.registered()
	if err != nil {
		return "", err
	}
	if dir, ok := around(listed); ok {
		return dir, nil
	}
	known, err := h.known(ctx)
	if err != nil {
		return "", err
	}
	switch len(known) {
	case 0:
		return "", usage("there is no backend here: go to its folder, name it, or set one up with “vivarium init”")
	case 1:
		return known[0], nil
	}
	return "", usage("which backend? %s", listing(known))
}

// around looks for a backend in the working directory and above it.
func around(listed []string) (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, config.FileName)); err == nil || slices.Contains(listed, dir) {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// named takes a folder as what it is; everything else is the name of a backend.
func (h home) named(ctx context.Context, arg string) (string, error) {
	known, err := h.known(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	if !strings.ContainsRune(arg, filepath.Separator) && arg != "." && arg != ".." {
		for _, dir := range known {
			if nameOf(dir) == arg || filepath.Base(dir) == arg {
				found = append(found, dir)
			}
		}
	}
	dir, err := folderOf(arg)
	if len(found) == 0 && err != nil {
		found = h.remembered(arg)
	}
	switch {
	case len(found) > 1:
		return "", usage("%q is the name of several backends: say which folder: %s", arg, listing(found))
	case len(found) == 1:
		return found[0], nil
	case err == nil:
		return dir, nil
	case slices.Contains(known, filepath.Clean(arg)): // its folder vanished
		return filepath.Clean(arg), nil
	case len(known) == 0:
		return "", usage("there is no folder and no backend %q", arg)
	}
	return "", usage("there is no folder and no backend %q; there is: %s", arg, listing(known))
}

// remembered are the folders of the backends with that name that were kept once, and of which there is a record: what is on record can be
// asked for when nobody keeps the backend any more, and when its folder is gone.
func (h home) remembered(name string) []string {
	folders, _ := filepath.Glob(filepath.Join(h.state, "b", "*")) // the pattern is ours
	var dirs []string
	for _, folder := range folders {
		s, err := record.ReadWant(folder)
		if err != nil || s == nil || s.Dir == "" || !filepath.IsAbs(s.Dir) || h.folder(s.Dir) != folder {
			continue // of another state folder, or not true
		}
		if (s.Name == name || filepath.Base(s.Dir) == name) && !slices.Contains(dirs, s.Dir) {
			dirs = append(dirs, s.Dir)
		}
	}
	return dirs
}

// folderOf is a folder with its links resolved.
func folderOf(arg string) (string, error) {
	if arg == "" {
		arg = "."
	}
	dir, err := filepath.Abs(arg)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", usage("%s is no folder: %w", arg, reason(err))
	}
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return "", usage("%s is no folder", arg)
	}
	return dir, nil
}

// reason is what the system says, without the path that is said already.
func reason(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// nameOf is a backend's name, also where its configuration is broken.
func nameOf(dir string) string {
	c, err := config.Load(dir)
	if err != nil || c.Name == "" {
		return filepath.Base(dir)
	}
	return c.Name
}

func listing(dirs []string) string {
	var all []string
	for _, d := range dirs {
		all = append(all, fmt.Sprintf("%s (%s)", nameOf(d), d))
	}
	return strings.Join(all, ", ")
}

// chosen is what a command is about: one backend, or with --all every one.
func (h home) chosen(ctx context.Context, args []string, all bool) ([]string, error) {
	if !all {
		dir, err := h.resolve(ctx, first(args))
		if err != nil {
			return nil, err
		}
		return []string{dir}, nil
	}
	if len(args) > 0 {
		return nil, usage("either a backend or --all")
	}
	return h.known(ctx)
}

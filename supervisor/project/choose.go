package project

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// EnvironmentOf is what a folder says of its environment alone. It reads a handful of files, where Read reads them all.
func EnvironmentOf(fsys fs.FS) Environment { return newReader(fsys).environment() }

// Choose is the proposal for what a person names: an application as module:name, a file, or the name of a process or task. has is as in
// Propose.
func (p Project) Choose(named string, has func(string) bool) (Proposal, error) {
	if has == nil {
		has = func(name string) bool { return slices.Contains(p.Environment.Names, name) }
	}
	for _, st := range p.Starts {
		if named != "" && (st.Match.App == named || st.Name == named) {
			if out, ok := p.fromStart(st, has); ok {
				return out, nil
			}
		}
	}
	for _, a := range p.Apps {
		for dir := path.Dir(a.File); ; dir = path.Dir(dir) {
			if a.File == named || a.Target(strings.TrimPrefix(dir, ".")) == named {
				return p.FromApp(a, has), nil
			}
			if dir == "." {
				break
			}
		}
	}
	return p.unknownApp(named, has)
}

// unknownApp is an application that the code does not show: what makes it is not known, so it is taken for one of ASGI.
func (p Project) unknownApp(named string, has func(string) bool) (Proposal, error) {
	if strings.HasSuffix(named, ".py") && p.r.has(path.Clean(named)) {
		row, _ := servers.ByName("script")
		return p.FromApp(App{Place: Place{File: path.Clean(named)}, Server: row, Script: true}, has), nil
	}
	module, name, ok := strings.Cut(named, ":")
	if !ok || module == "" || name == "" {
		return Proposal{}, fmt.Errorf("%q is no app: write it as module:name, or name a Python file", named)
	}
	for _, root := range []string{".", "src", "app", "backend"} {
		if file := p.tree.inDir(root, module); file != "" {
			row, _ := servers.ByName("starlette")
			out := p.FromApp(App{Place: Place{File: file}, Name: name, Server: row}, has)
			out.Of, _ = servers.ByName("uvicorn")
			out.Health = p.healthOf(file, name)
			return out, nil
		}
	}
	return Proposal{}, fmt.Errorf("there is no module %s in the folder", module)
}

// Package order keeps backends that belong together in their order, as the key after says: a start waits until those before it are healthy, a
// stop until those behind it have ended. It knows names and states, and whom to ask over the control socket; it must not know how a backend
// is started or stopped.
// Begin with Before, then Waiter.Await.
package order

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

// Before gives the backends that c is to be started after, of all those that are known. A name that none or several have, and a circle that
// comes back to c, is a *config.Error with the line of after.
func Before(c config.Config, all []config.Config) ([]config.Config, error) {
	var before []config.Config
	for _, name := range c.After {
		switch found := named(name, c.Dir, all); len(found) {
		case 1:
			before = append(before, found[0])
		case 0:
			return nil, c.AfterError(unknown(name, c, all), "name one that there is; Add Backend in the menu, or a `vivarium run` in its folder, makes another one known")
		default:
			return nil, c.AfterError(fmt.Sprintf("%s is the name of several backends: %s", config.Quoted(name), dirsOf(found)), "give one of them another name")
		}
	}
	seen := map[string]bool{}
	for _, b := range before {
		if path := circle(b, c.Dir, all, seen); path != nil {
			names := strings.Join(append([]string{c.Name}, path...), " → ")
			return nil, c.AfterError("it would wait for itself: "+names, "take one of these names out of its after")
		}
	}
	return before, nil
}

// circle is the way from b back to the backend in dir, nil if there is none. seen are the folders that were looked at: each is looked at once,
// however many ways lead to it. A circle of others is theirs to be told of.
func circle(b config.Config, dir string, all []config.Config, seen map[string]bool) []string {
	if b.Dir == dir {
		return []string{b.Name}
	}
	if seen[b.Dir] {
		return nil
	}
	seen[b.Dir] = true
	for _, name := range b.After {
		for _, next := range named(name, b.Dir, all) {
			if path := circle(next, dir, all, seen); path != nil {
				return append([]string{b.Name}, path...)
			}
		}
	}
	return nil
}

// named are the backends with that name, apart from the one in dir; those whose folder has it, if none has.
func named(name, dir string, all []config.Config) []config.Config {
	var exact, folder []config.Config
	for _, c := range all {
		switch {
		case c.Dir == dir && c.Name != name:
		case c.Name == name:
			exact = append(exact, c)
		case filepath.Base(c.Dir) == name:
			folder = append(folder, c)
		}
	}
	if exact == nil {
		return folder
	}
	return exact
}

func unknown(name string, c config.Config, all []config.Config) string {
	var names []string
	for _, o := range all {
		if o.Dir != c.Dir && len(names) < 20 {
			names = append(names, o.Name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "there is no backend " + config.Quoted(name) + ", nor any other"
	}
	return fmt.Sprintf("there is no backend %s; there is %s", config.Quoted(name), strings.Join(slices.Compact(names), ", "))
}

func dirsOf(all []config.Config) string {
	var dirs []string
	for _, c := range all {
		dirs = append(dirs, c.Dir)
	}
	return strings.Join(dirs, ", ")
}

// Node is a backend that runs, as an order of stops needs it.
type Node struct {
	Name, Dir string
	After     []string // as it was started
}

// Behind are the indices of the nodes that wait for node i, and have to end before it. Nodes that wait for each other in a circle have no order.
func Behind(i int, nodes []Node) []int {
	var behind []int
	for j := range nodes {
		if j != i && slices.Contains(firsts(j, nodes), i) && !reaches(i, j, nodes, map[int]bool{}) {
			behind = append(behind, j)
		}
	}
	return behind
}

// firsts are the indices of the nodes that node i waits for.
func firsts(i int, nodes []Node) []int {
	var found []int
	for _, name := range nodes[i].After {
		exact := slices.ContainsFunc(nodes, func(n Node) bool { return n.Name == name })
		for j, n := range nodes {
			if j != i && (n.Name == name || !exact && filepath.Base(n.Dir) == name) {
				found = append(found, j)
			}
		}
	}
	return found
}

// reaches: node i waits for node j, directly or by way of others. seen are the nodes that were looked at.
func reaches(i, j int, nodes []Node, seen map[int]bool) bool {
	if seen[i] {
		return false
	}
	seen[i] = true
	for _, next := range firsts(i, nodes) {
		if next == j || reaches(next, j, nodes, seen) {
			return true
		}
	}
	return false
}

package page

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// Copies are the OpenMP runtimes of an environment, for a picture of who brings which.
type Copies struct {
	Runtimes []openmp.Runtime
	Loaded   []string         // paths of those that were mapped into the process
	Together []openmp.Runtime // those that must not be in one process and are, or would be; none: no conflict is known
}

// The graph's measures, in its own units.
const (
	graphWidth = 760.0
	nodeHeight = 44.0
	nodeGap    = 14.0
	leftWidth  = 190.0
	rightAt    = 330.0
	mostNodes  = 24
)

// graph shows packages on the left, copies of the runtime on the right, and a line from each package to each copy it uses.
type graph struct {
	Width, Height       float64
	LeftWidth           float64 // of a package
	RightAt, RightWidth float64 // of a copy
	RightText, RightEnd float64 // where its text begins and ends
	NodeHeight          float64
	Packages, Copies    []node
	Edges               []edge
	Says                string // the picture in a sentence, for who cannot see it
	Omitted             int    // copies and packages there was no room for
	AnyLoaded, AnyClash bool
}

type node struct {
	Y, First, Second float64 // of the box, and of the two lines in it
	Name             string
	Detail           string   // of a copy: its path below site-packages
	Version          string   // of a copy: whose runtime it is, and which
	Paths            []string // of a copy: all that lead to it
	Users            []string // of a copy: the packages' names
	Loaded, Clash    bool
}

// place puts a node's box and text at a height. A box with one line has it in the middle.
func (n *node) place(y float64) {
	n.Y, n.First, n.Second = y, y+18.5, y+34.5
	if n.Version == "" {
		n.First = y + 26.5
	}
}

// State is what became of a copy, in a word.
func (n node) State() string {
	switch {
	case n.Clash && n.Loaded:
		return "loaded, in conflict"
	case n.Clash:
		return "in conflict"
	case n.Loaded:
		return "loaded"
	}
	return ""
}

// Also says that several paths lead to a copy.
func (n node) Also() string {
	if len(n.Paths) > 1 {
		return fmt.Sprintf("%d paths", len(n.Paths))
	}
	return ""
}

type edge struct {
	Path          string
	Loaded, Clash bool
}

// image is one runtime as the loader sees it: all paths to one file.
type image struct {
	openmp.Runtime
	paths  []string
	users  []string
	loaded bool
	clash  bool
}

// newGraph is nil when there is no copy.
func newGraph(c Copies, w Words) *graph {
	images := c.images()
	if len(images) == 0 {
		return nil
	}
	g := &graph{Width: graphWidth, LeftWidth: leftWidth, RightAt: rightAt, RightWidth: graphWidth - rightAt - 2, RightText: rightAt + 15, RightEnd: graphWidth - 16, NodeHeight: nodeHeight}
	images, g.Omitted = fitting(images)
	names, more := fitting(packagesOf(images))
	g.Omitted += more
	if len(names) == 0 { // nobody is known to use them: there is no left side
		g.RightAt, g.RightText, g.RightWidth = 1, 16, graphWidth-3
	}
	height := func(n int) float64 { return float64(n)*(nodeHeight+nodeGap) - nodeGap }
	whole := max(height(len(names)), height(len(images)))
	g.Height = whole + 4
	at := func(i, n int) float64 { return 2 + (whole-height(n))/2 + float64(i)*(nodeHeight+nodeGap) }
	for i, name := range names {
		n := node{Name: beginning(w.Safe(name), 22), Version: beginning(w.Safe(versionOf(images, name)), 26)}
		n.place(at(i, len(names)))
		g.Packages = append(g.Packages, n)
	}
	for i, im := range images {
		n := im.node(w)
		n.place(at(i, len(images)))
		g.Copies = append(g.Copies, n)
		g.AnyLoaded, g.AnyClash = g.AnyLoaded || im.loaded, g.AnyClash || im.clash
		for _, user := range im.users {
			if i := slices.Index(names, user); i >= 0 {
				g.Edges = append(g.Edges, newEdge(g.Packages[i].Y, n.Y, im))
			}
		}
	}
	g.Says = g.sentence()
	return g
}

// clashing are the copies among those loaded that do not bear each other: LLVM's and Intel's, from two of them on. GNU's is no part of it.
func clashing(all []openmp.Runtime, loaded []string) []openmp.Runtime {
	var clash []openmp.Runtime
	for _, im := range (Copies{Runtimes: all, Loaded: loaded}).images() {
		if im.loaded && im.Flavor != openmp.GNU {
			clash = append(clash, im.Runtime)
		}
	}
	if len(clash) < 2 {
		return nil
	}
	return clash
}

// images groups paths to one file, loaded copies first.
func (c Copies) images() []image {
	var all []image
	for _, r := range c.Runtimes {
		i := slices.IndexFunc(all, func(im image) bool { return im.Same(r) })
		if i < 0 {
			i = len(all)
			all = append(all, image{Runtime: r})
		}
		im := &all[i]
		im.paths = append(im.paths, r.Path)
		im.loaded = im.loaded || slices.Contains(c.Loaded, r.Path) || slices.Contains(c.Loaded, r.Real)
		im.clash = im.clash || slices.ContainsFunc(c.Together, r.Same)
		for _, u := range r.Users {
			im.use(u.Package)
		}
		im.use(r.Package)
	}
	rank := func(im image) int {
		switch {
		case im.clash:
			return 0
		case im.loaded:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(all, func(a, b image) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

func (im *image) use(pkg string) {
	if pkg != "" && !slices.Contains(im.users, pkg) {
		im.users = append(im.users, pkg)
	}
}

func (im image) node(w Words) node {
	n := node{Name: w.Safe(filepath.Base(im.Path)), Loaded: im.loaded, Clash: im.clash}
	kind := string(im.Flavor)
	if im.Version != "" {
		kind += " " + im.Version
	}
	if im.Static {
		kind += ", built in"
	}
	n.Version = w.Safe(kind)
	for _, p := range im.paths {
		n.Paths = append(n.Paths, w.Safe(p))
	}
	for _, u := range im.users {
		n.Users = append(n.Users, w.Safe(u))
	}
	n.Detail = ending(w.Safe(inEnvironment(im.Path)), 56)
	return n
}

// inEnvironment is a path from below site-packages on, where it is in there.
func inEnvironment(path string) string {
	for _, dir := range []string{"/site-packages/", "/dist-packages/"} {
		if _, below, ok := strings.Cut(path, dir); ok {
			return below
		}
	}
	return path
}

// fitting is what there is room for, and how much is left out.
func fitting[T any](all []T) ([]T, int) {
	n := min(len(all), mostNodes)
	return all[:n], len(all) - n
}

// beginning is the beginning of a text: a name's is what it is known by.
func beginning(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// ending is the end of a text: what tells two paths apart is there.
func ending(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return "…" + string(r[len(r)-n+1:])
	}
	return s
}

// packagesOf are the packages that use an image, in the order of the images: so lines cross less.
func packagesOf(images []image) []string {
	var names []string
	for _, im := range images {
		for _, u := range im.users {
			if !slices.Contains(names, u) {
				names = append(names, u)
			}
		}
	}
	return names
}

func versionOf(images []image, name string) string {
	for _, im := range images {
		if im.Package == name && im.PackageVersion != "" {
			return im.PackageVersion
		}
	}
	return ""
}

func newEdge(from, to float64, im image) edge {
	y1, y2 := from+nodeHeight/2, to+nodeHeight/2
	const middle = (leftWidth + rightAt) / 2
	return edge{Path: fmt.Sprintf("M%g %gC%g %g %g %g %g %g", leftWidth, y1, middle, y1, middle, y2, rightAt, y2), Loaded: im.loaded, Clash: im.clash}
}

func (g *graph) sentence() string {
	var parts []string
	for _, c := range g.Copies {
		users := "no package"
		if len(c.Users) > 0 {
			users = strings.Join(c.Users, ", ")
		}
		text := fmt.Sprintf("%s uses %s (%s)", users, c.Detail, c.Version)
		if state := c.State(); state != "" {
			text += ", " + state
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ") + "."
}

//go:build e2e && cgo && linux

package desktop

import (
	"image"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"
)

// row is a line of the menu as the program publishes it on the bus.
type row struct {
	ID        int32
	Label     string
	Separator bool
	Visible   bool
	Enabled   bool
	Check     bool // it has a box for a check mark
	Checked   bool
	Rows      []row // of a submenu
}

const (
	watcher     = "org.kde.StatusNotifierWatcher"
	watcherPath = dbus.ObjectPath("/StatusNotifierWatcher")
	itemFace    = "org.kde.StatusNotifierItem"
	menuFace    = "com.canonical.dbusmenu"
)

// item is the program's icon on the bus: a connection and a path. It is empty while there is none.
func (s *screen) item() (owner string, path dbus.ObjectPath) {
	v, err := s.bus.Object(watcher, watcherPath).GetProperty(watcher + ".RegisteredStatusNotifierItems")
	if err != nil {
		return "", ""
	}
	items, _ := v.Value().([]string)
	if len(items) != 1 {
		return "", ""
	}
	name, rest, _ := strings.Cut(items[0], "/")
	return name, dbus.ObjectPath("/" + rest)
}

// menu reads the whole menu, hidden lines too.
func (s *screen) menu() []row {
	s.t.Helper()
	owner, path := s.item()
	if owner == "" {
		return nil
	}
	v, err := s.bus.Object(owner, path).GetProperty(itemFace + ".Menu")
	if err != nil {
		return nil
	}
	at, _ := v.Value().(dbus.ObjectPath)
	var revision uint32
	var root node
	call := s.bus.Object(owner, at).Call(menuFace+".GetLayout", 0, int32(0), int32(-1), []string{})
	if call.Err != nil || call.Store(&revision, &root) != nil {
		return nil
	}
	return root.rows()
}

type node struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

func (n node) rows() []row {
	var all []row
	for _, v := range n.Children {
		var child node
		if dbus.Store([]any{v.Value()}, &child) != nil {
			continue
		}
		r := row{ID: child.ID, Visible: true, Enabled: true, Rows: child.rows()}
		for name, value := range child.Properties {
			switch x := value.Value().(type) {
			case string:
				switch name {
				case "label":
					r.Label = strings.ReplaceAll(x, "__", "_") // one underscore would mark a key
				case "type":
					r.Separator = x == "separator"
				case "toggle-type":
					r.Check = x == "checkmark"
				}
			case bool:
				switch name {
				case "visible":
					r.Visible = x
				case "enabled":
					r.Enabled = x
				}
			case int32:
				if name == "toggle-state" {
					r.Checked = x == 1
				}
			}
		}
		all = append(all, r)
	}
	return all
}

// sketch is the visible menu as text.
func sketch(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		switch {
		case !r.Visible:
			continue
		case r.Separator:
			b.WriteString("────")
		case r.Checked:
			b.WriteString("✓ " + r.Label)
		case !r.Enabled:
			b.WriteString("(" + r.Label + ")")
		default:
			b.WriteString(r.Label)
		}
		b.WriteString("\n")
		for line := range strings.Lines(sketch(r.Rows)) {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}

// open opens the menu by a click on the icon and returns its window.
func (s *screen) open() window {
	s.t.Helper()
	var menu window
	eventually(s.t, "the menu after a click on the icon", func() bool {
		if len(s.menuWindows()) == 0 {
			at := s.icon()
			s.click(at.Min.Add(image.Pt(at.Dx()/2, at.Dy()/2)))
		}
		for range 20 {
			if all := s.menuWindows(); len(all) > 0 {
				menu = all[0]
				return true
			}
			time.Sleep(30 * time.Millisecond)
		}
		s.run("xdotool", "key", "Escape") // the icon had moved, and something else opened
		s.park()
		return false
	})
	return menu
}

// menuWindows are the open menus, from left to right as they were opened: a submenu's is the last. What is lower is a tooltip.
func (s *screen) menuWindows() []window {
	var all []window
	for _, w := range s.windows(panelClass) {
		if w.area.Dy() > 60*s.scale {
			all = append(all, w)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].id < all[j].id })
	return all
}

func (s *screen) close() {
	s.t.Helper()
	for range 3 {
		if len(s.menuWindows()) > 0 {
			s.run("xdotool", "key", "Escape")
		}
	}
	s.park()
	eventually(s.t, "the menu to close", func() bool { return len(s.menuWindows()) == 0 })
}

// The heights that config/gtk-3.0/gtk.css gives to the parts of a menu.
const (
	rowHeight       = 28
	separatorHeight = 11
	menuPadding     = 5
)

// spot is where a line of an open menu is on the screen, computed from the lines above it and checked against the height of
// the whole menu, so that a click cannot hit another line by mistake.
func (s *screen) spot(w window, rows []row, label string) image.Point {
	s.t.Helper()
	y, found := menuPadding, 0
	for _, r := range rows {
		if !r.Visible {
			continue
		}
		h := rowHeight
		if r.Separator {
			h = separatorHeight
		}
		if r.Label == label && !r.Separator {
			found = y + h/2
		}
		y += h
	}
	require.Equal(s.t, w.area.Dy(), (y+menuPadding)*s.scale, "the menu's height is not that of its lines:\n%s", sketch(rows))
	require.NotZero(s.t, found, "no line %q in\n%s", label, sketch(rows))
	return image.Pt(w.area.Min.X+w.area.Dx()/3, w.area.Min.Y+found*s.scale)
}

// choose opens the menu and clicks on a line with the mouse: of a submenu, if several names are given.
func (s *screen) choose(labels ...string) {
	s.t.Helper()
	eventually(s.t, "the line "+labels[0], func() bool { return find(s.menu(), labels...) != nil })
	w, rows := s.open(), s.menu()
	for depth, label := range labels[:len(labels)-1] {
		open := s.menuWindows()
		s.click(s.spot(w, rows, label))
		eventually(s.t, "the submenu "+label, func() bool { return len(s.menuWindows()) == depth+2 })
		for _, other := range s.menuWindows() {
			if !slices.ContainsFunc(open, func(o window) bool { return o.id == other.id }) {
				w, rows = other, find(rows, label).Rows
			}
		}
	}
	s.click(s.spot(w, rows, labels[len(labels)-1]))
	s.park()
}

// find is the visible line under the names of its parents and its own.
func find(rows []row, labels ...string) *row {
	for i, r := range rows {
		if r.Visible && r.Label == labels[0] {
			if len(labels) == 1 {
				return &rows[i]
			}
			return find(r.Rows, labels[1:]...)
		}
	}
	return nil
}

// starting is the first visible line that begins so.
func starting(rows []row, prefix string) *row {
	for i, r := range rows {
		if r.Visible && strings.HasPrefix(r.Label, prefix) {
			return &rows[i]
		}
	}
	return nil
}

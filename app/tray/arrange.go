// Package tray shows the menu in the menu bar (macOS) or the panel (Linux). It is the only code that imports systray and the
// only cgo of the project; without cgo only the arrangement of the menu is left, which needs none.
package tray

import (
	"strings"
	"unicode"

	"github.com/vivarium-app/vivarium/app"
)

// kind is what stands at a place of the menu.
type kind uint8

const (
	line      kind = iota // clicking it is an app.Action
	submenu               // the parent of a backend's lines
	nested                // a line of the menu that is the parent of others
	separator             // systray can neither hide nor remove it
)

// place is one fixed position of the menu. All places are built at start, since systray cannot remove or insert items.
type place struct {
	kind     kind
	section  int        // submenu: which
	parent   int        // the place in whose submenu it stands, app.Top for the menu itself
	action   app.Action // line: what a click means; nested: the item it shows
	checkbox bool       // on Linux only such a line can show a check mark
	raised   bool       // the twin of a tail line, among the sections
}

// places lists the menu from top to bottom; a submenu's lines follow it.
//
//	the flat section's status lines, which sum up when there are several backends
//	────
//	the flat section's other lines · the submenus · Add Backend… and Try the Demo while there is no backend
//	────
//	Add Backend… · Settings ▸ · Help ▸
//	────
//	Quit
func places() []place {
	var l list
	l.section(0, app.Top, 0, app.ItemLast+1)
	l.cut()
	l.section(0, app.Top, app.ItemLast+1, len(app.Section{}.Items))
	for s := 1; s < len(app.Menu{}.Sections); s++ {
		head := l.add(place{kind: submenu, section: s, parent: app.Top})
		l.section(s, head, 0, len(app.Section{}.Items))
	}
	for _, i := range []int{app.TailAdd, app.TailDemo} {
		l.add(place{action: app.Action{Item: i, Tail: true}, raised: true, parent: app.Top})
	}
	l.cut()
	l.tail(0, app.TailQuit)
	l.cut()
	l.tail(app.TailQuit, len(app.Menu{}.Tail))
	return l
}

// list is a menu in the making.
type list []place

func (l *list) add(p place) (at int) {
	*l = append(*l, p)
	return len(*l) - 1
}

func (l *list) cut() { l.add(place{kind: separator, parent: app.Top}) }

// section adds the items from one to before another of a section, whose lines stand below the place head.
func (l *list) section(section, head, from, to int) {
	l.items(from, to, head, app.ItemParent, func(i int) place { return place{action: app.Action{Section: section, Item: i}} })
}

func (l *list) tail(from, to int) {
	l.items(from, to, app.Top, app.TailParent, func(i int) place {
		return place{action: app.Action{Item: i, Tail: true}, checkbox: i == app.TailLogin || i == app.TailQuiet}
	})
}

// items adds lines; one that others stand below comes before them.
func (l *list) items(from, to, head int, parentOf func(item int) int, placeOf func(item int) place) {
	at := map[int]int{app.Top: head}
	for i := from; i < to; i++ {
		p := placeOf(i)
		p.parent = at[parentOf(i)]
		if i+1 < to && parentOf(i+1) == i {
			p.kind = nested
		}
		at[i] = l.add(p)
	}
}

// arrange says what each place shows. Separators are always shown, so it sees to it that something stands on both sides of
// each: Add Backend… and Try the Demo move up when there is no backend, and the tooltip stands in for a missing status.
func arrange(m app.Menu, at []place) []app.Item {
	all := make([]app.Item, len(at))
	headless := !anyShown(m.Sections[0].Items[:app.ItemStart])
	empty := !anyShown(m.Sections[0].Items[app.ItemStart:])
	for _, s := range m.Sections[1:] {
		empty = empty && s.Title == ""
	}
	for i, p := range at {
		switch {
		case p.kind == separator:
			continue
		case p.kind == submenu:
			title := m.Sections[p.section].Title
			all[i] = app.Item{Title: title, Shown: title != "", Enabled: true}
		case p.action.Tail:
			all[i] = m.Tail[p.action.Item]
			if p.action.Item == app.TailAdd || p.action.Item == app.TailDemo {
				all[i].Shown = all[i].Shown && p.raised == empty
			}
		case headless && p.action.Section == 0 && p.action.Item == app.ItemStatus:
			all[i] = app.Item{Title: m.Tooltip, Shown: true}
		default:
			all[i] = m.Sections[p.action.Section].Items[p.action.Item]
		}
		all[i].Title = plain(all[i].Title)
	}
	return all
}

func anyShown(items []app.Item) bool {
	for _, i := range items {
		if i.Shown {
			return true
		}
	}
	return false
}

// plainLines is plain for a text of several lines.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = plain(line)
	}
	return strings.Join(lines, "\n")
}

// plain makes a text that every menu takes: AppKit raises an exception on invalid UTF-8, C ends it at a NUL.
func plain(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

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
	separator             // systray can neither hide nor remove it
)

// place is one fixed position of the menu. All places are built at start, since systray cannot remove or insert items.
type place struct {
	kind     kind
	section  int        // submenu: which; line: below which submenu it stands, 0 for the top level
	action   app.Action // line: what a click means
	checkbox bool       // on Linux only such a line can show a check mark
	raised   bool       // the twin of a tail line, among the sections
}

// places lists the menu from top to bottom; a submenu's lines follow it.
//
//	the flat section's status lines, which sum up when there are several backends
//	────
//	the flat section's other lines · the submenus · Add Backend… and Try the Demo while there is no backend
//	────
//	Add Backend… to Quiet Crash Dialogs
//	────
//	About to Send Test Notification
//	────
//	Quit
func places() []place {
	var all []place
	top := func(section int, items ...int) {
		for _, i := range items {
			all = append(all, place{section: section, action: app.Action{Section: section, Item: i}})
		}
	}
	tail := func(from, to int) {
		for i := from; i < to; i++ {
			all = append(all, place{action: app.Action{Item: i, Tail: true}, checkbox: i == app.TailLogin || i == app.TailQuiet})
		}
	}
	cut := place{kind: separator}

	top(0, upTo(0, app.ItemLast+1)...)
	all = append(all, cut)
	top(0, upTo(app.ItemLast+1, len(app.Section{}.Items))...)
	for s := 1; s < len(app.Menu{}.Sections); s++ {
		all = append(all, place{kind: submenu, section: s})
		top(s, upTo(0, len(app.Section{}.Items))...)
	}
	for _, i := range []int{app.TailAdd, app.TailDemo} {
		all = append(all, place{action: app.Action{Item: i, Tail: true}, raised: true})
	}
	all = append(all, cut)
	tail(0, app.TailAbout)
	all = append(all, cut)
	tail(app.TailAbout, app.TailQuit)
	all = append(all, cut)
	tail(app.TailQuit, len(app.Menu{}.Tail))
	return all
}

func upTo(from, to int) []int {
	var all []int
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// arrange says what each place shows. Separators are always shown, so it sees to it that something stands on both sides of
// each: Add Backend… and Try the Demo move up when there is no backend (the latter only if a line is left below), and the
// tooltip stands in for a missing status.
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
			switch p.action.Item {
			case app.TailAdd:
				all[i].Shown = all[i].Shown && p.raised == empty
			case app.TailDemo:
				all[i].Shown = all[i].Shown && p.raised == (empty && anyShown(m.Tail[app.TailRemove:app.TailAbout]))
			}
		case headless && p.section == 0 && p.action.Item == app.ItemStatus:
			all[i] = app.Item{Title: m.Tooltip, Shown: true}
		default:
			all[i] = m.Sections[p.section].Items[p.action.Item]
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

// Package app is the app behind every view: Snapshot becomes Menu, Event becomes Notice, a click becomes an intent. It keeps
// the list of backends, holds each one against other Vivarium programs, serves the control socket, and sets up the login item.
package app

import (
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
)

// Item is one menu line. The zero value is hidden.
type Item struct {
	Title   string
	Shown   bool
	Enabled bool
	Checked bool
}

// Section is what the menu shows of one backend. Section 0 of a Menu is the flat one, at the top level; the others are
// submenus, with Title as the parent's.
type Section struct {
	Title string // "" hides a submenu
	Items [numItems]Item
}

// The items of a section, in the order of the menu. A separator stands after ItemLast in the flat section. Those below ItemMore are the lines of
// its submenu.
const (
	ItemStatus = iota // "Backend: Healthy · 12 ms"; a config error is a status line that opens the file
	ItemDetail        // "Up 3 h 12 min · 1.2 GB · 4 % CPU"; enabled only if it is a config error: then it opens the file
	ItemNote          // what else a person should know: "configuration changed: restart to apply"
	ItemLast          // "Last crash: two OpenMP runtimes · 14:02"; opens the report, if there is one
	ItemStart
	ItemStop // while it stops already: "Stop Now", which skips the grace
	ItemRestart
	ItemTakeOver
	ItemTryAgain
	ItemDashboard // "Dashboard…": the backend's part of it, in the browser
	ItemOpenLog
	ItemOpenBrowser
	ItemMore   // "More ▸"
	ItemStacks // "What Is It Doing?": the page about the stacks of all threads, in the browser
	ItemDoctor // "Doctor…": its page, in the browser
	ItemCopyURL
	ItemCopyEnvironment
	ItemEditConfig
	ItemReveal
	ItemRemove
	numItems
)

// The items below the sections, in the order of the menu. A separator stands before TailAdd and before TailQuit.
const (
	TailAdd      = iota
	TailDemo     // "Try the Demo", while there is no backend
	TailSettings // "Settings ▸", with the lines to TailTest
	TailLogin
	TailTool  // "Install Command Line Tool…", or what undoes it
	TailQuiet // "Quiet Crash Dialogs", a check box; on a Mac
	TailTest  // "Send Test Notification"
	TailHelp  // "Help ▸", with the lines to TailAbout
	TailManual
	TailDiagnostics
	TailAbout
	TailQuit
	TailLeave
	numTail
)

// Top is the parent of a line that stands in no submenu of another line.
const Top = -1

// ItemParent is the item of a section in whose submenu another one stands.
func ItemParent(item int) int {
	if item > ItemMore {
		return ItemMore
	}
	return Top
}

// TailParent is the same for the items of the tail.
func TailParent(item int) int {
	switch {
	case item > TailSettings && item <= TailTest:
		return TailSettings
	case item > TailHelp && item <= TailAbout:
		return TailHelp
	}
	return Top
}

// Menu is everything the menu bar shows, one comparable value: a view is told only when it differs.
type Menu struct {
	Icon     assets.State
	Tooltip  string
	Sections [1 + words.MaxBackends]Section
	Tail     [numTail]Item
}

// Action is a click: Item of Sections[Section], or Item of the tail if Tail.
type Action struct {
	Section int
	Item    int
	Tail    bool
}

// View shows the menu and reports clicks. Show must not block.
type View interface {
	Show(Menu)
	Actions() <-chan Action
}

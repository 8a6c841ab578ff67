//go:build cgo

package tray

import (
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/getlantern/golog"
	"github.com/getlantern/systray"

	"github.com/vivarium-app/vivarium/app"
)

// Tray is an app.View in the menu bar. Its methods may be called from any goroutine, and none blocks.
type Tray struct {
	menus   chan app.Menu   // capacity 1, the newest wins
	actions chan app.Action // buffered: systray drops a click while nobody receives
	clicks  chan int        // places of check boxes that were clicked
	closed  atomic.Bool
	*beside
}

var _ app.View = (*Tray)(nil)

// Run shows the icon and serves the menu until Quit. It must be called from the main goroutine.
//
// onReady runs in a goroutine of its own once the menu is built. onExit runs on the main thread; everything that must happen
// at the end belongs in it, since on a Mac Run does not return: AppKit ends the process. A logout calls it, too.
func Run(onReady func(*Tray), onExit func()) {
	golog.SetOutputs(logged{}, io.Discard) // systray's own words, else on stderr
	introduce()
	prepare()
	t := &Tray{menus: make(chan app.Menu, 1), actions: make(chan app.Action, 64), clicks: make(chan int, 8), beside: newBeside()}
	systray.Run(func() {
		p := t.build()
		go t.serve(p)
		go t.watchSight()
		t.dress()
		onReady(t)
	}, func() {
		t.closed.Store(true) // first: a write to the menu would wait for this very thread
		t.closeSight()
		onExit()
	})
}

// Quit ends Run. On a Mac it does not return.
func (t *Tray) Quit() {
	t.closed.Store(true)
	systray.Quit()
}

// Show shows a menu soon; of several in a row only the last.
func (t *Tray) Show(m app.Menu) {
	for {
		select {
		case t.menus <- m:
			return
		default:
		}
		select {
		case <-t.menus:
		default:
		}
	}
}

// Actions are the clicks, in order.
func (t *Tray) Actions() <-chan app.Action { return t.actions }

// Click is a click by the program itself. It is dropped when nobody has taken the last 64.
func (t *Tray) Click(a app.Action) {
	select {
	case t.actions <- a:
	default:
	}
}

// build makes every line the menu will ever have, hidden.
func (t *Tray) build() *painter {
	at := places()
	widgets := make([]widget, len(at))
	items := make([]*systray.MenuItem, len(at))
	for i, p := range at {
		if p.kind == separator {
			systray.AddSeparator()
			continue
		}
		item := newItem(items, p)
		item.Hide()
		items[i], widgets[i] = item, item
		if p.kind == line {
			go t.forward(i, p, item.ClickedCh)
		}
	}
	painter := newPainter(at, widgets, runtime.GOOS)
	// Each call leaks the former image on a Mac: systray makes it on a thread of Go's, which has no autorelease pool. The painter calls it only
	// when the icon changes.
	painter.icon = func(png []byte) { systray.SetTemplateIcon(png, png) }
	painter.tooltip = systray.SetTooltip
	painter.closed = t.closed.Load
	return painter
}

// newItem makes the line of a place; those before it are made.
func newItem(made []*systray.MenuItem, p place) *systray.MenuItem {
	switch {
	case p.parent == app.Top && p.checkbox:
		return systray.AddMenuItemCheckbox("", "", false)
	case p.parent == app.Top:
		return systray.AddMenuItem("", "")
	case p.checkbox:
		return made[p.parent].AddSubMenuItemCheckbox("", "", false)
	}
	return made[p.parent].AddSubMenuItem("", "")
}

// forward turns the clicks on one line into actions. Each line has a goroutine of its own, so that one is always waiting.
func (t *Tray) forward(i int, p place, clicked <-chan struct{}) {
	for range clicked {
		if p.checkbox {
			t.clicks <- i
		}
		t.actions <- p.action
	}
}

// serve is the one goroutine that touches the native menu.
func (t *Tray) serve(p *painter) {
	for {
		select {
		case m := <-t.menus:
			p.paint(m)
		case i := <-t.clicks:
			p.clicked(i)
		}
	}
}

// logged sends the library's lines to the log.
type logged struct{}

func (logged) Write(text []byte) (int, error) {
	slog.Debug("tray", "said", strings.TrimSpace(string(text)))
	return len(text), nil
}

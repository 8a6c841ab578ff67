package tray

import (
	"strings"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/assets"
)

// widget is a line of the native menu, as *systray.MenuItem is. Each call is a round trip to the main thread on a Mac.
type widget interface {
	SetTitle(string)
	Enable()
	Disable()
	Check()
	Uncheck()
	Show()
	Hide()
}

// painter brings the native menu to what a Menu says, by as few calls as possible. It belongs to one goroutine.
type painter struct {
	places  []place
	widgets []widget // by place; nil at separators
	icon    func(png []byte)
	tooltip func(string)
	closed  func() bool // from then on nothing native is touched

	goos  string
	icons [assets.NumStates][]byte // kept for ever: the native side holds on to the bytes without a copy

	shown    []app.Item // by place, as last painted
	painted  bool       // icon and tooltip were set at least once
	lastIcon assets.State
	lastTip  string
}

// newPainter expects every widget as it was built: hidden, enabled, unchecked, without a title.
func newPainter(at []place, widgets []widget, goos string) *painter {
	p := &painter{places: at, widgets: widgets, goos: goos, shown: make([]app.Item, len(at))}
	for i := range p.shown {
		p.shown[i].Enabled = true
	}
	for i := range p.icons {
		p.icons[i] = assets.Icon(assets.Icons[i], goos)
	}
	return p
}

func (p *painter) paint(m app.Menu) {
	if !p.closed() && (!p.painted || m.Icon != p.lastIcon) {
		p.icon(p.icons[min(m.Icon, assets.NumStates-1)])
	}
	if tip := plain(m.Tooltip); !p.closed() && (!p.painted || tip != p.lastTip) {
		p.tooltip(tip)
		p.lastTip = tip
	}
	p.lastIcon, p.painted = m.Icon, true
	for i, want := range arrange(m, p.places) {
		if p.widgets[i] != nil {
			p.change(i, want)
		}
	}
}

// change brings one line to what is wanted. A hidden line is only hidden and keeps the rest until it is shown again: on Linux
// any other call would show it (getlantern/systray v1.2.2, do_add_or_update_menu_item).
func (p *painter) change(i int, want app.Item) {
	w, have := p.widgets[i], &p.shown[i]
	if !want.Shown {
		if have.Shown {
			p.do(w.Hide)
			have.Shown = false
		}
		return
	}
	if want.Title != have.Title {
		p.do(func() { w.SetTitle(p.literal(want.Title)) })
	}
	if want.Enabled != have.Enabled {
		p.do(either(want.Enabled, w.Enable, w.Disable))
	}
	if want.Checked != have.Checked {
		p.do(either(want.Checked, w.Check, w.Uncheck))
	}
	if !have.Shown {
		p.do(w.Show)
	}
	*have = want
}

// literal keeps an underscore: on Linux the menu travels over the bus, where a single one marks the key of the next letter.
func (p *painter) literal(title string) string {
	if p.goos == "linux" {
		return strings.ReplaceAll(title, "_", "__")
	}
	return title
}

// clicked sets a check mark back to what is true: GTK turns it over by itself at a click, before anything was done.
func (p *painter) clicked(i int) {
	if p.places[i].checkbox && p.shown[i].Shown {
		p.do(either(p.shown[i].Checked, p.widgets[i].Check, p.widgets[i].Uncheck))
	}
}

func (p *painter) do(write func()) {
	if !p.closed() {
		write()
	}
}

func either(yes bool, a, b func()) func() {
	if yes {
		return a
	}
	return b
}

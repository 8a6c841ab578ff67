package tray

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/assets"
)

// gtk behaves as systray's lines do on Linux: every update shows the line. It writes down each call.
type gtk struct {
	calls *[]string
	item  app.Item
}

func (g *gtk) call(what string, update bool) {
	*g.calls = append(*g.calls, fmt.Sprintf("%s %s", what, g.item.Title))
	if update {
		g.item.Shown = true
	}
}

func (g *gtk) SetTitle(s string) { g.item.Title = s; g.call("title", true) }
func (g *gtk) Enable()           { g.item.Enabled = true; g.call("enable", true) }
func (g *gtk) Disable()          { g.item.Enabled = false; g.call("disable", true) }
func (g *gtk) Check()            { g.item.Checked = true; g.call("check", true) }
func (g *gtk) Uncheck()          { g.item.Checked = false; g.call("uncheck", true) }
func (g *gtk) Show()             { g.item.Shown = true; g.call("show", false) }
func (g *gtk) Hide()             { g.item.Shown = false; g.call("hide", false) }

// canvas is a painter on such lines.
type canvas struct {
	*painter
	lines []*gtk
	calls []string
	shut  bool
}

func newCanvas(goos string) *canvas {
	c := &canvas{}
	at := places()
	widgets := make([]widget, len(at))
	c.lines = make([]*gtk, len(at))
	for i, p := range at {
		if p.kind != separator {
			c.lines[i] = &gtk{calls: &c.calls, item: app.Item{Enabled: true}}
			widgets[i] = c.lines[i]
		}
	}
	c.painter = newPainter(at, widgets, goos)
	c.icon = func(png []byte) { c.calls = append(c.calls, fmt.Sprintf("icon %d", len(png))) }
	c.tooltip = func(s string) { c.calls = append(c.calls, "tooltip "+s) }
	c.closed = func() bool { return c.shut }
	return c
}

// screen is what a person would see.
func (c *canvas) screen() string {
	items := make([]app.Item, len(c.lines))
	for i, l := range c.lines {
		if l != nil {
			items[i] = l.item
		}
	}
	return picture(items, c.places)
}

func (c *canvas) reset() { c.calls = nil }

func TestTheNativeMenuShowsWhatTheMenuSays(t *testing.T) {
	c := newCanvas("linux")
	for _, backends := range [][]string{{"a"}, {}, {"a", "b"}, {"a", "b", "c"}, {"c"}, {"x", "y"}} {
		m := fixed(backends...)
		c.paint(m)
		require.Equal(t, picture(arrange(m, c.places), c.places), c.screen())
	}
}

func TestAHiddenLineStaysHiddenWhateverItWouldSay(t *testing.T) {
	c := newCanvas("linux")
	m := fixed("a")
	c.paint(m)
	m.Sections[0].Items[app.ItemStop].Shown = false
	c.paint(m)
	require.NotContains(t, c.screen(), "Stop")
	c.reset()
	for _, title := range []string{"Stop Now", "Stop Later"} {
		m.Sections[0].Items[app.ItemStop].Title = title
		m.Sections[0].Items[app.ItemStop].Enabled = false
		m.Sections[0].Items[app.ItemStop].Checked = true
		c.paint(m)
	}
	require.Empty(t, c.calls)
	m.Sections[0].Items[app.ItemStop].Shown = true
	c.paint(m)
	require.Equal(t, []string{"title Stop Later", "disable Stop Later", "check Stop Later", "show Stop Later"}, c.calls, "when it is shown again it is up to date")
}

func TestOnlyWhatChangedIsTouched(t *testing.T) {
	c := newCanvas("linux")
	m := fixed("a")
	c.paint(m)
	c.reset()
	c.paint(m)
	require.Empty(t, c.calls)

	m.Sections[0].Items[app.ItemStatus].Title = "a: Healthy · 12 ms"
	m.Icon = assets.Crashed
	c.paint(m)
	require.Equal(t, []string{fmt.Sprintf("icon %d", len(assets.Icon("crashed", "linux"))), "title a: Healthy · 12 ms"}, c.calls)
	c.reset()

	m.Tail[app.TailLogin].Checked = false
	m.Sections[0].Items[app.ItemStart].Enabled = false
	m.Tooltip = "Vivarium: crashed"
	c.paint(m)
	require.Equal(t, []string{"tooltip Vivarium: crashed", "disable Start", "uncheck Launch at Login"}, c.calls)
}

func TestAnUnderscoreInANameIsShown(t *testing.T) {
	for goos, want := range map[string]string{"linux": "my__backend: Healthy", "darwin": "my_backend: Healthy"} {
		c := newCanvas(goos)
		c.paint(fixed("my_backend"))
		require.Equal(t, want, c.lines[0].item.Title)
		c.reset()
		c.paint(fixed("my_backend"))
		require.Empty(t, c.calls)
	}
}

func TestTheFirstMenuSetsIconAndTooltip(t *testing.T) {
	for _, goos := range []string{"darwin", "linux"} {
		c := newCanvas(goos)
		c.paint(app.Menu{}) // its icon is the zero value
		require.Contains(t, c.calls, fmt.Sprintf("icon %d", len(assets.Icon("stopped", goos))))
		require.Contains(t, c.calls, "tooltip ")
	}
}

func TestAnIconThatDoesNotExistIsAnAlarm(t *testing.T) {
	c := newCanvas("linux")
	c.paint(app.Menu{Icon: assets.NumStates + 3})
	require.Contains(t, c.calls, fmt.Sprintf("icon %d", len(assets.Icon("crashed", "linux"))))
}

func TestIconsAreNamedInTheAppsOrder(t *testing.T) {
	require.Equal(t, [assets.NumStates]string{
		assets.Stopped: "stopped", assets.Healthy: "healthy", assets.Starting: "starting", assets.Unhealthy: "unhealthy", assets.Crashed: "crashed",
	}, assets.Icons)
}

func TestAClickOnACheckBoxDoesNotTurnItOverByItself(t *testing.T) {
	c := newCanvas("linux")
	c.paint(fixed("a"))
	for i, p := range c.places {
		if !p.checkbox || !c.lines[i].item.Shown {
			continue
		}
		c.lines[i].item.Checked = false // as GTK does
		c.reset()
		c.clicked(i)
		require.Equal(t, []string{"check Launch at Login"}, c.calls)
		require.True(t, c.lines[i].item.Checked)
	}
	c.reset()
	c.clicked(0)
	require.Empty(t, c.calls, "other lines have no mark")
}

func TestNothingNativeIsTouchedAfterTheEnd(t *testing.T) {
	c := newCanvas("linux")
	c.paint(fixed("a"))
	c.reset()
	c.shut = true
	m := fixed()
	m.Tooltip = "bye"
	m.Icon = assets.Stopped
	c.paint(m)
	for i := range c.places {
		c.clicked(i)
	}
	require.Empty(t, c.calls)
}

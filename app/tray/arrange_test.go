package tray

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/assets"
)

// fixed is a menu as app.Render makes it, reduced to what the arrangement depends on.
func fixed(backends ...string) app.Menu {
	m := app.Menu{Icon: assets.Healthy, Tooltip: "Vivarium"}
	shown := func(title string) app.Item { return app.Item{Title: title, Shown: true, Enabled: true} }
	fill := func(s *app.Section, name string) {
		s.Items[app.ItemStatus] = app.Item{Title: name + ": Healthy", Shown: true}
		s.Items[app.ItemStart] = shown("Start")
		s.Items[app.ItemStop] = shown("Stop")
		s.Items[app.ItemOpenLog] = shown("Open Log")
		s.Items[app.ItemMore] = shown("More")
		s.Items[app.ItemReveal] = shown("Reveal Folder")
		s.Items[app.ItemRemove] = shown("Remove Backend")
	}
	switch len(backends) {
	case 0:
		m.Sections[0].Items[app.ItemStatus] = app.Item{Title: "Add a backend to begin", Shown: true}
		m.Tail[app.TailDemo] = shown("Try the Demo")
	case 1:
		fill(&m.Sections[0], backends[0])
	default:
		m.Sections[0].Items[app.ItemStatus] = app.Item{Title: "All well", Shown: true}
		for i, name := range backends {
			m.Sections[i+1].Title = name
			fill(&m.Sections[i+1], name)
		}
	}
	m.Tail[app.TailAdd] = shown("Add Backend…")
	m.Tail[app.TailSettings] = shown("Settings")
	m.Tail[app.TailLogin] = app.Item{Title: "Launch at Login", Shown: true, Enabled: true, Checked: true}
	m.Tail[app.TailAbout] = shown("About Vivarium")
	m.Tail[app.TailHelp] = shown("Help")
	m.Tail[app.TailManual] = shown("Vivarium Help")
	m.Tail[app.TailDiagnostics] = shown("Copy Diagnostics")
	m.Tail[app.TailQuit] = shown("Quit")
	m.Tail[app.TailLeave] = shown("Quit and Leave Running")
	return m
}

// picture draws what a person sees.
func picture(items []app.Item, at []place) string {
	var b strings.Builder
	for i, p := range at {
		if p.kind == separator {
			b.WriteString("────\n")
			continue
		}
		seen, depth := items[i].Shown, 0
		for up := p.parent; up != app.Top; up = at[up].parent {
			seen, depth = seen && items[up].Shown && up < i, depth+1
		}
		if !seen {
			continue
		}
		b.WriteString(strings.Repeat("  ", depth))
		if p.checkbox && items[i].Checked {
			b.WriteString("✓ ")
		}
		b.WriteString(items[i].Title + "\n")
	}
	return b.String()
}

func TestTheMenuOfOneBackendIsFlat(t *testing.T) {
	at := places()
	require.Equal(t, `backend: Healthy
────
Start
Stop
Open Log
More
  Reveal Folder
  Remove Backend
────
Add Backend…
Settings
  ✓ Launch at Login
Help
  Vivarium Help
  Copy Diagnostics
  About Vivarium
────
Quit
Quit and Leave Running
`, picture(arrange(fixed("backend"), at), at))
}

func TestTwoBackendsAreTwoSubmenusBelowASummary(t *testing.T) {
	at := places()
	require.Equal(t, `All well
────
a
  a: Healthy
  Start
  Stop
  Open Log
  More
    Reveal Folder
    Remove Backend
b
  b: Healthy
  Start
  Stop
  Open Log
  More
    Reveal Folder
    Remove Backend
────
Add Backend…
Settings
  ✓ Launch at Login
Help
  Vivarium Help
  Copy Diagnostics
  About Vivarium
────
Quit
Quit and Leave Running
`, picture(arrange(fixed("a", "b"), at), at))
}

func TestWithoutABackendAddAndDemoStandBelowTheFirstLine(t *testing.T) {
	at := places()
	require.Equal(t, `Add a backend to begin
────
Add Backend…
Try the Demo
────
Settings
  ✓ Launch at Login
Help
  Vivarium Help
  Copy Diagnostics
  About Vivarium
────
Quit
Quit and Leave Running
`, picture(arrange(fixed(), at), at))
}

func TestNoSeparatorStandsAtAnEndOrBesideAnother(t *testing.T) {
	at := places()
	bare := fixed()
	bare.Sections[0] = app.Section{}
	noLogin := fixed()
	noLogin.Tail[app.TailLogin].Shown = false
	for name, m := range map[string]app.Menu{
		"no backend": fixed(), "one": fixed("a"), "two": fixed("a", "b"), "eight": fixed("a", "b", "c", "d", "e", "f", "g", "h"), "no status": bare, "no login item": noLogin,
	} {
		lines := strings.Split(strings.TrimSpace(picture(arrange(m, at), at)), "\n")
		require.NotEqual(t, "────", lines[0], name)
		require.NotEqual(t, "────", lines[len(lines)-1], name)
		for i := range lines[1:] {
			require.False(t, lines[i] == "────" && lines[i+1] == "────", "%s:\n%s", name, strings.Join(lines, "\n"))
		}
	}
}

func TestTheTooltipStandsInForAMissingStatus(t *testing.T) {
	at := places()
	m := fixed("a", "b")
	m.Sections[0] = app.Section{}
	m.Tooltip = "Vivarium: 2 backends"
	items := arrange(m, at)
	require.Equal(t, app.Item{Title: "Vivarium: 2 backends", Shown: true}, items[0], "shown, and not to be clicked")
}

func TestEveryItemOfTheMenuHasExactlyOnePlace(t *testing.T) {
	count := map[app.Action]int{}
	for _, p := range places() {
		if p.kind == nested || p.kind == line && !p.raised {
			count[p.action]++
		}
		require.Equal(t, p.kind == line && p.action.Tail && (p.action.Item == app.TailLogin || p.action.Item == app.TailQuiet), p.checkbox)
	}
	for s := range (app.Menu{}).Sections {
		for i := range (app.Section{}).Items {
			require.Equal(t, 1, count[app.Action{Section: s, Item: i}], "section %d, item %d", s, i)
		}
	}
	for i := range (app.Menu{}).Tail {
		require.Equal(t, 1, count[app.Action{Item: i, Tail: true}], "tail %d", i)
	}
}

func TestTextsAreWhatEveryMenuTakes(t *testing.T) {
	for in, want := range map[string]string{
		"plain · text …":  "plain · text …",
		"cut\xff\xfehere": "cut\uFFFDhere",
		"two\nlines\ttab": "two lines tab",
		"nul\x00byte":     "nul byte",
		"":                "",
		"caf\xc3":         "caf\uFFFD",
	} {
		got := plain(in)
		require.Equal(t, want, got)
		require.True(t, utf8.ValidString(got))
	}
}

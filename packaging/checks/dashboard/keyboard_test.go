//go:build e2e

package dashboard

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
)

// tabTo presses Tab until what a script says has the focus.
func (b *tab) tabTo(what, script string) {
	b.t.Helper()
	for range 60 {
		b.key("\t")
		if b.text("Boolean("+script+")") == "true" {
			return
		}
	}
	b.t.Fatalf("%s is not reached with the Tab key; at %s", what, b.text("document.activeElement.outerHTML.slice(0, 200)"))
}

// landmarks are what a screen reader offers to jump to: roles with their names, as the browser tells them to it.
func (b *tab) landmarks() map[string]bool {
	b.t.Helper()
	call(b, accessibility.Enable, cdp.Empty{})
	tree := call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	all := map[string]bool{}
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		name := ""
		if n.Name != nil {
			name = string(n.Name.Value)
		}
		all[string(n.Role.Value)+" "+name] = true
	}
	return all
}

func TestEverythingIsReachedWithTheKeyboardAlone(t *testing.T) {
	h, first, _ := twoBackends(t)
	s := serve(t, h)
	b := newTab(t, 1000, "light")
	b.open(s.URL(""))
	b.shows("search-api")
	b.until("buttons are there", `document.querySelector("[data-act=stop]")`)
	b.key("\t")
	require.Equal(t, "Skip to the content", b.text("document.activeElement.textContent"))
	b.until("it is seen while it has the focus", `document.activeElement.getBoundingClientRect().left >= 0`)
	b.key("\r")
	b.until("the content has the focus", `document.activeElement.id === "main"`)
	b.tabTo("the stop button", `document.activeElement.dataset.act === "stop"`)
	require.Contains(t, b.text(`getComputedStyle(document.activeElement).outlineStyle`), "solid", "where the focus is can be seen")
	b.key("\r")
	b.shows("Stopped")
	require.Equal(t, []string{"stop search-api"}, h.done())

	b.eval(`document.activeElement.blur(); document.querySelector(".skip").focus()`, nil)
	b.tabTo("the backend", `document.activeElement.textContent.includes("search-api")`)
	b.key("\r")
	b.until("its views are there", `document.querySelector(".views")`)
	require.Equal(t, "main", b.text("document.activeElement.id"), "who came here begins at the content")
	for _, view := range []string{"Log", "Deaths and Stalls", "Doctor", "Environment", "Configuration", "Overview"} {
		b.eval(`document.querySelector(".skip").focus()`, nil)
		b.tabTo(view, `document.activeElement.textContent === "`+view+`"`)
		b.key("\r")
		b.until(view+" is shown", `document.querySelector(".views [aria-current]")?.textContent === "`+view+`" && document.activeElement.id === "main"`)
		b.until("it has a heading", `document.querySelector("main h1")?.textContent`)
		axe(t, b)
	}
	_ = first
	b.clean(s)
}

func TestAScreenReaderFindsTheLandmarks(t *testing.T) {
	s, b, _ := logged(t, 1000, "light", numbered(0, 100))
	found := b.landmarks()
	for _, want := range []string{
		`"banner" ""`, `"navigation" "Backends"`, `"navigation" "Views"`, `"main" ""`, `"search" ""`, `"toolbar" "Log"`, `"region" "Log of search-api"`, `"heading" "Log of search-api"`,
	} {
		require.Contains(t, found, want)
	}
	b.open(s.URL(s.house.dirs[0]))
	b.until("the card is there", `document.querySelector(".card .is") && document.querySelector(".spark, .note")`)
	found = b.landmarks()
	require.Contains(t, found, `"region" "search-api"`, "a backend's card is a region of its own")
	require.Contains(t, found, `"heading" "Backends"`)
	b.clean(s)
}

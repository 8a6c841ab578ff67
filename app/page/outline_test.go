package page

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the outlines of the pages anew")

// element is one of a page, with the text below it.
type element struct {
	tag   string
	attrs map[string]string
	text  string
	depth int
}

// elements reads a page as a browser does, as far as our own pages need it.
func elements(t testing.TB, page string) []element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var all []element
	var open []int
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			require.Empty(t, open, "an element is not closed")
			return all
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			e := element{tag: token.Name.Local, attrs: map[string]string{}, depth: len(open)}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			open = append(open, len(all))
			all = append(all, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, i := range open {
				all[i].text += string(token)
			}
		}
	}
}

func withTag(all []element, tag string) []element {
	return slices.DeleteFunc(slices.Clone(all), func(e element) bool { return e.tag != tag })
}

func withClass(all []element, class string) []element {
	return slices.DeleteFunc(slices.Clone(all), func(e element) bool { return !slices.Contains(strings.Fields(e.attrs["class"]), class) })
}

// outline is a page's structure: what it shows, without how it looks.
func outline(t testing.TB, page string) string {
	var b strings.Builder
	say := func(e element, prefix string) {
		text := strings.Join(strings.Fields(e.text), " ")
		if r := []rune(text); len(r) > 110 {
			text = string(r[:110]) + "…"
		}
		class := ""
		if c := e.attrs["class"]; c != "" {
			class = "." + strings.ReplaceAll(c, " ", ".")
		}
		fmt.Fprintf(&b, "%s%s%s: %s\n", prefix, e.tag, class, text)
	}
	for _, e := range elements(t, page) {
		switch e.tag {
		case "title", "h1", "h2", "h3", "summary", "textarea":
			say(e, "")
		case "dt", "dd", "th", "td", "text", "desc", "p", "figcaption", "li":
			if e.attrs["class"] != "scroll" && e.text != "" {
				say(e, "  ")
			}
		case "rect", "circle", "path", "line":
			fmt.Fprintf(&b, "  %s.%s\n", e.tag, strings.ReplaceAll(e.attrs["class"], " ", "."))
		}
	}
	return b.String()
}

// golden compares a page's outline with the one on record.
func golden(t *testing.T, name, page string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	got := outline(t, page)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./app/page -update")
}

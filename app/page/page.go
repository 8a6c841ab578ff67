// Package page makes the pages that Vivarium shows in a browser: the report on a crash. It is pure: values become bytes. A page is one
// file that is whole in itself: it can be read offline, sent on and printed, needs no script, and asks nobody for anything. What it
// is given passes mask.Line, so that no page shows a secret.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
)

// Words are how this person's other views say figures, and what a page must not tell of them.
type Words struct {
	Duration func(time.Duration) string // "3 h 12 min"
	Size     func(bytes uint64) string  // "1.2 GB"
	Home     string                     // the home folder, shown as "~"; "": paths stay as they are
}

//go:embed *.html style.css live.css copy.js
var files embed.FS

// templates are parsed when the first page is made: a healthy run never pays for them.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"words": pieces, "plural": plural, "sentence": sentenceCase}).ParseFS(files, "*.html"))
})

var (
	style  = sync.OnceValue(func() string { return text("style.css") })
	script = sync.OnceValue(func() string { return text("copy.js") })
)

func text(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		return "" // not reached: the file is embedded
	}
	return string(b)
}

// sheet is what every page has around its content.
type sheet struct {
	Title   string // of the document
	Content any    // of the template that the page is made by
}

// Policy lets this page's own style and script in, known by their hashes, and nothing else: a page is opened from a file, where it
// might otherwise reach more than a page of the network could.
func (sheet) Policy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; form-action 'none'",
		hash(style()), hash(script()))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Style and Script are our own files.
func (sheet) Style() template.CSS { return template.CSS(style()) }
func (sheet) Script() template.JS { return template.JS(script()) }

// write makes the page of the template of that name. Nothing is written if it cannot be made.
func write(w io.Writer, name string, s sheet) error {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, s); err != nil {
		return fmt.Errorf("making a page: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Safe is a text as a page may show it: one printable line without secrets, the home folder shortened.
func (w Words) Safe(s string) string { return w.short(mask.Line(s)) }

func (w Words) short(s string) string {
	if len(w.Home) < 2 || w.Home[0] != '/' {
		return s
	}
	home := strings.TrimRight(w.Home, "/")
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, home)
		if !found {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		if after != "" && !strings.ContainsRune(`/"':;,) `, rune(after[0])) { // another folder whose name begins like it
			b.WriteString(home)
		} else {
			b.WriteByte('~')
		}
		s = after
	}
}

// piece is a part of a text in which commands and names stand between backticks.
type piece struct {
	Text string
	Code bool
}

func pieces(s string) []piece {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 { // one without its fellow
		return []piece{{Text: s}}
	}
	var all []piece
	for i, part := range parts {
		if part != "" {
			all = append(all, piece{Text: part, Code: i%2 == 1})
		}
	}
	return all
}

// copyable is a text to be copied: selected by hand, or with a button where scripts run.
type copyable struct{ ID, Label, Text string }

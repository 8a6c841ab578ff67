package page

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/crash/report"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// hostile has a text in every place that a page has for one.
func hostile(text string) record.Record {
	return record.Record{
		Death: record.Death{
			Run: text, At: died, Uptime: time.Minute, Signal: text, Verdict: crash.Verdict{Kind: crash.Kind(text), Summary: text, Remedy: "do `" + text + "`", Line: text, Confidence: text},
		},
		Backend: text, Dir: text, Log: text, Known: true, PortOwner: text, Missing: []string{text}, EnvNames: []string{text},
		Tail: []string{
			text, "Traceback (most recent call last):", fmt.Sprintf("  File %q, line 1, in %s", "/b/"+text, text), "    " + text, "ValueError: " + text,
		},
		Health: record.Health{Phase: record.Phase(text), Problem: text}, Memory: crash.Memory{OOM: true, Source: text},
		Env:      []environment.Var{{Name: text, Value: text, From: text, Why: text}},
		Versions: map[string]string{text: text, "Vivarium": text},
		OpenMP:   []openmp.Runtime{{Path: "/x/" + text, Real: text, Flavor: openmp.Flavor(text), Version: text, Package: text, PackageVersion: text, Users: []openmp.User{{Package: text}}}},
		Report: &report.Report{
			Exception: text, Signal: text, Subtype: text, Namespace: text, Indicator: text, By: text, Said: []string{text}, Reasons: []string{text}, OS: text,
			Frames: []report.Frame{{Image: text, Symbol: text}},
		}, ReportFile: text,
		Loaded: []string{"/x/" + text}, Samples: samplesBefore(died, 3),
	}
}

var attacks = []string{
	"<script>document.title='hacked'</script>", "</script><script>document.title='hacked'</script>", "</textarea><img src=x onerror=\"document.title='hacked'\">",
	"</style><style>body{display:none}", "\" onload=\"document.title='hacked'\" x=\"", "' onmouseover='document.title=1", "javascript:document.title='hacked'",
	"</title><script>document.title='hacked'</script>", "<svg/onload=document.title='hacked'>", "<!-- ", "]]>", "<![CDATA[", "{{.}}", "<meta http-equiv=refresh content=\"0;url=https://example.com\">",
	"<base href=https://example.com>", "<a href=\"javascript:document.title='hacked'\">x</a>", "\x00\x1b[31m\u202e\ufeff", "&lt;script&gt;", "<plaintext>", "-->", "</pre></ol></main>",
}

// inert asserts that a page holds our own elements, and none that a text brought in.
func inert(t testing.TB, page string) {
	ours := []string{
		"html", "head", "meta", "title", "link", "style", "body", "header", "main", "footer", "section", "h1", "h2", "h3", "p", "b", "i", "span", "small", "div", "figure",
		"figcaption", "pre", "code", "a", "dl", "dt", "dd", "svg", "desc", "g", "rect", "line", "text", "path", "circle", "ol", "ul", "li", "mark", "details", "summary",
		"table", "thead", "tbody", "tr", "th", "td", "button", "textarea", "script",
	}
	all := elements(t, page)
	for _, e := range all {
		require.Contains(t, ours, e.tag)
		for name, value := range e.attrs {
			require.False(t, strings.HasPrefix(name, "on"), "%s in %s", name, e.tag)
			require.NotContains(t, []string{"src", "srcdoc", "style", "action", "formaction", "xlink:href"}, name)
			if name == "href" {
				require.Contains(t, []string{"#deciding", "data:,"}, value)
			}
		}
	}
	for tag, n := range map[string]int{"script": 1, "style": 1, "html": 1, "body": 1, "textarea": 1, "link": 1, "meta": 5} {
		require.Len(t, withTag(all, tag), n, tag)
	}
	require.Equal(t, 1, strings.Count(page, "<script"))
	require.Equal(t, 1, strings.Count(page, "</textarea"))
}

func TestWhatALogSaysIsInert(t *testing.T) {
	for _, attack := range attacks {
		inert(t, made(t, hostile(attack)))
	}
	require.Len(t, slices.Compact(attacks), len(attacks))
}

func FuzzThePageIsInertWhateverTheTextIs(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack, int64(5e9), uint64(1e9), 0.5)
	}
	f.Fuzz(func(t *testing.T, text string, latency int64, rss uint64, cpu float64) {
		r := hostile(text)
		r.Samples = append(r.Samples, record.Sample{At: died.Add(-time.Duration(latency)), CPU: cpu, RSS: rss, Latency: time.Duration(latency), OK: rss%2 == 0})
		page := made(t, r)
		require.NotContains(t, page, "NaN")
		require.NotContains(t, page, "Inf")
		inert(t, page)
	})
}

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// reports are the pages that lie in the state folder, the oldest first.
func (r *rig) reports() []string {
	found, _ := filepath.Glob(filepath.Join(r.keeperFolder(), "crashes", "*.html"))
	return found
}

// quiet asserts that a page has no errors, and asked for nothing but itself.
func (b *browser) quiet(path string) {
	b.t.Helper()
	require.Empty(b.t, b.complaints())
	for _, address := range b.requests() {
		require.True(b.t, address == "file://"+path || address == "data:,", address)
	}
	require.NotEmpty(b.t, b.requests())
}

// late is the backend of the README's report: it has two OpenMP runtimes loaded, without the crash environment, and is well until a
// request needs the second one.
func late(t *testing.T) *rig {
	t.Helper()
	dir, err := openmpEnvironment()
	needs(t, err == nil, fmt.Sprintf("no virtual environment with FastAPI and FAISS: %v", err))
	r := newRig(t, "late", "[health]\ninterval = \"1s\"\n[environment]\nKMP_DUPLICATE_LIB_OK = \"\"")
	require.NoError(t, os.Symlink(dir, filepath.Join(r.dir, ".venv")))
	return r
}

func TestTheReportOnARealDeathReadsWellInARealBrowser(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	r := late(t)
	f := r.run()
	f.await("healthy")
	measured := time.Now()
	for seed := 0; time.Since(measured) < 8*time.Second; seed++ { // something to see on the timeline
		require.NotEmpty(t, r.get(fmt.Sprintf("/search?seed=%d&megabytes=2", seed)))
	}
	r.get("/embed")
	require.Equal(t, "openmp-duplicate", f.await("crashed").Verdict.Kind)
	eventually(t, "the report is written", func() bool { return len(r.reports()) == 1 })
	report := r.reports()[0]
	eventually(t, "the copies of OpenMP are found, and the report written again", func() bool {
		text, _ := os.ReadFile(report)
		return strings.Contains(string(text), `class="graph"`)
	})
	st, err := os.Stat(report)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	require.FileExists(t, strings.TrimSuffix(report, ".html")+".json")

	b.look(1000, "light", true)
	b.visit(report)
	b.quiet(report)
	require.Contains(t, b.text("document.querySelector('h1').innerText"), "Two OpenMP runtimes")
	require.Contains(t, b.text("document.querySelector('#deciding').innerText"), "OMP: Error #15")
	require.Contains(t, b.text("document.querySelector('.stack .own').innerText"), "embed", "the user's own frame is marked")
	require.NotEmpty(t, b.text("document.querySelector('.timeline .memory .line').outerHTML"))
	require.Contains(t, b.text("document.querySelector('.graph').textContent"), "faiss")
	require.Contains(t, b.text("[...document.querySelectorAll('.graph .clash')].map(e => e.textContent).join(' ')"), "torch/lib/libomp.so", "loaded, and in conflict")
	require.Equal(t, "rgb(247, 247, 245)", b.text("getComputedStyle(document.body).backgroundColor"), "the policy lets the page's own style in")
	light := b.picture("report-light")
	require.Greater(t, colours(light), 20)

	b.look(1000, "dark", true)
	b.visit(report)
	dark := b.picture("report-dark")
	require.Greater(t, brightness(light), 200)
	require.Less(t, brightness(dark), 60)

	b.look(360, "light", true)
	b.visit(report)
	b.picture("report-narrow")
	var over int
	b.eval("document.documentElement.scrollWidth - innerWidth", &over)
	require.LessOrEqual(t, over, 0, "nothing sticks out on a narrow screen")
	require.True(t, strings.HasPrefix(string(b.paper("report")), "%PDF-"))
}

func TestTheReportIsReadWithoutScriptsAndTheButtonIsForThoseWithThem(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	path := written(t, record.Record{Death: record.Death{At: time.Now(), Signal: "SIGSEGV", Verdict: crash.Verdict{Kind: crash.KindSegfault, Summary: "Python crashed"}}, Known: true})
	b.look(1000, "light", false)
	b.visit(path)
	b.quiet(path)
	require.Equal(t, "none", b.text("getComputedStyle(document.querySelector('button')).display"))
	require.Contains(t, b.text("document.querySelector('textarea').value"), "Python crashed")

	b.look(1000, "light", true)
	b.visit(path)
	require.NotEqual(t, "none", b.text("getComputedStyle(document.querySelector('button')).display"))
	b.do("Runtime.evaluate", map[string]any{"expression": "document.querySelector('button').click()", "userGesture": true}, nil)
	eventually(t, "it is copied", func() bool { return b.text("document.querySelector('button').innerText") == "Copied" })
	b.quiet(path)
}

func TestWhatALogSaysDoesNothingInTheBrowser(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	var tail []string
	for _, attack := range []string{
		"<script>document.title='hacked'</script>", "</textarea></pre></li><img src=https://example.com/x onerror=\"document.title='hacked'\">",
		"</style></title></script><script src=https://example.com/x.js></script>", "\" onload=\"document.title='hacked'\" onclick=\"x", "<svg/onload=document.title='hacked'>",
		"<meta http-equiv=refresh content=\"0;url=https://example.com\">", "<base href=https://example.com>", "<link rel=stylesheet href=https://example.com/x.css>",
		"<iframe srcdoc=\"<script>top.document.title='hacked'</script>\"></iframe>", "javascript:document.title='hacked'", "<style>@import url(https://example.com/x.css)</style>",
	} {
		tail = append(tail, attack, "Traceback (most recent call last):", fmt.Sprintf("  File \"/b/%s\", line 1, in %s", attack, attack), "    "+attack, "ValueError: "+attack)
	}
	all := strings.Join(tail, " ")
	path := written(t, record.Record{
		Death: record.Death{At: time.Now(), Verdict: crash.Verdict{Kind: crash.Kind(all), Summary: all, Remedy: "`" + all + "`", Line: tail[0]}}, Tail: tail,
		Backend: tail[0], Dir: tail[1], Log: tail[5], PortOwner: all, Env: []environment.Var{{Name: tail[0], Value: all}}, EnvNames: tail, Versions: map[string]string{tail[0]: tail[5]},
	})
	b.look(1000, "light", true)
	b.visit(path)
	b.quiet(path)
	require.NotEqual(t, "hacked", b.text("document.title"))
	var elements map[string]int
	b.eval("({script: document.scripts.length, style: document.querySelectorAll('style, link[rel=stylesheet]').length, img: document.images.length, frame: frames.length, base: document.querySelectorAll('base').length})", &elements)
	require.Equal(t, map[string]int{"script": 1, "style": 1, "img": 0, "frame": 0, "base": 0}, elements)
}

// written is a page made of a record, on disk.
func written(t *testing.T, r record.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	f, err := os.Create(path)
	require.NoError(t, err)
	words := page.Words{Duration: time.Duration.String, Size: func(n uint64) string { return fmt.Sprint(n) }}
	require.NoError(t, words.Crash(f, r))
	require.NoError(t, f.Close())
	return path
}

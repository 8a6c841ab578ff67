//go:build e2e

package dashboard

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/page"
)

// openMP is the trouble that Vivarium is there for.
func openMP(id string) *page.Trouble {
	return &page.Trouble{
		ID: id, At: time.Now(), Kind: "openmp-duplicate", Summary: "two OpenMP runtimes in one process: libiomp5.dylib and libomp.dylib",
		Remedy: "Run `vivarium doctor --fix`, or let `KMP_DUPLICATE_LIB_OK=TRUE` reach Python.",
		Line:   "OMP: Error #15: Initializing libomp.dylib, but found libiomp5.dylib already initialized.",
	}
}

// two backends, one of which runs well and one of which gave up.
func twoBackends(t testing.TB) (*house, string, string) {
	h := newHouse()
	first, second := h.add(t, "search-api"), h.add(t, "embeddings")
	now := time.Now()
	h.history[first] = page.History{Samples: samples(now), Marks: []page.Mark{
		{At: now.Add(-12 * time.Minute), What: "death", Text: "two OpenMP runtimes"}, {At: now.Add(-11*time.Minute - 40*time.Second), What: "start"},
		{At: now.Add(-8 * time.Minute), Until: now.Add(-6 * time.Minute), What: "sleep"},
	}}
	h.change(second, func(b *page.Backend) {
		b.State, b.Word, b.Line, b.PID, b.Trouble, b.Can = "gave-up", "Gave up", "Gave up · two OpenMP runtimes", 0, openMP("20261126T140211.000Z-r1"), []string{"start", "reveal"}
	})
	return h, first, second
}

func TestTheOverviewShowsEveryBackend(t *testing.T) {
	h, _, second := twoBackends(t)
	s := serve(t, h)
	for _, look := range []struct {
		name, scheme string
		width        int
	}{{"light-1000", "light", 1000}, {"dark-1000", "dark", 1000}, {"light-420", "light", 420}, {"dark-420", "dark", 420}} {
		t.Run(look.name, func(t *testing.T) {
			b := newTab(t, look.width, look.scheme)
			b.open(s.URL(""))
			b.shows("search-api")
			b.shows("Two OpenMP runtimes in one process")
			b.until("charts are drawn", `document.querySelector(".spark .line")`)
			require.NotContains(t, b.text("location.href"), "#", "the secret left the address")
			require.Equal(t, "(1!) Vivarium", b.text("document.title"))
			b.fits()
			b.shot("overview-" + look.name)
			axe(t, b)
			b.clean(s)
		})
	}
	b := newTab(t, 1000, "light")
	b.open(s.URL(second))
	b.shows("embeddings")
	b.until("only the one that was asked for has a card", `document.querySelectorAll(".card").length === 1`)
	b.shot("one-backend")
	axe(t, b)
	b.clean(s)
}

func TestACrashIsShownWhileThePageIsOpen(t *testing.T) {
	h, first, _ := twoBackends(t)
	s := serve(t, h)
	b := newTab(t, 1000, "light")
	b.open(s.URL(first))
	b.shows("Healthy")
	b.eval(`document.querySelector("[data-act=stop]").focus()`, nil)
	h.change(first, func(b *page.Backend) {
		b.State, b.Word, b.Line, b.PID, b.Trouble = "restarting", "Restarting", "Restarting · next start at 14:02:16", 0, openMP("")
		b.Can = []string{"stop", "restart", "reveal"}
	})
	b.shows("Restarting")
	b.shows("OMP: Error #15")
	require.Equal(t, "(2!) search-api – Vivarium", b.text("document.title"))
	require.Equal(t, "stop", b.text("document.activeElement.dataset.act"), "what had the focus keeps it")
	b.shot("crash")
	h.change(first, func(b *page.Backend) {
		b.State, b.Word, b.Line, b.PID, b.Trouble = "unhealthy", "Unhealthy: hung", "Unhealthy: hung · no answer for 45 s", 4713, &page.Trouble{
			Stall: true, At: time.Now(), Kind: "loop-blocked", Summary: "the event loop is blocked by requests.get in main.py:18",
			Remedy: "Make it `def`, or `await anyio.to_thread.run_sync(work)`.", Line: `  File "main.py", line 18 in search`,
		}
		b.Can = []string{"stop", "restart", "open", "reveal", "stacks"}
	})
	b.shows("Why it does not answer")
	b.click(`[data-act="stacks"]`)
	b.shows("_run_once")
	b.shot("stall")
	axe(t, b)
	b.clean(s)
}

func TestWhatAPersonIsDoingSurvivesAChangeOfThePage(t *testing.T) {
	h, first, _ := twoBackends(t)
	s := serve(t, h)
	b := newTab(t, 1000, "light")
	b.open(s.URL(first))
	b.shows("Healthy")
	say := func(line string) {
		h.change(first, func(b *page.Backend) { b.Word, b.Line = line, line })
		b.shows(line)
	}

	var at struct{ X, Y float64 }
	b.eval(`(({x, y, width, height}) => ({x: x + width / 2, y: y + height / 2}))(document.querySelector("#nav .views a[href$='/environment']").getBoundingClientRect())`, &at)
	mouse := input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMousePressed, X: at.X, Y: at.Y, Button: input.MouseButtonLeft, ClickCount: 1}
	call(b, input.DispatchMouseEvent, mouse)
	say("Pressed")
	mouse.Type = input.DispatchMouseEventTypeMouseReleased
	call(b, input.DispatchMouseEvent, mouse)
	b.shows("KMP_DUPLICATE_LIB_OK") // a click whose press and release lie on either side of a change

	b.eval(`getSelection().selectAllChildren(document.querySelector("#nav a[aria-current]"))`, nil)
	say("Selected")
	require.Contains(t, b.text("getSelection()"), "search-api")
	b.clean(s)
}

func TestButtonsDoWhatTheMenuDoes(t *testing.T) {
	h, first, _ := twoBackends(t)
	s := serve(t, h)
	b := newTab(t, 1000, "light")
	b.open(s.URL(first))
	for _, one := range []string{"restart", "open", "reveal", "stop"} {
		b.until(one+" is there", `document.querySelector("[data-act=`+one+`]:not([aria-disabled])")`)
		b.click(`[data-act="` + one + `"]`)
	}
	b.shows("Stopped")
	b.click(`[data-act="start"]`)
	b.shows("Healthy")
	require.Equal(t, []string{"restart search-api", "open search-api", "reveal search-api", "stop search-api", "start search-api"}, h.done())
	h.mu.Lock()
	h.refuse = os.ErrPermission
	h.mu.Unlock()
	b.click(`[data-act="stop"]`)
	b.shows("permission denied")
	require.Contains(t, b.said(), "409", "the browser itself says that a request was refused")
}

// eventful is a backend with something to show in every view.
func eventful(t *testing.T) (*house, string) {
	h, first, _ := twoBackends(t)
	trouble := openMP("20261126T140211.000Z-r1")
	trouble.At = time.Now().Add(-time.Hour)
	tail := strings.Split(strings.Repeat("INFO:     127.0.0.1:50411 - \"POST /search HTTP/1.1\" 200 OK\n", 20)+trouble.Line+"\nFatal Python error: Aborted", "\n")
	h.deaths[first] = []page.Death{
		{Trouble: *trouble, Uptime: 3*time.Hour + 12*time.Minute, Report: true},
		{Trouble: page.Trouble{Stall: true, At: time.Now().Add(-2 * time.Hour), Summary: "the event loop is blocked", Remedy: "Make it `def`."}},
	}
	h.tails[trouble.ID] = tail
	h.config[first] = page.Config{
		File: filepath.Join(first, "vivarium.toml"), Text: "name = \"search-api\"\nport = \"eight\"\n\n[environment]\nHF_TOKEN = \"hf_verysecretverysecret\"\nOMP_NUM_THREADS = \"4\"\n",
		Problems: []page.ConfigProblem{{Line: 2, Text: "port: wants a number from 1 to 65535", Remedy: "write it like this: `port = 8000`"}},
	}
	log := strings.Join(tail, "\n") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(first, "logs", "server.log.1"), []byte(log), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(first, "logs", "server.log"), []byte(strings.Repeat("INFO:     later\nother\n", 500)), 0o600))
	return h, first
}

func TestEveryViewFitsAnyWindow(t *testing.T) {
	h, first := eventful(t)
	s := serve(t, h)
	for _, look := range []struct {
		scheme string
		width  int
	}{{"dark", 420}, {"dark", 1000}, {"light", 420}} {
		t.Run(fmt.Sprintf("%s-%d", look.scheme, look.width), func(t *testing.T) {
			b := newTab(t, look.width, look.scheme)
			b.open(s.URL(first))
			b.shows("Healthy")
			for view, text := range map[string]string{
				"log": "later", "deaths": "The event loop is blocked", "doctor": "search-api", "environment": "KMP_DUPLICATE_LIB_OK", "configuration": "wants a number",
			} {
				b.click(`a[href$="/` + view + `"]`)
				b.shows(text)
				if view == "doctor" {
					b.until("the doctor is asked", `document.querySelector("[data-doctor]")`)
					b.click("[data-doctor]")
					b.shows("one thing keeps the server from working")
				}
				b.fits()
				b.shot(fmt.Sprintf("view-%s-%s-%d", view, look.scheme, look.width))
				axe(t, b)
			}
			b.click(`a[href$="/deaths"]`)
			b.click(`a[href*="/deaths/"]`)
			b.shows("How it ended")
			b.fits()
			b.shot(fmt.Sprintf("view-report-%s-%d", look.scheme, look.width))
			axe(t, b)
			b.clean(s)
		})
	}
}

func TestEveryViewShowsWhatItIsAbout(t *testing.T) {
	h, first := eventful(t)
	s := serve(t, h)
	b := newTab(t, 1000, "light")
	b.open(s.URL(first))
	b.shows("Healthy")

	b.click(`a[href$="/deaths"]`)
	b.shows("Two OpenMP runtimes")
	b.shows("3 h 12 min")
	b.shot("deaths")
	axe(t, b)
	b.click(`a[href*="/deaths/"]`)
	b.shows("How it ended")
	b.shot("report")
	axe(t, b)
	b.eval("history.back()", nil)
	b.shows("Deaths and stalls of")
	b.click(`a[href*="/log?death="]`)
	b.until("the deciding line is the current one", `document.querySelector(".row.current")?.textContent.includes("OMP: Error #15")`)
	b.shot("log-death")

	b.click(`a[href$="/doctor"]`)
	b.shows("without starting or changing anything")
	b.click("[data-doctor]")
	b.shows("one thing keeps the server from working")
	b.shot("doctor")
	axe(t, b)

	b.click(`a[href$="/environment"]`)
	b.shows("KMP_DUPLICATE_LIB_OK")
	b.shows("HF_TOKEN")
	b.shot("environment")
	axe(t, b)

	b.click(`a[href$="/configuration"]`)
	b.shows("wants a number from 1 to 65535")
	require.NotContains(t, b.text("document.body.innerText"), "verysecret")
	b.shows("OMP_NUM_THREADS = \"4\"")
	b.shot("configuration")
	axe(t, b)
	b.click(`[data-act="edit"]`)
	b.until("the editor is opened", "true")
	require.Eventually(t, func() bool { return len(h.done()) == 1 }, patience, 10*time.Millisecond)
	require.Equal(t, []string{"edit search-api"}, h.done())
	b.clean(s)
}

// fits asserts that nothing is cut off at the side, and that no word is wider than what holds it.
func (b *tab) fits() {
	b.t.Helper()
	var wide string
	b.eval(`(() => {
		if (document.documentElement.scrollWidth > innerWidth) return "the page is " + document.documentElement.scrollWidth + " wide";
		for (const e of document.querySelectorAll("main *:not(svg *)")) {
			const r = e.getBoundingClientRect();
			if (r.width && r.right > innerWidth + 1 && !e.closest(".hear, .logview, .scroll")) return e.outerHTML.slice(0, 200);
		}
		for (const e of document.querySelectorAll("button, h1, h2, .is, .tag, .why, dd")) {
			if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth && getComputedStyle(e).display !== "inline" && !e.closest(".hear")) return "cut: " + e.outerHTML.slice(0, 200);
		}
		return "";
	})()`, &wide)
	require.Empty(b.t, wide)
}

func TestNoBackendOneAndTwelveAreShownWithoutAnyWordCutOff(t *testing.T) {
	for _, n := range []int{0, 1, 12} {
		h := newHouse()
		for i := range n {
			name := fmt.Sprintf("backend-%d", i)
			if i%5 == 0 {
				name = fmt.Sprintf("a-very-long-name-that-somebody-gave-to-a-backend-of-embeddings-%d", i)
			}
			dir := h.add(t, name)
			h.history[dir] = page.History{Samples: samples(time.Now()), Marks: []page.Mark{
				{At: time.Now().Add(-10 * time.Minute), Until: time.Now().Add(-8 * time.Minute), What: "stall", Text: "the event loop is blocked by requests.get in main.py:18"},
				{At: time.Now().Add(-4 * time.Minute), What: "memory-limit", Text: "it uses 12 GB"},
			}}
			switch i % 4 {
			case 1:
				h.change(dir, func(b *page.Backend) {
					b.State, b.Word, b.PID, b.Trouble, b.Can = "gave-up", "Gave up", 0, openMP("20261126T140211.000Z-r1"), []string{"start", "reveal"}
				})
			case 2:
				h.change(dir, func(b *page.Backend) {
					b.State, b.Word, b.PID, b.Can = "stopped", "Stopped", 0, []string{"start", "reveal"}
				})
			case 3:
				h.change(dir, func(b *page.Backend) {
					b.State, b.Word, b.Note = "starting", "Starting", "downloading a model (huggingface_hub)"
				})
			}
		}
		s := serve(t, h)
		for _, look := range []struct {
			scheme string
			width  int
		}{{"light", 1000}, {"dark", 420}, {"light", 1600}} {
			t.Run(fmt.Sprintf("%d-%s-%d", n, look.scheme, look.width), func(t *testing.T) {
				b := newTab(t, look.width, look.scheme)
				b.open(s.URL(""))
				b.until("they are all there", fmt.Sprintf(`document.querySelectorAll(".card .is").length === %d && (%d || document.querySelector(".nothing"))`, n, n))
				if n == 0 {
					b.shows("There is no backend yet")
				} else {
					b.until("charts are drawn", `document.querySelector(".spark .line")`)
					b.shows("memory-limit: it uses 12 GB")
				}
				b.shot(fmt.Sprintf("count-%d-%s-%d", n, look.scheme, look.width))
				b.fits()
				axe(t, b)
				b.clean(s)
			})
		}
	}
}

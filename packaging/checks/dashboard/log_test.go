//go:build e2e

package dashboard

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/page"
)

// logged is a backend with that log, and its page.
func logged(t *testing.T, width int, scheme string, files ...string) (served, *tab, string) {
	t.Helper()
	h := newHouse()
	dir := h.add(t, "search-api")
	path := filepath.Join(dir, "logs", "server.log")
	for i, text := range files {
		name := path
		if i > 0 {
			name = fmt.Sprintf("%s.%d", path, i)
		}
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	s := serve(t, h)
	b := newTab(t, width, scheme)
	b.open(s.URL(dir))
	b.shows("search-api")
	b.click(`a[href$="/log"]`)
	b.until("the log is shown", `document.querySelector(".entry") || document.querySelector(".gap")`)
	return s, b, path
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "INFO:     line %d of the log\n", i)
	}
	return b.String()
}

const atBottom = `(() => { const l = document.getElementById("log"); return l.scrollHeight - l.scrollTop - l.clientHeight < 40; })()`

func lastLine(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#rows .entry")].at(-1)?.textContent.includes(%q)`, text)
}

func TestTheLogIsFollowedThroughARotation(t *testing.T) {
	s, b, path := logged(t, 1000, "light", numbered(1000, 2000), numbered(0, 1000))
	b.until("its end is shown", lastLine("line 1999")+" && "+atBottom)
	appendTo(t, path, numbered(2000, 2003)+"\x1b[31mERROR\x1b[0m:    failed\nTraceback (most recent call last):\n  File \"main.py\", line 18, in search\n    x()\nValueError: no\n")
	b.until("what is added is shown", lastLine("ValueError: no")+" && "+atBottom)
	require.NoError(t, os.Rename(path, path+".2"))
	require.NoError(t, os.Rename(path+".2", path+".1"))
	appendTo(t, path, numbered(3000, 3001)+strings.Repeat("the same\n", 50)+"half")
	b.until("through a rotation", lastLine("the same")+` && document.getElementById("open").textContent === "half"`)
	b.shows("×50")
	b.shot("log-follow")
	axe(t, b)
	b.click("button.tell")
	b.until("a traceback is folded", `document.querySelector(".entry.body").hidden && !document.querySelector(".entry.tail").hidden`)
	b.click("button.times")
	b.until("what was folded is shown", `[...document.querySelectorAll(".entry")].filter((e) => e.textContent === "the same").length === 50`)
	b.clean(s)
}

func TestTheLogIsReadWithTheKeyboardAlone(t *testing.T) {
	s, b, _ := logged(t, 1000, "light", numbered(0, 30000)+"WARNING:  needle two\n"+numbered(30000, 40000), numbered(0, 500)+"ERROR:    needle one\n"+numbered(500, 40000))
	b.until("its end is shown", lastLine("line 39999"))
	b.key("g")
	b.until("g goes to the beginning", `document.querySelector(".entry").textContent.includes("line 0 of") && document.getElementById("log").scrollTop === 0`)
	require.Equal(t, "false", b.text(`document.getElementById("follow").getAttribute("aria-pressed")`))
	b.key("G")
	b.until("G goes to the end", lastLine("line 39999")+" && "+atBottom)
	b.key("f")
	b.until("f follows", `document.getElementById("follow").getAttribute("aria-pressed") === "true"`)
	b.key("/")
	b.until("/ goes to the search", `document.activeElement.id === "pattern"`)
	b.eval(`document.getElementById("pattern").value = ""`, nil) // the test's keyboard types the slash, too
	b.key("needle \\w+\r")
	b.until("the newest match is shown", `document.querySelector(".row.current")?.textContent.includes("needle two")`)
	b.until("they are counted", `document.getElementById("count").textContent === "1 of 2 matches"`)
	b.shot("log-search")
	axe(t, b)
	b.key("\x1b")
	b.until("escape leaves the field", `document.activeElement.id === "log"`)
	b.key("n")
	b.until("n goes to the older one", `document.querySelector(".row.current")?.textContent.includes("needle one")`)
	require.Equal(t, "needle one", b.text(`document.querySelector(".row.current .m").textContent`))
	b.key("N")
	b.until("N goes back", `document.querySelector(".row.current")?.textContent.includes("needle two")`)
	b.key("/")
	b.eval(`document.getElementById("pattern").value = "("`, nil)
	b.key("\r")
	b.shows("missing closing )")
	require.Contains(t, b.said(), "400")
	b.mu.Lock()
	b.complaints = nil // the browser says that the dashboard refused it
	b.mu.Unlock()
	b.clean(s)
}

func TestScrollingGetsOtherRowsAndThePageStaysSmall(t *testing.T) {
	s, b, _ := logged(t, 1000, "light", numbered(0, 200000))
	b.until("its end is shown", lastLine("line 199999"))
	b.eval(`new Promise((done) => {
		const log = document.getElementById("log");
		let n = 0;
		const up = () => { log.scrollTop = Math.min(log.scrollTop, 50); if (++n < 60) setTimeout(up, 40); else done(true); };
		up();
	})`, nil)
	b.until("it is far from the end", `Number(/line (\d+)/.exec(document.querySelector(".entry").textContent)[1]) < 198000`)
	var order struct {
		Rows   int
		Broken string
	}
	b.eval(`(() => {
		const rows = [...document.querySelectorAll(".entry")].map((e) => Number(/line (\d+)/.exec(e.textContent)[1]));
		const broken = rows.findIndex((n, i) => i > 0 && n !== rows[i - 1] + 1);
		return {Rows: rows.length, Broken: broken < 0 ? "" : rows.slice(broken - 1, broken + 2).join()};
	})()`, &order)
	require.LessOrEqual(t, order.Rows, 1500)
	require.Empty(t, order.Broken, "no line is missing or twice")
	b.clean(s)
}

func TestRowsThatComeLateDoNotGetAmongThoseOfAnotherPlace(t *testing.T) {
	s, b, _ := logged(t, 1000, "light", numbered(0, 20000))
	b.until("its end is shown", lastLine("line 19999"))
	b.eval(`(() => {
		const real = window.fetch;
		window.fetch = async (path, init) => {
			if (!String(path).includes("before=")) return real(path, init);
			window.asked = true;
			await new Promise((go) => { window.answerNow = go; });
			try { return await real(path, init); } finally { setTimeout(() => { window.answered = true; }, 300); }
		};
		document.getElementById("log").scrollTop = 0;
	})()`, nil)
	b.until("earlier rows are asked for", `window.asked`)
	b.key("g")
	b.until("the beginning is shown", `document.querySelector(".entry").textContent.includes("line 0 of")`)
	b.eval(`window.answerNow()`, nil)
	b.until("the earlier rows have come", `window.answered`)
	require.Contains(t, b.text(`document.querySelector(".entry").textContent`), "line 0 of")
	b.clean(s)
}

func TestTheLevelFilterLeavesOutWhatIsBetter(t *testing.T) {
	s, b, path := logged(t, 420, "dark", numbered(0, 20000)+"WARNING:  old one\n"+numbered(0, 20000))
	b.eval(`(() => { const s = document.getElementById("level"); s.value = "warning"; s.dispatchEvent(new Event("change")); })()`, nil)
	b.until("one line is left", `document.querySelectorAll(".entry").length === 1 && document.querySelector(".entry").textContent === "WARNING:  old one"`)
	appendTo(t, path, numbered(0, 100)+"CRITICAL: new one\n")
	b.until("and what comes", lastLine("CRITICAL: new one")+` && document.querySelectorAll(".entry").length === 2`)
	b.shot("log-420-dark")
	axe(t, b)
	b.clean(s)
}

func TestAHostileLogIsText(t *testing.T) {
	hostile := "<script>document.title='hacked'</script>\n<img src=x onerror=\"document.title='hacked'\">\n\x1b]0;hacked\x07\x1b[2Jcleared\n" +
		"user\u202egpj.exe\nbad \xff\xfe bytes\nnull\x00byte\n</div></main><h1>hacked</h1>\n" + strings.Repeat("ten megabytes ", 10<<20/14) + "\nAuthorization: Bearer abcdefghijklmnop\nlast\n"
	s, b, _ := logged(t, 1000, "light", hostile)
	b.until("all of it is shown", lastLine("last"))
	require.Equal(t, "search-api – Vivarium", b.text("document.title"))
	require.Equal(t, "0", b.text(`document.querySelectorAll("#log script, #log img, #log h1").length`))
	for _, want := range []string{"<script>document.title='hacked'</script>", "cleared", "user‹U+202E›gpj.exe", "bad \ufffd\ufffd bytes", "null␀byte", "</div></main><h1>hacked</h1>", "… 10 MB more", "[masked]"} {
		b.shows(want)
	}
	require.NotContains(t, b.text("document.body.innerText"), "abcdefghijklmnop")
	b.shot("log-hostile")
	axe(t, b)
	b.clean(s)
}

func TestAFloodDoesNotFreezeThePage(t *testing.T) {
	s, b, path := logged(t, 1000, "light", numbered(0, 100))
	var end atomic.Bool
	written := make(chan int)
	go func() { // 50,000 lines a second
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			written <- -1
			return
		}
		defer f.Close()
		n := 0
		began := time.Now()
		for !end.Load() {
			for want := int(time.Since(began).Seconds() * 50_000); n < want; {
				step := min(want-n, 2000)
				if _, err := f.WriteString(numbered(n, n+step)); err != nil {
					written <- -1
					return
				}
				n += step
			}
			time.Sleep(5 * time.Millisecond)
		}
		written <- n
	}()
	b.until("what is left out is said", `document.body.innerText.includes("came too fast to be read")`)
	var frames struct{ Count, Longest float64 }
	b.eval(`new Promise((done) => {
		let last = performance.now(), count = 0, longest = 0;
		const begin = last;
		const frame = (now) => {
			longest = Math.max(longest, now - last); last = now; count++;
			if (now - begin > 4000) done({Count: count, Longest: longest}); else requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	})`, &frames)
	b.shot("log-flood")
	end.Store(true)
	n := <-written
	require.Positive(t, n)
	t.Logf("%d lines; %.0f frames in 4 s, the longest took %.0f ms", n, frames.Count, frames.Longest)
	require.Greater(t, frames.Count, 40.0, "the page goes on drawing")
	require.Less(t, frames.Longest, 1000.0)
	b.until("the last line is shown", lastLine(fmt.Sprintf("line %d of", n-1)))
	var rows int
	b.eval(`document.querySelectorAll(".row").length`, &rows)
	require.Less(t, rows, 1500)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, n+100, strings.Count(string(text), "\n"), "none is lost in the file")
	b.clean(s)
}

func TestALogCanBeTakenAlong(t *testing.T) {
	s, b, _ := logged(t, 1000, "light", numbered(5, 10), numbered(0, 5))
	b.until("it is shown", lastLine("line 9"))
	folder := t.TempDir()
	downloads(b, folder)
	b.click("#download")
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(filepath.Join(folder, "server.log"))
		return err == nil && string(text) == numbered(0, 10)
	}, patience, 20*time.Millisecond)
	b.clean(s)
}

func TestTheLogOfABackendThatIsNotRunningIsShown(t *testing.T) {
	s, b, _ := logged(t, 1000, "light", numbered(0, 5))
	s.house.change(s.house.dirs[0], func(b *page.Backend) { b.State, b.Word, b.PID, b.Can = "stopped", "Stopped", 0, []string{"start"} })
	b.until("it is shown", lastLine("line 4"))
	b.clean(s)
}

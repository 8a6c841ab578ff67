//go:build e2e

package dashboard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/dashboard"
	"github.com/vivarium-app/vivarium/app/page"
)

// stranger is somebody else's server on this computer. It keeps what it hears.
type stranger struct {
	mu    sync.Mutex
	heard []string // requests with all their headers
	page  string
}

func (s *stranger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, fmt.Sprint(r.Method, " ", r.URL, " ", r.Header))
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "*")
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprint(w, s.page)
}

func (s *stranger) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// attack is what a page of somebody else can try. It says what it got.
const attack = `<!doctype html><title>evil</title><script>
const target = %q, id = %q;
const outcome = {};
const tries = {
  "read the page": () => fetch(target + "/").then((r) => r.text()),
  "read the stream": () => fetch(target + "/api/stream").then((r) => r.text()),
  "read with a guess": () => fetch(target + "/api/stream", {headers: {Authorization: "Bearer guess"}}).then((r) => r.text()),
  "stop": () => fetch(target + "/api/b/" + id + "/do/stop", {method: "POST"}).then((r) => r.text()),
  "stop blindly": () => fetch(target + "/api/b/" + id + "/do/stop", {method: "POST", mode: "no-cors"}).then((r) => r.type === "opaque" ? Promise.reject("opaque") : r.text()),
  "stop by a form": () => new Promise((yes, no) => {
    const f = document.createElement("form"); f.method = "post"; f.target = "frame"; f.action = target + "/api/b/" + id + "/do/stop";
    const frame = document.createElement("iframe"); frame.name = "frame"; document.body.append(frame, f); f.submit(); setTimeout(() => no("sent"), 300);
  }),
  "listen": () => new Promise((yes, no) => { const e = new EventSource(target + "/api/stream"); e.onmessage = yes; e.onopen = yes; e.onerror = no; }),
  "a socket": () => new Promise((yes, no) => { const w = new WebSocket(target.replace("http", "ws") + "/api/stream"); w.onopen = yes; w.onerror = no; }),
  "our script": () => import(target + "/main.js"),
  "a frame": () => new Promise((yes, no) => {
    const f = document.createElement("iframe"); f.src = target + "/"; f.onload = () => { try { yes(f.contentWindow.document.title); } catch (e) { no(e); } }; document.body.append(f);
  }),
};
addEventListener("load", async () => {
  for (const [name, f] of Object.entries(tries)) {
    try { outcome[name] = "GOT " + await Promise.race([f(), new Promise((_, no) => setTimeout(() => no("nothing"), 2000))]); } catch (e) { outcome[name] = "refused"; }
  }
  window.outcome = outcome;
});
</script><body>evil</body>`

func TestAnotherPageGetsNothingAndDoesNothing(t *testing.T) {
	h, first, _ := twoBackends(t)
	s := serve(t, h)
	own, err := url.Parse(s.URL(""))
	require.NoError(t, err)
	for name, target := range map[string]string{
		"to our address":                    "http://" + own.Host,
		"by a name that somebody sent here": "http://evil.test:" + own.Port(),
		"by the name of this computer":      "http://localhost:" + own.Port(),
	} {
		t.Run(name, func(t *testing.T) {
			evil := &stranger{page: fmt.Sprintf(attack, target, dashboard.ID(first))}
			server := httptest.NewServer(evil)
			defer server.Close()
			b := newTab(t, 1000, "light")
			b.open(strings.Replace(server.URL, "127.0.0.1", "evil.test", 1))
			b.until("everything was tried", "window.outcome")
			var outcome map[string]string
			b.eval("window.outcome", &outcome)
			require.Len(t, outcome, 10)
			for what, got := range outcome {
				require.Equal(t, "refused", got, what)
			}
			require.Empty(t, h.done())
		})
	}
	t.Run("a page that has our origin by name only", func(t *testing.T) { // DNS rebinding: the page itself came from evil.test at our port
		b := newTab(t, 1000, "light")
		b.open("http://evil.test:" + own.Port() + "/")
		require.NotContains(t, b.text("document.documentElement.outerHTML"), "main.js")
	})
}

func TestNobodyElseEverSeesTheSecret(t *testing.T) {
	other := &stranger{page: "<title>other</title>other"}
	server := httptest.NewServer(other)
	defer server.Close()
	h, first, _ := twoBackends(t)
	h.change(first, func(b *page.Backend) { b.URL = server.URL })
	s := serve(t, h)
	own, err := url.Parse(s.URL(""))
	require.NoError(t, err)
	b := newTab(t, 1000, "light")
	b.open(s.URL(first))
	b.shows("search-api")
	b.open(server.URL + "/other")
	require.Equal(t, "null", b.text(`sessionStorage.getItem("vivarium")`), "another port is another origin")
	require.Empty(t, b.text("document.cookie"))
	require.Empty(t, b.text("document.referrer"))
	b.eval("history.back()", nil)
	b.shows("search-api")
	require.NotEmpty(t, other.all())
	require.NotContains(t, strings.Join(other.all(), "\n"), own.Fragment)
	b.eval("location.reload()", nil)
	b.shows("Healthy")
	require.NotContains(t, b.text("location.href"), own.Fragment)

	another := newTab(t, 1000, "light")
	another.open("http://" + own.Host + "/")
	another.shows("This page has no key to the dashboard")
	another.shot("no-key")
	axe(t, another)
}

func TestAnOldTabAfterTheEndTellsItsSecretToNobody(t *testing.T) {
	h, first, _ := twoBackends(t)
	s := serve(t, h)
	own, err := url.Parse(s.URL(""))
	require.NoError(t, err)
	b := newTab(t, 1000, "light")
	b.open(s.URL(first))
	b.shows("Healthy")
	s.end()
	b.shows("The dashboard does not answer")
	b.shot("ended")

	other := &stranger{page: "not what was asked for"}
	ln, err := net.Listen("tcp4", own.Host)
	require.NoError(t, err)
	impostor := &http.Server{Handler: other}
	go func() { _ = impostor.Serve(ln) }()
	b.shows("another program answers at its address")
	axe(t, b)
	require.NoError(t, impostor.Close())
	require.NotEmpty(t, other.all())
	for _, heard := range other.all() {
		require.Contains(t, heard, "/hello?nonce=")
		require.NotContains(t, heard, own.Fragment)
		require.NotContains(t, heard, "Authorization")
	}

	ln, err = net.Listen("tcp4", own.Host) // and a dashboard with another secret is none of ours either
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	next := dashboard.New(ln, h.sources())
	ended := make(chan error, 1)
	go func() { ended <- next.Serve(ctx, ln) }()
	defer func() {
		cancel()
		<-ended
	}()
	time.Sleep(100 * time.Millisecond)
	b.shows("another program answers at its address")
	b.open(next.URL(first))
	b.shows("Healthy")
	b.until("its own page is well", `document.getElementById("link").hidden`)
}

func TestAHolderThatWasKilledComesBack(t *testing.T) {
	h, first, _ := twoBackends(t)
	s := serve(t, h)
	b := newTab(t, 1000, "light")
	b.open(s.URL(first))
	b.shows("Healthy")
	h.change(first, func(b *page.Backend) {
		b.State, b.Word, b.Line, b.Note, b.PID, b.Can = "stopped", "Stopped", "Stopped", "no Vivarium program keeps it", 0, []string{"start"}
	})
	b.shows("no Vivarium program keeps it")
	b.shot("holder-killed")
	now := time.Now()
	h.mu.Lock()
	h.history[first] = page.History{Samples: samples(now)[150:], Marks: []page.Mark{
		{At: now.Add(-14 * time.Minute), Until: now.Add(-3 * time.Minute), What: "sleep"}, {At: now.Add(-2 * time.Minute), What: "stall", Text: "the event loop is blocked"},
	}}
	h.mu.Unlock()
	h.change(first, func(b *page.Backend) {
		b.State, b.Word, b.Line, b.Note, b.PID, b.Can = "healthy", "Healthy", "Healthy", "", 4712, []string{"stop", "restart"}
	})
	b.shows("Healthy")
	b.shows("the computer slept for 11 min")
	b.shot("holder-back-after-sleep")
	b.clean(s)
}

// asNobody runs a command as a user who is not ours, and gives what it said and whether it worked.
func asNobody(t *testing.T, command ...string) (string, bool) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func TestAnotherUserOfTheComputerGetsNothing(t *testing.T) {
	needs(t, os.Getuid() == 0, "only root can try it as another user")
	_, err := exec.LookPath("curl")
	needs(t, err == nil, "curl is not installed")
	r := newReal(t)
	require.NoError(t, os.Chmod(filepath.Dir(r.home), 0o755), "what is shown to hold is the state folder's own mode")
	require.NoError(t, os.Chmod(r.dir, 0o755))
	path, err := r.command("page", "--dashboard", r.dir).Output()
	require.NoError(t, err)
	file := strings.TrimSpace(string(path))
	printed, err := r.command("dashboard", "--print", r.dir).Output()
	require.NoError(t, err)
	own, err := url.Parse(strings.TrimSpace(string(printed)))
	require.NoError(t, err)
	pid := listener(t, own.String())
	defer func() { require.NoError(t, syscall.Kill(pid, syscall.SIGTERM)) }()
	about := "http://" + own.Host + "/api" + own.Path

	said, ok := asNobody(t, "curl", "-sS", "http://"+own.Host+"/")
	require.True(t, ok, "the empty page is for everybody: %s", said)
	require.NotContains(t, said, own.Fragment)
	require.NotContains(t, said, "search-api")
	for what, command := range map[string][]string{
		"the way to the page":         {"cat", file},
		"the state folder":            {"ls", r.home},
		"the socket":                  {"curl", "-sS", "--max-time", "5", "--unix-socket", filepath.Join(r.home, "dashboard.ctl"), "http://x/"},
		"the environment":             {"cat", fmt.Sprintf("/proc/%d/environ", pid)},
		"its descriptors":             {"ls", fmt.Sprintf("/proc/%d/fd", pid)},
		"its memory":                  {"head", "-c1", fmt.Sprintf("/proc/%d/mem", pid)},
		"the log without the secret":  {"curl", "-sS", "-f", about + "/log"},
		"the stream with a guess":     {"curl", "-sS", "-f", "-H", "Authorization: Bearer guess", "http://" + own.Host + "/api/stream"},
		"a stop as our page":          {"curl", "-sS", "-f", "-X", "POST", "-H", "Origin: http://" + own.Host, about + "/do/stop"},
		"a download without a ticket": {"curl", "-sS", "-f", "http://" + own.Host + "/download/guess"},
	} {
		said, ok := asNobody(t, command...)
		require.False(t, ok, "%s: %s", what, said)
		require.NotContains(t, said, own.Fragment, what)
	}
	said, ok = asNobody(t, "sh", "-c", "cat /proc/[0-9]*/cmdline")
	require.NotContains(t, said, own.Fragment, "no list of processes has the secret (%v)", ok)
}

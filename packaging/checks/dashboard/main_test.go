//go:build e2e || bench

// Package dashboard looks at the dashboard as a person does: in a real Chromium, with real log files. The backends are of a house that does
// what a test says; everything between it and the screen is what is shipped.
package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/dashboard"
)

// patience is how long anything may take on a busy machine.
const patience = 20 * time.Second

// chromium is one browser for all tests, started by the first.
var chromium = sync.OnceValues(func() (context.Context, error) {
	exe := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			exe = found
			break
		}
	}
	if exe == "" {
		return nil, fmt.Errorf("no Chromium is installed (Debian: chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(exe), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("proxy-server", "127.0.0.1:9"), chromedp.Flag("proxy-bypass-list", "127.0.0.1;localhost;evil.test"),
		chromedp.Flag("host-resolver-rules", "MAP evil.test 127.0.0.1"), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1000, 800))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	endings = append(endings, func() { _ = chromedp.Cancel(ctx); end() })
	return ctx, chromedp.Do(ctx)
})

var endings []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, end := range endings {
		end()
	}
	report()
	os.Exit(code)
}

// needs skips a test where something is missing, and fails it where everything can be had.
func needs(t testing.TB, have bool, what string) {
	t.Helper()
	if have {
		return
	}
	if os.Getenv("VIVARIUM_CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// served is a dashboard that is served for a test.
type served struct {
	*dashboard.Server
	house *house
	end   func() // and wait
}

func serve(t testing.TB, h *house) served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan *dashboard.Server, 1)
	ended := make(chan error, 1)
	state := t.TempDir()
	go func() {
		ended <- dashboard.Run(ctx, state, h.sources(), func(s *dashboard.Server) { ready <- s })
	}()
	end := sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(end)
	select {
	case s := <-ready:
		return served{s, h, end}
	case err := <-ended:
		require.NoError(t, err)
		panic("not reached")
	}
}

// tab is a tab of its own, with storage of its own, in which everything is watched.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	requests   []string
}

func newTab(t testing.TB, width int, scheme string) *tab {
	t.Helper()
	parent, err := chromium()
	needs(t, err == nil, fmt.Sprint(err))
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			b.shot("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
			t.Log(b.said())
		}
		cancel()
	})
	require.NoError(t, chromedp.Do(ctx))
	require.NoError(t, chromedp.Listen(ctx, b.hear))
	call(b, network.Enable, network.EnableParams{})
	call(b, cdplog.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	b.look(width, scheme)
	return b
}

func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text := string(e.Type)
		for _, a := range e.Args {
			text += " " + string(a.Value) + a.Description
		}
		b.complaints = append(b.complaints, text)
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		b.complaints = append(b.complaints, text)
	case *cdplog.EventEntryAdded:
		b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// call is one of the words of the DevTools protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	require.NoError(b.t, err)
	return r
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// look sets the window's width and the colours a person likes.
func (b *tab) look(width int, scheme string) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: int64(width), Height: 800, DeviceScaleFactor: 1})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

func (b *tab) open(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
}

// eval runs a script, waits for what it promises, and gives what it comes to, as JSON.
func (b *tab) eval(script string, into any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](script, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err, script)
	if into != nil {
		require.NoError(b.t, json.Unmarshal(text, into), script)
	}
}

func (b *tab) text(script string) string {
	b.t.Helper()
	var s string
	b.eval("String("+script+")", &s)
	return s
}

// until waits for a script to be true.
func (b *tab) until(what, script string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+script+")")) // an error: another page is being loaded
		cancel()
		if ok && err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within %v: %s\n%s", what, patience, script, b.text("document.body.innerText.slice(0, 600)"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// shows waits for a text on the page.
func (b *tab) shows(text string) {
	b.t.Helper()
	b.until("the page shows "+text, fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// click looks for the element again if it was replaced, as by a change of the view, after it was found.
func (b *tab) click(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		err := chromedp.Do(ctx, chromedp.Click(selector))
		if gone := (*cdproto.Error)(nil); errors.As(err, &gone) && gone.Code == -32000 {
			continue
		}
		require.NoError(b.t, err, selector)
		return
	}
}

func (b *tab) key(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

func (b *tab) said() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.complaints, "\n")
}

// clean asserts that the console is empty and that nothing but the dashboard was asked for anything.
func (b *tab) clean(s served) {
	b.t.Helper()
	b.cleanAt(s.URL(""))
}

func (b *tab) cleanAt(address string) {
	b.t.Helper()
	require.Empty(b.t, b.said())
	own, err := url.Parse(address)
	require.NoError(b.t, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	require.NotEmpty(b.t, b.requests)
	for _, r := range b.requests {
		asked, err := url.Parse(r)
		require.NoError(b.t, err)
		require.True(b.t, asked.Scheme == "data" || asked.Host == own.Host, r)
		require.NotContains(b.t, asked.RequestURI(), own.Fragment)
	}
}

// shot keeps a picture of the whole page, if somebody wants pictures.
func (b *tab) shot(name string) {
	dir := os.Getenv("VIVARIUM_PICTURES")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	beyond := true
	shot, err := chromedp.Call(ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
	if err != nil {
		b.t.Log(err)
		return
	}
	_ = os.MkdirAll(dir, 0o755)
	_ = os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o644)
}

// downloads go into a folder.
func downloads(b *tab, folder string) {
	b.t.Helper()
	call(b, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: "allow", DownloadPath: folder, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
}

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// browser is a headless Chromium, told what to do over a pipe in the words of the DevTools protocol
// (https://chromedevtools.github.io/devtools-protocol/).
type browser struct {
	t       *testing.T
	pipe    *os.File
	session string

	mu      sync.Mutex
	next    int
	answers map[int]chan answer
	events  []event // since the last visit
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

type event struct {
	Method string
	Params json.RawMessage
}

// newBrowser starts one with a profile of its own. Its proxy is a port on which nobody listens: what the browser itself might ask for
// reaches nobody.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	exe := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			exe = found
			break
		}
	}
	needs(t, exe != "", "no Chromium is installed (Debian: chromium)")
	profile, err := os.MkdirTemp("", "vivarium-browser-")
	require.NoError(t, err)
	theirs, ours, err := os.Pipe()
	require.NoError(t, err)
	back, said, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(exe, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-default-apps", "--hide-scrollbars", "--proxy-server=127.0.0.1:9",
		"--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, said} // 3 and 4 are where it looks
	require.NoError(t, cmd.Start())
	theirs.Close()
	said.Close()
	b := &browser{t: t, pipe: ours, answers: map[int]chan answer{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(back)
	}()
	t.Cleanup(func() {
		ours.Close() // it ends with its pipe
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
		back.Close()
		<-read
		_ = os.RemoveAll(profile)
	})
	b.attach()
	return b
}

func (b *browser) read(from *os.File) {
	lines := bufio.NewReader(from)
	for {
		text, err := lines.ReadBytes(0)
		if err != nil {
			return
		}
		var message struct {
			ID int
			answer
			event
		}
		if json.Unmarshal(bytes.TrimRight(text, "\x00"), &message) != nil {
			continue
		}
		b.mu.Lock()
		if c := b.answers[message.ID]; message.ID != 0 && c != nil {
			delete(b.answers, message.ID)
			c <- message.answer
		} else {
			b.events = append(b.events, message.event)
		}
		b.mu.Unlock()
	}
}

// do asks for one thing, and waits for the answer.
func (b *browser) do(method string, params map[string]any, into any) {
	b.t.Helper()
	c := make(chan answer, 1)
	b.mu.Lock()
	b.next++
	message := map[string]any{"id": b.next, "method": method, "params": params}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	b.answers[b.next] = c
	text, err := json.Marshal(message)
	require.NoError(b.t, err)
	_, err = b.pipe.Write(append(text, 0))
	b.mu.Unlock()
	require.NoError(b.t, err, method)
	select {
	case a := <-c:
		require.Nil(b.t, a.Error, "%s: %+v", method, a.Error)
		if into != nil {
			require.NoError(b.t, json.Unmarshal(a.Result, into))
		}
	case <-time.After(patience):
		b.t.Fatalf("the browser does not answer to %s", method)
	}
}

// attach opens a tab in which everything is watched.
func (b *browser) attach() {
	b.t.Helper()
	var target struct{ TargetID string }
	b.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Network", "Runtime", "Log"} {
		b.do(domain+".enable", nil, nil)
	}
	b.do("Page.setLifecycleEventsEnabled", map[string]any{"enabled": true}, nil)
}

// visit opens a file and waits until all of it is there.
func (b *browser) visit(path string) {
	b.t.Helper()
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	b.do("Page.navigate", map[string]any{"url": "file://" + filepath.ToSlash(path)}, nil)
	eventually(b.t, "the page is loaded, and asks for nothing more", func() bool {
		return strings.Contains(strings.Join(b.heard("Page.lifecycleEvent"), ""), `"networkIdle"`)
	})
}

// heard are the events of a kind since the last visit.
func (b *browser) heard(method string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, e := range b.events {
		if e.Method == method {
			all = append(all, string(e.Params))
		}
	}
	return all
}

// requests are the addresses that the page asked for, itself included.
func (b *browser) requests() []string {
	b.t.Helper()
	var all []string
	for _, text := range b.heard("Network.requestWillBeSent") {
		var p struct{ Request struct{ URL string } }
		require.NoError(b.t, json.Unmarshal([]byte(text), &p))
		all = append(all, p.Request.URL)
	}
	return all
}

// complaints are what a person would see in the browser's console.
func (b *browser) complaints() []string {
	var all []string
	for _, method := range []string{"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"} {
		all = append(all, b.heard(method)...)
	}
	return all
}

func (b *browser) eval(script string, into any) {
	b.t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.do("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &got)
	require.Empty(b.t, string(got.ExceptionDetails), script)
	if len(got.Result.Value) > 0 {
		require.NoError(b.t, json.Unmarshal(got.Result.Value, into), script)
	}
}

func (b *browser) text(script string) string {
	b.t.Helper()
	var s string
	b.eval(script, &s)
	return s
}

// look sets the window's width, the colours a person likes, and whether scripts run.
func (b *browser) look(width int, scheme string, scripts bool) {
	b.t.Helper()
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.do("Emulation.setScriptExecutionDisabled", map[string]any{"value": !scripts}, nil)
}

// picture photographs the whole page, and keeps it if somebody wants pictures.
func (b *browser) picture(name string) image.Image {
	b.t.Helper()
	var shot struct{ Data string }
	b.do("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	data := b.keep(name+".png", shot.Data)
	img, err := png.Decode(bytes.NewReader(data))
	require.NoError(b.t, err)
	return img
}

// paper prints the page.
func (b *browser) paper(name string) []byte {
	b.t.Helper()
	var printed struct{ Data string }
	b.do("Page.printToPDF", map[string]any{"printBackground": true, "preferCSSPageSize": true}, &printed)
	return b.keep(name+".pdf", printed.Data)
}

func (b *browser) keep(name, encoded string) []byte {
	b.t.Helper()
	data, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(b.t, err)
	if dir := os.Getenv("VIVARIUM_PICTURES"); dir != "" {
		require.NoError(b.t, os.MkdirAll(dir, 0o755))
		require.NoError(b.t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	return data
}

// brightness is the middle one of a picture's pixels, from 0 to 255.
func brightness(img image.Image) int {
	var count [256]int
	area := img.Bounds()
	for y := area.Min.Y; y < area.Max.Y; y += 2 {
		for x := area.Min.X; x < area.Max.X; x += 2 {
			r, g, b, _ := img.At(x, y).RGBA()
			count[(r+g+b)/3>>8]++
		}
	}
	seen, half := 0, area.Dx()*area.Dy()/8
	for value, n := range count {
		if seen += n; seen > half {
			return value
		}
	}
	return 255
}

// colours is how many different ones a picture has: an even ground has one.
func colours(img image.Image) int {
	found := map[string]bool{}
	area := img.Bounds()
	for y := area.Min.Y; y < area.Max.Y; y += 3 {
		for x := area.Min.X; x < area.Max.X; x += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			found[strings.Join(strings.Fields(fmt.Sprint(r>>11, g>>11, b>>11)), "-")] = true
		}
	}
	return len(found)
}

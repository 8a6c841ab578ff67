package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/page"
)

// house has backends in real folders, with real logs, that do what they are told.
type house struct {
	mu       sync.Mutex
	dirs     []string
	backends map[string]page.Backend
	watchers map[int]func(page.Backend)
	last     int
	did      []string
	fail     error
}

func newHouse(t testing.TB, names ...string) *house {
	h := &house{backends: map[string]page.Backend{}, watchers: map[int]func(page.Backend){}}
	for _, name := range names {
		dir := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		h.dirs = append(h.dirs, dir)
		h.backends[dir] = page.Backend{Name: name, State: "healthy", Word: "Healthy", Log: filepath.Join(dir, "server.log"), Can: []string{"stop"}}
	}
	return h
}

func (h *house) Folders(context.Context) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.dirs...), h.fail
}

func (h *house) Watch(ctx context.Context, dir string, changed func(page.Backend)) {
	h.mu.Lock()
	h.last++
	id := h.last
	h.watchers[id] = changed
	b := h.backends[dir]
	h.mu.Unlock()
	changed(b)
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, id)
}

func (h *house) watched() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}

func (h *house) History(context.Context, string) (page.History, error) { return page.History{}, nil }

func (h *house) Do(_ context.Context, dir string, what Action) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.did = append(h.did, string(what)+" "+filepath.Base(dir))
	return h.fail
}

func (h *house) Deaths(context.Context, string) ([]page.Death, error) {
	return []page.Death{{Trouble: page.Trouble{ID: "d1", Summary: "it died", Line: "Fatal Python error: Aborted"}, Report: true}}, nil
}

func (h *house) Report(_ context.Context, _, id string, out io.Writer) error {
	_, err := fmt.Fprintf(out, "<h1>report on %s</h1>", id)
	return err
}

func (h *house) Output(_ context.Context, _, id string) (string, []string, error) {
	if id != "d1" {
		return "", nil, errors.New("there is no such record")
	}
	return "Fatal Python error: Aborted", nil, nil
}

func (h *house) Examine(_ context.Context, dir string, progress func(float64)) (page.Doctor, error) {
	progress(0.5)
	return page.Doctor{Backend: filepath.Base(dir), At: time.Now()}, h.fail
}

func (h *house) Stacks(context.Context, string) (page.Doing, error) {
	return page.Doing{Summary: "it waits"}, h.fail
}

func (h *house) Environment(context.Context, string) (page.Environment, error) {
	return page.Environment{Names: []string{"PATH"}}, nil
}

func (h *house) Config(context.Context, string) (page.Config, error) {
	return page.Config{Missing: true}, nil
}

// client is a page, without a browser.
type client struct {
	t testing.TB
	*Server
	house  *house
	secret string
	header http.Header
	ended  chan struct{} // the server has
}

func serving(t testing.TB, h *house) *client {
	t.Helper()
	ln, err := Listen()
	require.NoError(t, err)
	s := New(ln, Sources{Backends: h, Actor: h, Records: h, Insight: h, Mask: page.MaskLine, Words: page.Words{
		Duration: func(d time.Duration) string { return d.String() }, Size: func(b uint64) string { return fmt.Sprint(b, " bytes") },
	}})
	ctx, cancel := context.WithCancel(context.Background())
	c := &client{t: t, Server: s, house: h, secret: s.secret, header: http.Header{}, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		_ = s.Serve(ctx, ln)
	}()
	t.Cleanup(func() {
		cancel()
		<-c.ended
	})
	c.header.Set("Authorization", "Bearer "+c.secret)
	c.header.Set("Origin", "http://"+s.host)
	return c
}

// ask sends a request, changed by how.
func (c *client) ask(method, path string, how func(*http.Request)) *http.Response {
	c.t.Helper()
	r, err := http.NewRequest(method, "http://"+c.host+path, nil)
	require.NoError(c.t, err)
	r.Header = c.header.Clone()
	if how != nil {
		how(r)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func (c *client) text(method, path string) string {
	c.t.Helper()
	answer := c.ask(method, path, nil)
	text, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	require.Less(c.t, answer.StatusCode, 300, "%s: %s", path, text)
	return string(text)
}

func (c *client) json(path string, into any) {
	c.t.Helper()
	require.NoError(c.t, json.Unmarshal([]byte(c.text("GET", path)), into), path)
}

// about is the beginning of the paths of one backend.
func (c *client) about(i int) string { return "/api/b/" + ID(c.house.dirs[i]) }

// told reads an event stream until it has an event of that name for which enough says yes.
func told(t testing.TB, from io.Reader, name string, enough func(data string) bool) {
	t.Helper()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 8<<20)
	event := ""
	for lines.Scan() {
		if e, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = e
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && event == name && enough(data) {
			return
		}
	}
	t.Fatalf("the stream ended without the event %s: %v", name, lines.Err())
}

func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}

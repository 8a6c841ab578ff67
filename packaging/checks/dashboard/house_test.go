//go:build e2e || bench

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/dashboard"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
)

// house is a set of backends that do what a test says, with real log files. It stands for the programs that keep backends.
type house struct {
	mu       sync.Mutex
	home     string // in which the backends lie; a page shows it as "~"
	dirs     []string
	backends map[string]page.Backend
	watchers map[int]watcher
	last     int
	history  map[string]page.History
	deaths   map[string][]page.Death
	tails    map[string][]string // of a death
	config   map[string]page.Config
	did      []string // "start /b/search-api"
	refuse   error
}

type watcher struct {
	dir     string
	changed func(page.Backend)
}

func newHouse() *house {
	return &house{
		backends: map[string]page.Backend{}, watchers: map[int]watcher{}, history: map[string]page.History{}, deaths: map[string][]page.Death{},
		tails: map[string][]string{}, config: map[string]page.Config{},
	}
}

// add is a new backend, in a folder of its own.
func (h *house) add(t testing.TB, name string) string {
	t.Helper()
	h.mu.Lock()
	if h.home == "" {
		h.home = t.TempDir()
	}
	dir := filepath.Join(h.home, name)
	h.mu.Unlock()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "logs"), 0o755))
	h.mu.Lock()
	h.dirs = append(h.dirs, dir)
	h.mu.Unlock()
	h.change(dir, func(b *page.Backend) {
		*b = page.Backend{
			Name: name, Dir: dir, State: "healthy", Word: "Healthy", Line: "Healthy · 12 ms", URL: "http://127.0.0.1:8000", Log: filepath.Join(dir, "logs", "server.log"),
			PID: 4711, Started: time.Now().Add(-3 * time.Hour), Latency: 12 * time.Millisecond, Memory: 1_200_000_000, CPU: 0.04,
			Can: []string{"stop", "restart", "open", "reveal", "stacks"},
		}
	})
	return dir
}

// change is what a holder would tell.
func (h *house) change(dir string, f func(*page.Backend)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.backends[dir]
	f(&b)
	h.backends[dir] = b
	for _, w := range h.watchers {
		if w.dir == dir {
			w.changed(b)
		}
	}
}

func (h *house) Folders(context.Context) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.dirs), nil
}

func (h *house) Watch(ctx context.Context, dir string, changed func(page.Backend)) {
	h.mu.Lock()
	h.last++
	id := h.last
	h.watchers[id] = watcher{dir, changed}
	changed(h.backends[dir])
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, id)
}

func (h *house) History(_ context.Context, dir string) (page.History, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.history[dir], nil
}

func (h *house) Do(_ context.Context, dir string, what dashboard.Action) error {
	h.mu.Lock()
	h.did = append(h.did, fmt.Sprintf("%s %s", what, filepath.Base(dir)))
	refuse := h.refuse
	h.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	switch what {
	case dashboard.Stop:
		h.change(dir, func(b *page.Backend) {
			b.State, b.Word, b.Line, b.PID, b.Can = "stopped", "Stopped", "Stopped", 0, []string{"start", "reveal"}
		})
	case dashboard.Start, dashboard.Restart:
		h.change(dir, func(b *page.Backend) {
			b.State, b.Word, b.Line, b.PID, b.Trouble = "healthy", "Healthy", "Healthy · 12 ms", 4712, nil
			b.Started, b.Can = time.Now(), []string{"stop", "restart", "open", "reveal", "stacks"}
		})
	}
	return nil
}

func (h *house) done() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.did)
}

func (h *house) Deaths(_ context.Context, dir string) ([]page.Death, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.deaths[dir]), nil
}

func (h *house) Report(_ context.Context, dir, id string, out io.Writer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.deaths[dir] {
		if d.ID == id {
			return words.Report(out, recordOf(dir, d, h.tails[id]))
		}
	}
	return errors.New("there is no such record")
}

func (h *house) Output(_ context.Context, dir, id string) (string, []string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.deaths[dir] {
		if d.ID == id {
			return d.Line, h.tails[id], nil
		}
	}
	return "", nil, errors.New("there is no such record")
}

func (h *house) Examine(ctx context.Context, dir string, progress func(float64)) (page.Doctor, error) {
	for i := range 5 {
		progress(float64(i) / 5)
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return page.Doctor{}, ctx.Err()
		}
	}
	return page.Doctor{
		Backend: filepath.Base(dir), Dir: dir, At: time.Now(), Version: "1.0.0",
		Checks: []page.DoctorCheck{
			{Code: "VIV001", Name: "configuration", State: "pass", Text: "it can be read"},
			{Code: "VIV012", Name: "port", State: "fail", Text: "port 8000 is taken by node (PID 12)", Remedy: "End it, or set `port = 8001` in vivarium.toml."},
		},
	}, nil
}

func (h *house) Stacks(_ context.Context, dir string) (page.Doing, error) {
	return page.Doing{
		Summary: "the event loop is blocked by requests.get in main.py:18", Remedy: "Make it `def`, or `await anyio.to_thread.run_sync(work)`.", Dir: dir,
		Lines: []string{
			"Current thread 0x00000001f0d2a240 (most recent call first):", `  File "` + dir + `/.venv/lib/python3.12/site-packages/requests/api.py", line 73 in get`,
			`  File "` + dir + `/main.py", line 18 in search`, `  File "/usr/lib/python3.12/asyncio/base_events.py", line 1984 in _run_once`,
		},
	}, nil
}

func (h *house) Environment(_ context.Context, _ string) (page.Environment, error) {
	e := page.Environment{Names: []string{"HF_TOKEN", "HOME", "KMP_DUPLICATE_LIB_OK", "PATH"}, Missing: []string{"KMP_DUPLICATE_LIB_OK"}}
	for _, v := range environment.Table() {
		e.Vars = append(e.Vars, environment.Var{Name: v.Name, Value: v.Value, From: "vivarium", Why: v.Why})
	}
	return e, nil
}

func (h *house) Config(_ context.Context, dir string) (page.Config, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.config[dir]
	if !ok {
		c = page.Config{File: filepath.Join(dir, "vivarium.toml"), Missing: true}
	}
	return c, nil
}

func (h *house) sources() dashboard.Sources {
	w := words
	w.Home = h.home
	return dashboard.Sources{Backends: h, Actor: h, Records: h, Insight: h, Words: w, Mask: page.MaskLine}
}

// samples are those of a run that has lasted for fifteen minutes.
func samples(until time.Time) []page.Sample {
	var all []page.Sample
	for i := range 180 {
		f := float64(i) / 180
		all = append(all, page.Sample{
			At: until.Add(time.Duration(i-180) * 5 * time.Second), CPU: 0.4 + 0.3*math.Sin(float64(i)/9) + f*f, Memory: uint64(6e8 + 7e8*f),
			Latency: time.Duration(10+8*math.Sin(float64(i)/4)+60*math.Pow(f, 8)) * time.Millisecond, OK: true,
		})
	}
	return all
}

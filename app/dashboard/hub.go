package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/page"
)

const (
	listEvery    = 2 * time.Second // how often the list of backends is read while a page is open
	historyEvery = 5 * time.Second // samples are no closer than that
	askTime      = 10 * time.Second
)

// ID stands for a backend's folder in addresses.
func ID(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:6])
}

// hub watches the backends while pages are open, and none else.
type hub struct {
	from Backends

	mu      sync.Mutex
	pages   map[chan struct{}]struct{} // woken when something changed
	wake    chan struct{}              // the first page came
	order   []string                   // folders
	known   map[string]*watched
	problem string // why the list cannot be read
}

// watched is what is known of one backend.
type watched struct {
	cancel  context.CancelFunc
	now     page.Backend
	heard   bool
	history page.History
}

func newHub(from Backends) *hub {
	return &hub{from: from, pages: map[chan struct{}]struct{}{}, wake: make(chan struct{}, 1), known: map[string]*watched{}}
}

// join is a page that is told of changes, until it leaves.
func (h *hub) join() (changed <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	h.pages[c] = struct{}{}
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.pages, c)
	}
}

// tell wakes the pages. The caller holds h.mu.
func (h *hub) tell() {
	for c := range h.pages {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// run watches until ctx ends.
func (h *hub) run(ctx context.Context) {
	defer h.forget()
	for {
		h.mu.Lock()
		open := len(h.pages)
		h.mu.Unlock()
		if open == 0 {
			h.forget()
			select {
			case <-h.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		h.list(ctx)
		select {
		case <-time.After(listEvery):
		case <-h.wake:
		case <-ctx.Done():
			return
		}
	}
}

// forget ends all watching. What was known of the backends goes with it.
func (h *hub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.known {
		w.cancel()
	}
	h.order, h.known = nil, map[string]*watched{}
}

// list reads which backends there are, and begins to watch those that are new.
func (h *hub) list(ctx context.Context) {
	ask, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	dirs, err := h.from.Folders(ask)
	h.mu.Lock()
	defer h.mu.Unlock()
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != h.problem {
		h.problem = problem
		h.tell()
	}
	if err != nil || h.order != nil && slices.Equal(dirs, h.order) {
		return
	}
	for dir, w := range h.known {
		if !slices.Contains(dirs, dir) {
			w.cancel()
			delete(h.known, dir)
		}
	}
	for _, dir := range dirs {
		if h.known[dir] == nil {
			watching, cancel := context.WithCancel(ctx)
			w := &watched{cancel: cancel, now: page.Backend{ID: ID(dir), Dir: dir, State: "stopped"}}
			h.known[dir] = w
			go h.from.Watch(watching, dir, func(b page.Backend) { h.heard(w, dir, b) })
			go h.remember(watching, w, dir)
		}
	}
	h.order = append([]string{}, dirs...) // not nil: it was read
	h.tell()
}

func (h *hub) heard(w *watched, dir string, b page.Backend) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.ID, b.Dir = ID(dir), dir
	w.now, w.heard = b, true
	h.tell()
}

// remember asks for the history now and then.
func (h *hub) remember(ctx context.Context, w *watched, dir string) {
	tick := time.NewTicker(historyEvery)
	defer tick.Stop()
	for {
		ask, cancel := context.WithTimeout(ctx, askTime)
		history, err := h.from.History(ask, dir)
		cancel()
		if err == nil { // else it is drawn as it was: its end moves to the left
			h.mu.Lock()
			w.history = history
			h.tell()
			h.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// all are the backends as they are now, in order.
func (h *hub) all() (backends []page.Backend, histories []page.History, problem string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, dir := range h.order {
		if w := h.known[dir]; w != nil {
			backends, histories = append(backends, w.now), append(histories, w.history)
		}
	}
	return backends, histories, h.problem
}

// listed: the list of backends was read.
func (h *hub) listed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.order != nil
}

// find is the backend of that ID, as far as it is known already.
func (h *hub) find(ctx context.Context, id string) (page.Backend, bool) {
	h.mu.Lock()
	for dir, w := range h.known {
		if ID(dir) == id && w.heard {
			defer h.mu.Unlock()
			return w.now, true
		}
	}
	h.mu.Unlock()
	return h.ask(ctx, id)
}

// ask looks once: no page watches yet, or nothing was heard.
func (h *hub) ask(ctx context.Context, id string) (page.Backend, bool) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	dirs, err := h.from.Folders(ctx)
	if err != nil {
		return page.Backend{}, false
	}
	for _, dir := range dirs {
		if ID(dir) != id {
			continue
		}
		first := make(chan page.Backend, 1)
		go h.from.Watch(ctx, dir, func(b page.Backend) {
			select {
			case first <- b:
			default:
			}
		})
		select {
		case b := <-first:
			b.ID, b.Dir = id, dir
			return b, true
		case <-ctx.Done():
		}
	}
	return page.Backend{}, false
}

package power

import (
	"io"
	"sync"
)

// Hold keeps the computer from idle sleep while that is wanted. Asking the system may block, so that it happens on a goroutine that lives as
// long as there is something to ask.
type Hold struct {
	take func(why string) (io.Closer, error)
	why  string
	told func(held bool, problem error)

	mu     sync.Mutex
	wanted bool
	held   io.Closer
	busy   bool // a goroutine brings what is held in line with what is wanted
	over   bool
}

// NewHold prepares one. why is what the system shows to a person; told hears of each change, and may be called from any goroutine.
func NewHold(take func(why string) (io.Closer, error), why string, told func(held bool, problem error)) *Hold {
	return &Hold{take: take, why: why, told: told}
}

// Set says what is wanted, and never blocks. What could not be had is not asked for again before it was unwanted.
func (h *Hold) Set(wanted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over || h.wanted == wanted {
		return
	}
	h.wanted = wanted
	if !h.busy {
		h.busy = true
		go h.follow()
	}
}

// follow ends once what is held is what is wanted, or cannot be had.
func (h *Hold) follow() {
	for refused := false; ; {
		h.mu.Lock()
		wanted, held := h.wanted && !h.over, h.held
		if wanted == (held != nil) || wanted && refused {
			h.busy = false
			h.mu.Unlock()
			return
		}
		if !wanted {
			h.held = nil
		}
		h.mu.Unlock()
		if !wanted {
			_ = held.Close()
			refused = false
			h.told(false, nil)
			continue
		}
		got, err := h.take(h.why)
		refused = err != nil
		h.mu.Lock()
		if err == nil {
			h.held = got
		}
		h.mu.Unlock()
		h.told(err == nil, err)
	}
}

// Close releases what is held, at once and for ever. What is being asked for just now is released as soon as it comes.
func (h *Hold) Close() {
	h.mu.Lock()
	h.over = true
	held := h.held
	if h.busy { // follow sees to it
		held = nil
	} else {
		h.held = nil
	}
	h.mu.Unlock()
	if held != nil {
		_ = held.Close()
	}
}

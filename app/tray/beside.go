package tray

import "sync"

// beside is what a Mac tells of the app beside its menu. Elsewhere nothing comes of it.
type beside struct {
	reopened chan struct{} // capacity 1
	hidden   chan bool     // capacity 1, the newest wins

	mu     sync.Mutex
	sights chan bool // nil once the tray is closed
}

func newBeside() *beside {
	return &beside{reopened: make(chan struct{}, 1), hidden: make(chan bool, 1), sights: make(chan bool, 16)}
}

// Reopened receives when a person opens the app that runs already. On a Mac that starts no second one: Finder tells the first.
func (b *beside) Reopened() <-chan struct{} { return b.reopened }

// Hidden receives true if the icon cannot be seen, and false if it can after all.
func (b *beside) Hidden() <-chan bool { return b.hidden }

func (b *beside) reopen() {
	select {
	case b.reopened <- struct{}{}:
	default:
	}
}

// see takes what macOS says of the icon; its thread must not wait.
func (b *beside) see(visible bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sights == nil {
		return
	}
	select {
	case b.sights <- visible:
	default:
	}
}

func (b *beside) closeSight() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sights != nil {
		close(b.sights)
		b.sights = nil
	}
}

// tellHidden keeps the newest.
func (b *beside) tellHidden(hidden bool) {
	for {
		select {
		case b.hidden <- hidden:
			return
		default:
		}
		select {
		case <-b.hidden:
		default:
		}
	}
}

// watchSight runs until closeSight.
func (b *beside) watchSight() {
	b.mu.Lock()
	sights := b.sights
	b.mu.Unlock()
	if sights != nil {
		watch(sights, b.tellHidden)
	}
}

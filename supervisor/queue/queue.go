// Package queue has the two queues around a loop: a Box takes messages from anybody and never blocks, a Line does things in order, one after
// the other. It knows nothing of what is in them. Begin with Box.
package queue

import (
	"context"
	"sync"
)

// Box never blocks a sender: intents come from a UI loop, and results from goroutines that must not pile up.
type Box[T any] struct {
	ready    chan struct{}
	mu       sync.Mutex
	messages []T
}

// NewBox makes an empty one.
func NewBox[T any]() *Box[T] { return &Box[T]{ready: make(chan struct{}, 1)} }

// Post adds messages that are taken together, in this order.
func (b *Box[T]) Post(all ...T) {
	b.mu.Lock()
	b.messages = append(b.messages, all...)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// Ready has a value when there is something to take.
func (b *Box[T]) Ready() <-chan struct{} { return b.ready }

// Take gives what was posted since the last time.
func (b *Box[T]) Take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.messages
	b.messages = nil
	return all
}

// Line does one thing after the other.
type Line struct{ todo chan func() }

// NewLine makes one in which so many may wait.
func NewLine(most int) *Line { return &Line{make(chan func(), most)} }

// Add has f done after those before it. It is false if too many wait, and then f is not done.
func (l *Line) Add(f func()) bool {
	select {
	case l.todo <- f:
		return true
	default:
		return false
	}
}

// Run does them until ctx ends, and then those that still wait.
func (l *Line) Run(ctx context.Context) {
	for {
		select {
		case f := <-l.todo:
			f()
			continue
		default:
		}
		select {
		case f := <-l.todo:
			f()
		case <-ctx.Done():
			if len(l.todo) == 0 {
				return
			}
		}
	}
}

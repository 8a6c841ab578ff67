package recorder

import (
	"context"
	"sync"
)

// Turns keeps apart what is asked of several processes at the same time: the raw dump of a forked one goes into its parent's file, and says of
// nobody that it is his. The zero value is ready; a nil one keeps nobody apart.
type Turns struct {
	mu    sync.Mutex
	files map[string]chan struct{}
}

// take waits until nobody else has to do with the file. It gives what ends the turn.
func (t *Turns) take(ctx context.Context, path string) (done func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	t.mu.Lock()
	if t.files == nil {
		t.files = map[string]chan struct{}{}
	}
	turn := t.files[path]
	if turn == nil {
		turn = make(chan struct{}, 1)
		t.files[path] = turn
	}
	t.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

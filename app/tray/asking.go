package tray

import (
	"context"
	"fmt"
	"sync"

	"github.com/vivarium-app/vivarium/app/words"
)

// nativeDialogs is macOS's side of asking. No method blocks; what comes of it comes as an answer of that number.
type nativeDialogs interface {
	folder(call uint64, title, start string)
	alert(call uint64, title, text, yes, cancel string)
	close(call uint64)
}

// asking shows AppKit's dialogs, one after the other: a second one would wait behind the first, where nobody sees it.
type asking struct {
	native nativeDialogs
	turn   chan struct{} // who holds it may show one

	mu     sync.Mutex
	next   uint64
	answer map[uint64]chan dialogAnswer
}

type dialogAnswer struct {
	yes     bool
	path    string
	problem string
}

func newAsking(n nativeDialogs) *asking {
	return &asking{native: n, turn: make(chan struct{}, 1), answer: map[uint64]chan dialogAnswer{}}
}

// Folder lets a person choose a folder; "" if they thought better of it.
func (a *asking) Folder(ctx context.Context, title, start string) (string, error) {
	got, err := a.show(ctx, func(call uint64) { a.native.folder(call, plain(title), start) })
	return got.path, err
}

// Ask is a question with a Yes of that word.
func (a *asking) Ask(ctx context.Context, title, text, yes string) (bool, error) {
	got, err := a.show(ctx, func(call uint64) { a.native.alert(call, plain(title), plainLines(text), plain(yes), "Cancel") })
	return got.yes, err
}

// Tell shows a text until it is read.
func (a *asking) Tell(ctx context.Context, title, text string) error {
	_, err := a.show(ctx, func(call uint64) { a.native.alert(call, plain(title), plainLines(text), "OK", "") })
	return err
}

func (a *asking) show(ctx context.Context, do func(call uint64)) (dialogAnswer, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return dialogAnswer{}, ctx.Err()
	}
	answer := make(chan dialogAnswer, 1)
	a.mu.Lock()
	a.next++
	call := a.next
	a.answer[call] = answer
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.answer, call)
		a.mu.Unlock()
	}()
	do(call)
	select {
	case got := <-answer:
		if got.problem != "" {
			return dialogAnswer{}, fmt.Errorf("macOS shows no dialog (%s)", words.Short(got.problem, 200))
		}
		return got, nil
	case <-ctx.Done():
		a.native.close(call)
		return dialogAnswer{}, ctx.Err()
	}
}

// answered comes on the main thread, which must not wait. An answer that nobody waits for any more is dropped.
func (a *asking) answered(call uint64, got dialogAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer := a.answer[call]; answer != nil {
		delete(a.answer, call)
		answer <- got
	}
}

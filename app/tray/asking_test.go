package tray

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// appKitOf is macOS's side: it shows one dialog at a time, in which a person answers after a while, or never.
type appKitOf struct {
	a      *asking
	answer dialogAnswer
	after  time.Duration // 0: never

	shown, most int
	seen        []string
}

func newAppKit(answer dialogAnswer, after time.Duration) *appKitOf {
	k := &appKitOf{answer: answer, after: after}
	k.a = newAsking(k)
	return k
}

func (k *appKitOf) show(call uint64, what string) {
	k.seen = append(k.seen, what)
	k.shown++
	k.most = max(k.most, k.shown)
	if k.after > 0 {
		time.AfterFunc(k.after, func() {
			k.shown--
			k.a.answered(call, k.answer)
		})
	}
}

func (k *appKitOf) folder(call uint64, title, start string) { k.show(call, title+"|"+start) }

func (k *appKitOf) alert(call uint64, title, text, yes, cancel string) {
	k.show(call, fmt.Sprintf("%s|%s|%s|%s", title, text, yes, cancel))
}

func (k *appKitOf) close(call uint64) {
	k.seen = append(k.seen, "closed")
	k.shown--
	k.a.answered(call, dialogAnswer{})
}

func TestAnAnswerOfADialogIsThePersons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAppKit(dialogAnswer{yes: true, path: "/Users/ada/a b"}, time.Hour)
		dir, err := k.a.Folder(t.Context(), "Choose\x00 it", "/Users/ada")
		require.NoError(t, err)
		require.Equal(t, "/Users/ada/a b", dir)
		yes, err := k.a.Ask(t.Context(), "Remove?", "Two\nlines\x00", "Remove")
		require.NoError(t, err)
		require.True(t, yes)
		require.NoError(t, k.a.Tell(t.Context(), "Done", "It is."))
		require.Equal(t, []string{"Choose  it|/Users/ada", "Remove?|Two\nlines |Remove|Cancel", "Done|It is.|OK|"}, k.seen)

		k.answer = dialogAnswer{}
		dir, err = k.a.Folder(t.Context(), "Choose", "")
		require.NoError(t, err)
		require.Empty(t, dir, "thought better of it")
		yes, err = k.a.Ask(t.Context(), "?", "", "Yes")
		require.NoError(t, err)
		require.False(t, yes)
		require.Empty(t, k.a.answer)
	})
}

func TestOneDialogIsShownAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAppKit(dialogAnswer{yes: true}, time.Minute)
		began := time.Now()
		for range 5 {
			go k.a.Tell(t.Context(), "a", "b")
		}
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Len(t, k.seen, 5)
		require.Equal(t, 1, k.most)
		require.GreaterOrEqual(t, time.Since(began), 5*time.Minute)
	})
}

func TestADialogThatNobodyWaitsForAnyMoreIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAppKit(dialogAnswer{}, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		second := make(chan error, 1)
		go func() {
			synctest.Wait()
			second <- k.a.Tell(ctx, "second", "")
		}()
		_, err := k.a.Folder(ctx, "first", "")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, <-second, context.DeadlineExceeded)
		require.Equal(t, []string{"first|", "closed"}, k.seen, "the second was never shown")
		k.a.answered(1, dialogAnswer{yes: true}) // late
		k.a.answered(99, dialogAnswer{})         // never asked
	})
}

func TestAnExceptionOfAppKitIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAppKit(dialogAnswer{problem: "NSInternalInconsistencyException: no window server"}, time.Second)
		_, err := k.a.Ask(t.Context(), "?", "", "Yes")
		require.EqualError(t, err, "macOS shows no dialog (NSInternalInconsistencyException: no window server)")
	})
}

package tray

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
)

// mac is macOS's side: it writes down what it is asked, and answers on a thread of its own, after a while, or never.
type mac struct {
	c      *center
	says   string
	silent bool

	mu   sync.Mutex
	seen []string
}

func newMac() *mac {
	m := &mac{}
	m.c = newCenter(m)
	m.c.prefix = "launch"
	return m
}

func (m *mac) answer(call uint64, what string) {
	m.mu.Lock()
	m.seen = append(m.seen, what)
	m.mu.Unlock()
	if m.silent {
		return
	}
	go func() {
		time.Sleep(time.Millisecond)
		m.c.answered(call, m.says)
	}()
}

func (m *mac) ask(call uint64) { m.answer(call, "ask") }

func (m *mac) show(call uint64, id, title, body, backend string, buttons bool) {
	m.answer(call, fmt.Sprintf("%s|%s|%s|%s|%v", id, title, body, backend, buttons))
}

func TestANoticeGoesToMacOSWithItsBackendAndItsButtons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMac()
		require.NoError(t, m.c.Ask(t.Context()))
		require.NoError(t, m.c.Show(app.Notice{Title: "chat: killed", Body: "Why\x00not", Backend: "/b/chat", Class: app.ClassCrash}))
		require.NoError(t, m.c.Show(app.Notice{Title: "a test"}))
		require.Equal(t, []string{"ask", "launch-2|chat: killed|Why not|/b/chat|true", "launch-3|a test|||false"}, m.seen)
		require.Empty(t, m.c.calls)
		require.Contains(t, m.c.Way().By, "under the name Vivarium")
	})
}

func TestWhatMacOSAnswersIsSaidInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for says, want := range map[string]error{"": nil, "undecided": errUndecided, "denied": errDenied} {
			m := newMac()
			m.says = says
			require.ErrorIs(t, m.c.Show(app.Notice{Title: "x"}), want)
		}
		m := newMac()
		m.says = "Error Domain=UNErrorDomain Code=1 \"(null)\"\n"
		require.EqualError(t, m.c.Ask(t.Context()), `macOS took no notification from Vivarium (Error Domain=UNErrorDomain Code=1 "(null)")`)
	})
}

func TestASilentMacOSHoldsUpNoNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMac()
		m.silent = true
		began := time.Now()
		require.ErrorIs(t, m.c.Show(app.Notice{Title: "x"}), errSilent)
		require.Equal(t, showTime, time.Since(began))
		m.c.answered(1, "")  // late
		m.c.answered(99, "") // never asked
		require.Empty(t, m.c.calls)
	})
}

func TestAPersonMayTakeTheirTimeToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMac()
		m.silent = true
		time.AfterFunc(time.Hour, func() { m.c.answered(1, "denied") })
		require.ErrorIs(t, m.c.Ask(t.Context()), errDenied)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.True(t, errors.Is(m.c.Ask(ctx), errSilent), "the app ends first")
	})
}

func TestAButtonIsAClickAndMacOSNeverWaitsForIt(t *testing.T) {
	c := newCenter(newMac())
	c.clicked("/b/a", "restart")
	c.clicked("/b/b", "log")
	c.clicked("/b/c", "com.apple.UNNotificationDefaultActionIdentifier")
	require.Equal(t, app.Click{Backend: "/b/a", Item: app.ItemRestart}, <-c.Clicks())
	require.Equal(t, app.Click{Backend: "/b/b", Item: app.ItemOpenLog}, <-c.Clicks())
	require.Equal(t, app.Click{Backend: "/b/c", Item: app.ItemLast}, <-c.Clicks(), "the notice itself was clicked")
	for range 100 {
		c.clicked("/b/a", "restart")
	}
	require.Len(t, c.clicks, cap(c.clicks))
}

func TestOnlyAnAppsMainProgramHasANotificationCenter(t *testing.T) {
	for exe, want := range map[string]bool{
		"/Applications/Vivarium.app/Contents/MacOS/Vivarium":   true,
		"/Applications/Vivarium.app/Contents/Helpers/vivarium": false,
		"/Users/alice/vivarium/bin/vivarium-menubar":           false,
		"/Users/alice/MacOS/Vivarium":                          false,
		"/":                                                    false,
	} {
		require.Equal(t, want, bundled(exe), exe)
	}
	require.False(t, inBundle(), "a test is no app")
}

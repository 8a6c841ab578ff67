package tray

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/notice"
)

// mac is macOS's side: it writes down what it is asked, and answers on a thread of its own, after a while, or never.
type mac struct {
	c      *center
	says   string
	silent bool
	adHoc  bool

	mu   sync.Mutex
	seen []string
}

func newMac() *mac {
	m := &mac{}
	m.c = newCenter(m, func() bool { return m.adHoc })
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

func (m *mac) state(call uint64) { m.answer(call, "state") }

func (m *mac) show(call uint64, id, title, body, backend string, buttons bool) {
	m.answer(call, fmt.Sprintf("%s|%s|%s|%s|%v", id, title, body, backend, buttons))
}

func TestANoticeGoesToMacOSWithItsBackendAndItsButtons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMac()
		require.NoError(t, m.c.Ask(t.Context()))
		require.NoError(t, m.c.Show(notice.Notice{Title: "chat: killed", Body: "Why\x00not", Backend: "/b/chat", Class: notice.ClassCrash}))
		require.NoError(t, m.c.Show(notice.Notice{Title: "a test"}))
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
			require.ErrorIs(t, m.c.Show(notice.Notice{Title: "x"}), want)
		}
		m := newMac()
		m.says = "Error Domain=NSCocoaErrorDomain Code=4097 \"x\"\n"
		require.EqualError(t, m.c.Show(notice.Notice{Title: "x"}), `macOS took no notification from Vivarium (Error Domain=NSCocoaErrorDomain Code=4097 "x")`)
	})
}

func TestThatMacOSRefusedToAskIsRememberedAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMac()
		m.says, m.adHoc = "Error Domain=UNErrorDomain Code=1 \"(null)\"\n", true
		const said = `macOS did not ask whether Vivarium may show notifications (Error Domain=UNErrorDomain Code=1 "(null)")`
		require.EqualError(t, m.c.Ask(t.Context()), said+unsignedWhy)
		m.says = "denied"
		require.EqualError(t, m.c.Show(notice.Notice{Title: "x"}), said+unsignedWhy, "not a word of System Settings, where it may not be listed")
		m.says = "undecided"
		require.EqualError(t, m.c.Show(notice.Notice{Title: "x"}), said+unsignedWhy)
		m.says = ""
		require.NoError(t, m.c.Show(notice.Notice{Title: "x"}), "and yet it shows them")

		m.says = "denied"
		require.ErrorIs(t, m.c.Ask(t.Context()), errDenied, "this time it did ask")
		require.ErrorIs(t, m.c.Show(notice.Notice{Title: "x"}), errDenied)

		m.says, m.adHoc = "Error Domain=UNErrorDomain Code=1", false
		err := m.c.Ask(t.Context())
		require.ErrorContains(t, err, "did not ask")
		require.NotContains(t, err.Error(), "Developer ID", "it is signed with one")
	})
}

func TestWhetherNoticesAreAllowedIsToldWithoutAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMac()
		for says, want := range map[string]error{"": nil, "undecided": errUndecided, "denied": errDenied} {
			m.says = says
			require.ErrorIs(t, m.c.Allowed(t.Context()), want)
		}
		require.NotContains(t, m.seen, "ask")
		m.silent = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, m.c.Allowed(ctx), errSilent)
	})
}

func TestASilentMacOSHoldsUpNoNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMac()
		m.silent = true
		began := time.Now()
		require.ErrorIs(t, m.c.Show(notice.Notice{Title: "x"}), errSilent)
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
	c := newMac().c
	c.clicked("/b/a", "restart")
	c.clicked("/b/b", "log")
	c.clicked("/b/c", "com.apple.UNNotificationDefaultActionIdentifier")
	require.Equal(t, notice.Click{Backend: "/b/a", Button: notice.ButtonRestart}, <-c.Clicks())
	require.Equal(t, notice.Click{Backend: "/b/b", Button: notice.ButtonLog}, <-c.Clicks())
	require.Equal(t, notice.Click{Backend: "/b/c"}, <-c.Clicks(), "the notice itself was clicked")
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

func TestASignatureWithoutACertificateIsToldFromNone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module small\n\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o600))
	for _, arch := range []string{"arm64", "amd64"} { // Go's linker signs the first ad hoc, and the other not at all
		cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", arch, ".")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.True(t, signedByNobody(filepath.Join(dir, arch), arch), arch)
	}
	require.False(t, signedByNobody(filepath.Join(dir, "none"), "arm64"))
	require.False(t, signedByNobody(filepath.Join(dir, "main.go"), "arm64"), "nothing is said of what cannot be read")
}

package notice

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/testkit"
)

// shownNotices is a desktop that remembers.
type shownNotices struct {
	mu  sync.Mutex
	all []Notice
	err error
}

func (s *shownNotices) show(n Notice) (Way, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, n)
	return Way{}, s.err
}

func (s *shownNotices) titles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, n := range s.all {
		out = append(out, n.Title)
	}
	return out
}

func (s *shownNotices) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func TestTheNotifierTellsTheFirstCrashAtOnceAndTheOthersAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var desk shownNotices
		n := newNotifier(desk.show, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { n.Run(ctx) })
		for range 10 {
			n.Tell(crashNotice("cause"))
		}
		synctest.Wait()
		require.Equal(t, []string{"backend: cause"}, desk.titles())
		time.Sleep(time.Minute - time.Millisecond)
		synctest.Wait()
		require.Len(t, desk.titles(), 1)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(t, []string{"backend: cause", "backend crashed 10 times in the last minute: cause"}, desk.titles())
		cancel()
		done.Wait()
		require.Len(t, desk.titles(), 2)
	})
}

func TestTheNotifierTellsWhatItHoldsBackBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var desk shownNotices
		n := newNotifier(desk.show, nil)
		ctx, cancel := context.WithCancel(t.Context())
		n.Tell(crashNotice("a"))
		n.Tell(crashNotice("b"))
		cancel()
		n.Run(ctx)
		require.Equal(t, []string{"backend: a", "backend crashed 2 times in the last second: b"}, desk.titles())
	})
}

func TestASlowDesktopBlocksNobodyAndWhatIsDroppedIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		release := make(chan struct{})
		n := newNotifier(func(Notice) (Way, error) { <-release; return Way{}, nil }, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { n.Run(ctx) })
		began := time.Now()
		for range 10 * queueLength {
			n.Tell(finished)
		}
		require.Zero(t, time.Since(began), "it took no time")
		synctest.Wait()
		close(release)
		synctest.Wait()
		cancel()
		done.Wait()
		require.Contains(t, log.String(), "notices were dropped")
	})
}

func TestTheEndDoesNotWaitForADesktopThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		n := newNotifier(func(Notice) (Way, error) { <-release; return Way{}, nil }, nil)
		ctx, cancel := context.WithCancel(t.Context())
		n.Tell(finished)
		cancel()
		began := time.Now()
		n.Run(ctx)
		require.Equal(t, flushTime, time.Since(began))
		close(release)
	})
}

func TestAMissingDesktopIsComplainedOfOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		desk := shownNotices{err: errors.New("no desktop here")}
		n := newNotifier(desk.show, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { n.Run(ctx) })
		for range 5 {
			n.Tell(finished)
		}
		synctest.Wait()
		desk.fail(nil)
		n.Tell(finished)
		synctest.Wait()
		cancel()
		done.Wait()
		require.Equal(t, 1, strings.Count(log.String(), "no desktop here"))
		require.Contains(t, log.String(), "notices are shown again")
		require.Equal(t, 6, strings.Count(log.String(), "msg=notice "), "the same words are in the log")
	})
}

func TestADesktopIsLookedForBeforeTheDBusLibraryStartsABusOfItsOwn(t *testing.T) {
	none := func(string) bool { return false }
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	require.Error(t, desktop.NoDesktop("linux", env(), none))
	require.Error(t, desktop.NoDesktop("linux", env("XDG_RUNTIME_DIR", "/run/x"), none))
	require.NoError(t, desktop.NoDesktop("linux", env("XDG_RUNTIME_DIR", "/run/x"), func(p string) bool { return p == "/run/x/bus" }))
	require.NoError(t, desktop.NoDesktop("linux", env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x"), none))
	require.NoError(t, desktop.NoDesktop("linux", env("DISPLAY", ":0"), none))
	require.NoError(t, desktop.NoDesktop("darwin", env(), none))
}

func TestNoticeTextIsNeverTakenForMarkupOrOptions(t *testing.T) {
	require.Equal(t, "‹module› & more", daemonText("linux", "<module> & more"))
	require.Equal(t, "–-help", daemonText("linux", "--help"))
	require.Equal(t, `say "hi"\`, daemonText("linux", `say "hi"\`))
	require.Equal(t, "· [x] <b>", daemonText("darwin", "[x] <b>"))
	require.Equal(t, "· -x", daemonText("darwin", "-x"))
	require.Equal(t, "a b", daemonText("darwin", "a\nb"))
	require.Empty(t, daemonText("darwin", "\x00"))
}

// notificationService is a notification service on a bus.
type notificationService struct{ got chan [3]string }

func (b notificationService) Notify(app string, _ uint32, _, summary, body string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	b.got <- [3]string{app, summary, body}
	return 1, nil
}

func TestANoticeArrivesOnARealBusAlsoIfTheServiceHasNoButtons(t *testing.T) {
	conn := testkit.SessionBus(t)
	b := notificationService{make(chan [3]string, 8)}
	require.NoError(t, conn.Export(b, "/org/freedesktop/Notifications", "org.freedesktop.Notifications"))
	_, err := conn.RequestName("org.freedesktop.Notifications", dbus.NameFlagDoNotQueue)
	require.NoError(t, err)

	n := newNotifier(ways{center: newBusCenter(), plain: showPlainly, goos: "linux"}.show, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { n.Run(ctx) })
	defer done.Wait()
	defer cancel()
	for i, notice := range []Notice{crashNotice("cause"), finished} {
		began := time.Now()
		n.Tell(notice)
		select {
		case got := <-b.got:
			t.Logf("notice %d was on the bus after %v", i, time.Since(began))
			require.Equal(t, [3]string{"Vivarium", notice.Title, notice.Body}, got)
		case <-time.After(time.Minute):
			t.Fatal("no notice came")
		}
	}
}

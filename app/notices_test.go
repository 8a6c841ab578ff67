package app

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// counter is a center that remembers, and does as it is told.
type counter struct {
	clicks chan notice.Click

	mu     sync.Mutex
	asked  int
	shown  []notice.Notice
	refuse error
}

func newCounter() *counter { return &counter{clicks: make(chan notice.Click, 1)} }

func (c *counter) Ask(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.refuse
}

func (c *counter) Show(n notice.Notice) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse == nil {
		c.shown = append(c.shown, n)
	}
	return c.refuse
}

func (c *counter) Clicks() <-chan notice.Click { return c.clicks }
func (c *counter) Way() notice.Way             { return notice.MacWay() }

func (c *counter) count() (asked, shown int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked, len(c.shown)
}

func (s *stage) supervises(dir string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puppets[dir] != nil
}

func (s *stage) hasSaid(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.did, func(d string) bool { return strings.Contains(d, part) })
}

func TestLeaveToNotifyIsAskedForWithTheFirstBackendAndNeverAtLaunch(t *testing.T) {
	center := newCounter()
	s := playWith(t, center, backendFolder(t, "old"))
	s.status("old")
	asked, _ := center.count()
	require.Zero(t, asked, "a launch asks nothing")
	for range 2 {
		dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI})
		s.set(func() { s.folder, s.answer = dir, true })
		testkit.Eventually(t, "the dialog before is closed, and it is asked for again", func() bool { s.clickTail(TailAdd); return s.supervises(dir) })
		p := s.puppet(dir)
		testkit.Eventually(t, "it was started", func() bool { return p.Has("start") })
	}
	testkit.Eventually(t, "leave was asked for", func() bool { asked, _ := center.count(); return asked == 1 })
	s.clickTail(TailQuit)
	s.ended()
	asked, _ = center.count()
	require.Equal(t, 1, asked, "once")
}

func TestAClickOnANoticeIsAClickOnItsBackend(t *testing.T) {
	center := newCounter()
	a, b := backendFolder(t, "a"), backendFolder(t, "b")
	s := playWith(t, center, a, b)
	s.puppet(a)
	p := s.puppet(b)
	p.BecomeHealthy()
	testkit.Eventually(t, "both are known", func() bool { return strings.Contains(s.now().Sections[2].Title, "Healthy") })
	center.clicks <- notice.Click{Backend: "/not/there/any/more", Button: notice.ButtonRestart}
	center.clicks <- notice.Click{Backend: b, Button: notice.ButtonRestart}
	testkit.Eventually(t, "it restarts", func() bool { return p.Has("restart") })
	center.clicks <- notice.Click{Backend: b, Button: notice.ButtonLog}
	testkit.Eventually(t, "its log is opened", func() bool { return s.hasDone("log " + filepath.Join(b, "logs", "server.log")) })
	require.False(t, s.puppet(a).Has("restart"))
	s.set(func() { s.did = nil })
	center.clicks <- notice.Click{Backend: b}
	testkit.Eventually(t, "without a report the log is opened", func() bool { return s.hasDone("log " + filepath.Join(b, "logs", "server.log")) })
	p.Become(func(now *supervisor.Snapshot) {
		now.LastReport, now.Last, now.LastAt = "/state/report.html", crash.Verdict{Kind: crash.KindOpenMP, Summary: "x"}, time.Now()
	})
	testkit.Eventually(t, "the report is known", func() bool { return s.now().Sections[2].Items[ItemLast].Enabled })
	center.clicks <- notice.Click{Backend: b}
	testkit.Eventually(t, "the report is opened", func() bool { return s.hasSaid("/state/report.html") })
}

func TestTheSameWordsAreInTheNoticeAndInTheMenu(t *testing.T) {
	center := newCounter()
	dir := backendFolder(t, "a")
	s := playWith(t, center, dir)
	p := s.puppet(dir)
	verdict := crash.Verdict{Kind: crash.KindOpenMP, Summary: "two OpenMP runtimes in one process", Remedy: "Keep the crash environment"}
	p.Become(func(now *supervisor.Snapshot) {
		now.State, now.Last, now.LastAt = supervisor.Starting, verdict, time.Now()
	})
	p.Told <- supervisor.Event{What: supervisor.EventCrashed, Verdict: verdict, Snapshot: supervisor.Snapshot{Backend: "a", Dir: dir}}
	testkit.Eventually(t, "the notice", func() bool { _, shown := center.count(); return shown == 1 })
	require.Equal(t, "a: two OpenMP runtimes in one process", center.shown[0].Title)
	require.Equal(t, dir, center.shown[0].Backend)
	require.True(t, center.shown[0].HasButtons())
	testkit.Eventually(t, "the menu", func() bool {
		return strings.Contains(s.now().Sections[0].Items[ItemLast].Title, verdict.Summary)
	})
}

func TestSendTestNotificationShowsOneAndSaysTheWay(t *testing.T) {
	center := newCounter()
	s := playWith(t, center)
	for n := 1; n <= 2; n++ { // also twice within a minute
		s.clickTail(TailTest)
		testkit.Eventually(t, "the notice", func() bool { _, shown := center.count(); return shown == n })
		testkit.Eventually(t, "the way", func() bool { return s.hasSaid("under the name Vivarium") })
		s.set(func() { s.did = nil })
	}
	asked, _ := center.count()
	require.Equal(t, 2, asked, "who sends a test wants to be asked")
	center.mu.Lock()
	center.refuse = errors.New("notices of Vivarium are not allowed")
	center.mu.Unlock()
	testkit.Eventually(t, "the dialog before is closed", func() bool { s.clickTail(TailTest); return s.hasSaid("not allowed") })
	require.True(t, s.told(notice.Test(nil).Title), "it went the plain way")
}

func TestTimersAreLeftAloneWhileABackendIsWanted(t *testing.T) {
	dir := backendFolder(t, "a")
	s := play(t, dir)
	p := s.puppet(dir)
	s.status("Stopped")
	require.False(t, s.hasDone("awake true"), "nobody is watched")
	s.click(ItemStart)
	testkit.Eventually(t, "awake", func() bool { return s.hasDone("awake true") })
	p.Become(func(now *supervisor.Snapshot) { now.State = supervisor.Restarting })
	s.status("estarting")
	require.False(t, s.hasDone("awake false"), "a back-off is on time, too")
	s.click(ItemStop)
	testkit.Eventually(t, "at ease", func() bool { return s.hasDone("awake false") })
}

func TestAnAppThatRunsFromATemporaryPlaceIsAskedToMove(t *testing.T) {
	told := make(chan notice.Notice, 2)
	notifier, _ := notice.New(nil, func(n notice.Notice) error { told <- n; return nil }, nil)
	a := &App{notifier: notifier}
	a.tellTranslocated(func() (string, error) { return "/Applications/Vivarium.app/Contents/MacOS/Vivarium", nil })
	a.tellTranslocated(func() (string, error) {
		return "/private/var/folders/xy/T/AppTranslocation/0E9D/d/Vivarium.app/Contents/MacOS/Vivarium", nil
	})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	notifier.Run(ended) // what waits is told before the end
	require.Len(t, told, 1)
	require.Contains(t, (<-told).Body, "move Vivarium.app to the Applications folder")
}

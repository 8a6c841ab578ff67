package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// stage is an app that runs, with puppets behind it and a person in front.
type stage struct {
	t       *testing.T
	state   string
	actions chan Action
	cancel  func()
	done    chan error

	mu      sync.Mutex
	menu    Menu
	shown   int
	puppets map[string]*testkit.Puppet
	center  notice.Center
	notices []notice.Notice
	did     []string // on the desktop
	answer  bool
	folder  string
	login   bool
	tool    bool
	quiet   bool
	fail    error

	pages    Pages
	welcome  bool
	reopened chan struct{}
	hidden   chan bool
}

func (s *stage) Show(m Menu) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.menu, s.shown = m, s.shown+1
}

func (s *stage) Actions() <-chan Action { return s.actions }

func (s *stage) now() Menu {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.menu
}

func (s *stage) puppet(dir string) *testkit.Puppet {
	s.t.Helper()
	var p *testkit.Puppet
	testkit.Eventually(s.t, "the supervisor of "+dir, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		p = s.puppets[dir]
		return p != nil
	})
	return p
}

func (s *stage) hasDone(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.did {
		if d == what {
			return true
		}
	}
	return false
}

func (s *stage) told(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.notices {
		if strings.Contains(n.Title+" "+n.Body, part) {
			return true
		}
	}
	return false
}

func (s *stage) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *stage) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, what)
}

func (s *stage) click(item int)     { s.actions <- Action{Item: item} }
func (s *stage) clickTail(item int) { s.actions <- Action{Item: item, Tail: true} }

func (s *stage) status(part string) {
	s.t.Helper()
	testkit.Eventually(s.t, "the menu says "+part, func() bool {
		return strings.Contains(s.now().Sections[0].Items[ItemStatus].Title, part)
	})
}

func (s *stage) desktop() Desktop {
	does := func(what string) func(string) error {
		return func(arg string) error {
			s.note(what + " " + arg)
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.fail
		}
	}
	return Desktop{
		OpenLog: does("log"), OpenText: does("text"), OpenURL: does("url"), OpenPage: does("page"), Reveal: does("reveal"), Copy: does("copy"), EditConfig: does("edit"),
		Tool: func() (bool, bool) { s.mu.Lock(); defer s.mu.Unlock(); return s.tool, true },
		SetTool: func(on bool) (string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.tool = on && s.fail == nil
			return words.Chosen(on, "it is there", ""), s.fail
		},
		Quiet: func() (bool, bool) { s.mu.Lock(); defer s.mu.Unlock(); return s.quiet, true },
		SetQuiet: func(on bool) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.quiet = on && s.fail == nil
			return s.fail
		},
		Awake: func(on bool) { s.note(fmt.Sprint("awake ", on)) },
		Login: func() (bool, bool) { s.mu.Lock(); defer s.mu.Unlock(); return s.login, true },
		SetLogin: func(on bool) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.login = on
			return nil
		},
		Folder: func(context.Context, string) (string, error) {
			s.note("folder")
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.folder, nil
		},
		Ask: func(_ context.Context, title, text, _ string) (bool, error) {
			s.note("ask " + title + ": " + text)
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.answer, nil
		},
		Tell: func(_ context.Context, title, text string) error {
			s.note(text)
			s.note("tell " + title)
			return nil
		},
	}
}

func (s *stage) page(ctx context.Context, args ...string) (string, error) {
	if s.pages != nil {
		return s.pages(ctx, args...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return "/made/" + strings.Join(args, " "), s.fail
}

func (s *stage) supervise(dir string) control.Supervision {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := testkit.NewPuppet(dir)
	s.puppets[dir] = p
	return p
}

// play starts an app on the folders.
func play(t *testing.T, dirs ...string) *stage {
	t.Helper()
	return playWith(t, nil, dirs...)
}

// playWith starts an app that has a center.
func playWith(t *testing.T, center notice.Center, dirs ...string) *stage {
	t.Helper()
	return playAs(t, &stage{center: center}, dirs...)
}

// playAs starts an app on a stage that is set already.
func playAs(t *testing.T, s *stage, dirs ...string) *stage {
	t.Helper()
	s.t, s.state, s.actions, s.done = t, filepath.Join(testkit.ShortDir(t), "s"), make(chan Action, 16), make(chan error, 1)
	s.puppets = map[string]*testkit.Puppet{}
	list, err := OpenBackends(s.state)
	require.NoError(t, err)
	for _, d := range dirs {
		require.NoError(t, list.Add(d))
	}
	s.start()
	return s
}

func (s *stage) start() {
	s.t.Helper()
	a, err := New(Options{State: s.state, Log: slog.New(slog.DiscardHandler), Desktop: s.desktop(), Supervise: s.supervise, Center: s.center, Pages: s.page, Welcome: s.welcome})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		s.done <- a.Run(ctx, s, func(n notice.Notice) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.notices = append(s.notices, n)
		})
	}()
	s.t.Cleanup(func() {
		cancel()
		select {
		case <-s.done:
		case <-time.After(testkit.Patience):
			s.t.Error("the app has not ended")
		}
	})
}

// ended waits for the end of the app, which is always a success.
func (s *stage) ended() {
	s.t.Helper()
	select {
	case err := <-s.done:
		require.NoError(s.t, err)
		s.done <- nil // for the clean-up
	case <-time.After(testkit.Patience):
		require.FailNow(s.t, "the app has not ended")
	}
}

func backendFolder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(testkit.ShortDir(t), name)
	require.NoError(t, os.Mkdir(dir, 0o755))
	return dir
}

func TestWithoutABackendTheMenuSaysHowToBegin(t *testing.T) {
	s := play(t)
	s.status("Add a backend to begin")
	require.True(t, s.now().Tail[TailDemo].Shown)
}

func TestEachClickIsAnIntentOfItsBackend(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	s.status("Stopped")
	s.click(ItemStart)
	s.status("Healthy")
	require.Equal(t, assets.Healthy, s.now().Icon)
	s.click(ItemRestart)
	s.click(ItemTakeOver)
	testkit.Eventually(t, "all was heard", func() bool { return p.Has("start") && p.Has("restart") && p.Has("take-over") })
	s.click(ItemStop)
	s.status("Stopped")
	s.click(ItemTryAgain)
	s.status("Healthy")
}

func TestASecondStopSkipsTheGrace(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	p.Slow = true
	p.BecomeHealthy()
	s.status("Healthy")
	s.click(ItemStop)
	s.status("Stopping")
	require.False(t, p.Has("hurry"))
	s.click(ItemStop)
	s.status("Stopped")
	require.True(t, p.Has("hurry"))
}

func TestTheDesktopItemsOpenWhatTheySay(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	s.puppet(dir).BecomeHealthy()
	s.status("Healthy")
	for _, item := range []int{ItemOpenLog, ItemOpenBrowser, ItemCopyURL, ItemEditConfig, ItemReveal} {
		s.click(item)
	}
	s.clickTail(TailManual)
	s.clickTail(TailDiagnostics)
	s.clickTail(TailLogin)
	for _, want := range []string{
		"log " + dir + "/logs/server.log", "url http://127.0.0.1:8000", "copy http://127.0.0.1:8000", "edit " + dir, "reveal " + dir, "url " + helpURL,
	} {
		testkit.Eventually(t, want, func() bool { return s.hasDone(want) })
	}
	testkit.Eventually(t, "launch at login is ticked", func() bool { return s.now().Tail[TailLogin].Checked })
	s.clickTail(TailAbout)
	testkit.Eventually(t, "about", func() bool { return s.hasDone("tell About Vivarium") })
}

func TestAConfigurationErrorIsALineThatOpensTheFile(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	s.puppet(dir).Become(func(n *supervisor.Snapshot) {
		n.ConfigFile = filepath.Join(dir, "vivarium.toml")
		n.ConfigProblem = n.ConfigFile + ":3: port: wants a whole number"
	})
	s.status("vivarium.toml:3")
	s.click(ItemStatus)
	testkit.Eventually(t, "it is open", func() bool { return s.hasDone("text " + filepath.Join(dir, "vivarium.toml")) })
}

func TestTheLastCrashOpensItsReportWhereThereIsOne(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	p.BecomeHealthy()
	s.status("Healthy")
	p.Become(func(n *supervisor.Snapshot) {
		n.Last, n.LastAt = crash.Verdict{Kind: crash.KindSegfault, Summary: "Python crashed"}, time.Now()
	})
	last := func() Item { return s.now().Sections[0].Items[ItemLast] }
	testkit.Eventually(t, "the last crash is told", func() bool { return last().Shown })
	require.False(t, last().Enabled, "there is nothing to open yet")
	p.Become(func(n *supervisor.Snapshot) { n.LastReport = "/state/b/1/crashes/one.html" })
	testkit.Eventually(t, "it can be clicked", func() bool { return last().Enabled })
	s.click(ItemLast)
	testkit.Eventually(t, "it is open", func() bool { return s.hasDone("page /state/b/1/crashes/one.html") })
}

func TestAClickThatComesToNothingIsTold(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	s.puppet(dir).BecomeHealthy()
	s.status("Healthy")
	s.set(func() { s.fail = errors.New("no browser here") })
	s.click(ItemOpenBrowser)
	testkit.Eventually(t, "it is told", func() bool { return s.told("no browser here") })
}

func TestACrashIsANotice(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	p.Told <- supervisor.Event{What: supervisor.EventCrashed, At: time.Now(), Snapshot: p.Shown, Verdict: crash.Verdict{Kind: crash.KindSegfault, Summary: "Python died of a segmentation fault"}}
	testkit.Eventually(t, "it is told", func() bool { return s.told("segmentation fault") })
}

func TestTheMenuIsShownOnlyWhenItChanged(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	testkit.Eventually(t, "the backend and the login item are known", func() bool {
		return s.now().Sections[0].Items[ItemCopyURL].Shown && s.now().Tail[TailLogin].Shown
	})
	s.mu.Lock()
	before := s.shown
	s.mu.Unlock()
	for range 20 {
		p.Become(func(*supervisor.Snapshot) {})
		s.click(ItemDetail) // does nothing, but goes through the loop
	}
	p.BecomeHealthy()
	s.status("Healthy")
	s.mu.Lock()
	defer s.mu.Unlock()
	require.LessOrEqual(t, s.shown, before+1)
}

func TestTwoBackendsAreTwoSections(t *testing.T) {
	one, two := backendFolder(t, "one"), backendFolder(t, "two")
	s := play(t, one, two)
	p := s.puppet(two)
	s.puppet(one)
	s.actions <- Action{Section: 2, Item: ItemStart}
	testkit.Eventually(t, "the second one runs", func() bool { return p.Has("start") })
	require.False(t, s.puppet(one).Has("start"))
	s.actions <- Action{Section: 7, Item: ItemStart} // nobody is there
	s.actions <- Action{Section: 0, Item: ItemStart} // a summary is no backend
	s.set(func() { s.answer = true })
	s.actions <- Action{Section: 1, Item: ItemRemove}
	testkit.Eventually(t, "one is left, flat", func() bool { return strings.HasPrefix(s.now().Sections[0].Items[ItemStatus].Title, "two") })
	list, err := OpenBackends(s.state)
	require.NoError(t, err)
	testkit.Eventually(t, "the list says so", func() bool { return slices.Equal([]string{two}, list.All()) })
}

func TestAListThatAnotherProgramChangesDoesNotKeepTheMenuWaiting(t *testing.T) {
	one, two := backendFolder(t, "one"), backendFolder(t, "two")
	s := play(t, one, two)
	s.puppet(one)
	p := s.puppet(two)
	s.set(func() { s.answer = true })
	list, err := OpenBackends(s.state)
	require.NoError(t, err)
	unlock, err := list.lock()
	require.NoError(t, err)
	s.actions <- Action{Section: 1, Item: ItemRemove}
	testkit.Eventually(t, "one is left, flat", func() bool { return strings.HasPrefix(s.now().Sections[0].Items[ItemStatus].Title, "two") })
	s.click(ItemStart)
	testkit.Eventually(t, "a click is heard", func() bool { return p.Has("start") })
	require.Equal(t, []string{one, two}, list.All(), "the other program is not done")
	unlock()
	testkit.Eventually(t, "the list says so", func() bool { return slices.Equal([]string{two}, list.All()) })
}

func TestRemovingStopsTheBackendFirst(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := play(t, dir)
	p := s.puppet(dir)
	p.BecomeHealthy()
	s.status("Healthy")
	s.click(ItemRemove)
	testkit.Eventually(t, "it asks", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.did) > 0 })
	require.False(t, p.Has("stop"), "the answer was No")
	s.mu.Lock()
	s.answer = true
	s.mu.Unlock()
	testkit.Eventually(t, "it is gone", func() bool {
		s.click(ItemRemove)
		return strings.Contains(s.now().Sections[0].Items[ItemStatus].Title, "Add a backend")
	})
	require.True(t, p.Has("stop"))
	require.DirExists(t, dir)
}

func TestAddBackendWritesOnlyAfterYes(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI, "start": "#!/bin/sh\n"})
	s := play(t)
	s.set(func() { s.folder = dir })
	s.clickTail(TailAdd)
	testkit.Eventually(t, "it asks", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.did) >= 2 })
	s.mu.Lock()
	question := s.did[1]
	s.answer = true
	s.mu.Unlock()
	require.Contains(t, question, "main:app")
	require.Contains(t, question, "8000")
	require.Contains(t, question, "start.before-vivarium")
	require.NoFileExists(t, filepath.Join(dir, config.FileName))
	testkit.Eventually(t, "it is there, and runs", func() bool {
		s.clickTail(TailAdd) // until the first dialog is closed this is a click on an open dialog
		return strings.Contains(s.now().Sections[0].Items[ItemStatus].Title, "Healthy")
	})
	require.FileExists(t, filepath.Join(dir, config.FileName))
	require.FileExists(t, filepath.Join(dir, "start.before-vivarium"))
	require.True(t, s.puppet(dir).Has("start"))
}

func TestAFolderWithoutAServerIsToldAndNotAdded(t *testing.T) {
	s := play(t)
	s.set(func() { s.folder, s.answer = backendFolder(t, "empty"), true })
	s.clickTail(TailAdd)
	testkit.Eventually(t, "it is told", func() bool { return s.told("no Python server was found") })
	require.Empty(t, testkit.Contents(t, s.folder))
}

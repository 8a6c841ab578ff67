package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/login"
	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
)

func (s *stage) Reopened() <-chan struct{} { return s.reopened }
func (s *stage) Hidden() <-chan bool       { return s.hidden }

// pagesOf makes pages by name alone, and has no dashboard.
func pagesOf(_ context.Context, args ...string) (string, error) {
	if slices.Contains(args, "--dashboard") {
		return "", errors.New("no dashboard here")
	}
	return "/" + strings.Join(args, " ") + ".html", nil
}

func TestOpeningTheAppAgainShowsTheLastCrashElseTheDoctorsPage(t *testing.T) {
	one, two := backendFolder(t, "one"), backendFolder(t, "two")
	s := playAs(t, &stage{pages: pagesOf, reopened: make(chan struct{})}, one, two)
	p, q := s.puppet(one), s.puppet(two)
	s.reopened <- struct{}{}
	testkit.Eventually(t, "the doctor's page", func() bool { return s.hasDone("page /page --doctor " + one + ".html") })
	p.Become(func(s *supervisor.Snapshot) { s.LastReport, s.LastAt = "/old.html", time.Now().Add(-time.Hour) })
	q.Become(func(s *supervisor.Snapshot) { s.LastReport, s.LastAt = "/new.html", time.Now() })
	testkit.Eventually(t, "the newest crash", func() bool { s.reopened <- struct{}{}; return s.hasDone("page /new.html") })
}

func TestASecondInstanceShowsThePageOfTheFirst(t *testing.T) {
	dir := backendFolder(t, "brain")
	s := playAs(t, &stage{pages: pagesOf}, dir)
	s.puppet(dir)
	_, err := New(Options{State: s.state, AtLogin: true})
	require.ErrorIs(t, err, ErrRunning)
	_, err = New(Options{State: s.state})
	require.ErrorIs(t, err, ErrRunning)
	testkit.Eventually(t, "the page", func() bool { return s.hasDone("page /page --doctor " + dir + ".html") })
	s.mu.Lock()
	defer s.mu.Unlock()
	pages := 0
	for _, d := range s.did {
		if strings.HasPrefix(d, "page ") {
			pages++
		}
	}
	require.Equal(t, 1, pages, "launchd's copy asks for nothing")
}

func TestAHiddenIconIsToldOnceAndNotedForOthers(t *testing.T) {
	s := playAs(t, &stage{hidden: make(chan bool)})
	notices := func() (n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, notice := range s.notices {
			if notice.Title == "Vivarium's icon is hidden" {
				n++
			}
		}
		return n
	}
	s.hidden <- true
	testkit.Eventually(t, "it is told and noted", func() bool { return notices() == 1 && desktop.HiddenIcon(s.state) })
	s.hidden <- false
	testkit.Eventually(t, "it is seen", func() bool { return !desktop.HiddenIcon(s.state) })
	s.hidden <- true
	testkit.Eventually(t, "it is noted", func() bool { return desktop.HiddenIcon(s.state) })
	require.Equal(t, 1, notices())
}

func TestTheFirstStartSaysWhereTheIconIsAndLeadsToABackendOnce(t *testing.T) {
	s := playAs(t, &stage{welcome: true, answer: true})
	welcomed := func() (n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, d := range s.did {
			if strings.HasPrefix(d, "ask Welcome to Vivarium: Its icon is") {
				n++
			}
		}
		return n
	}
	testkit.Eventually(t, "the welcome, and the dialog behind Add Backend", func() bool { return welcomed() == 1 && s.hasDone("folder") })
	s.clickTail(TailQuit)
	s.ended()
	s.start()
	s.status("Add a backend")
	require.Equal(t, 1, welcomed())
}

func TestWhoHasABackendOrIsStartedByLaunchdIsNotWelcomed(t *testing.T) {
	s := playAs(t, &stage{welcome: true}, backendFolder(t, "brain"))
	s.status("Stopped")
	launched := playAs(t, &stage{})
	launched.status("Add a backend")
	for _, st := range []*stage{s, launched} {
		st.clickTail(TailQuit)
		st.ended()
		require.False(t, desktop.Exists(st.state+"/"+welcomeName))
	}
}

func TestTheLoginItemIsMendedAtTheStartAndEndedLastOfAll(t *testing.T) {
	s := &stage{t: t, puppets: map[string]*testkit.Puppet{}}
	d := s.desktop()
	d.MendLogin = func() error { s.note("mend"); return nil }
	state := testkit.ShortDir(t)
	d.EndLogin = func() {
		again, err := New(Options{State: state, Supervise: s.supervise, Desktop: s.desktop()})
		if err == nil {
			again.Close()
			s.note("end, and the state folder is free")
		}
	}
	a, err := New(Options{State: state, Desktop: d, Supervise: s.supervise})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, a.Run(ctx, s, func(notice.Notice) {}))
	require.True(t, s.hasDone("end, and the state folder is free"))
	testkit.Eventually(t, "it is mended", func() bool { return s.hasDone("mend") })
}

func TestWithoutItsProgramLaunchAtLoginIsNotPossible(t *testing.T) {
	var d Desktop
	d.Items = login.Program{Path: "/nowhere"}
	d = d.orReal(t.TempDir())
	_, possible := d.Login()
	require.False(t, possible)
	require.Error(t, d.SetLogin(true))
	require.NoError(t, d.MendLogin())
	d.EndLogin()
}

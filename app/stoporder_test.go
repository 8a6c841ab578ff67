package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// ordered is an app with db, shop after db, and web after shop, all of them healthy.
func ordered(t *testing.T, slow ...string) (s *stage, db, shop, web *testkit.Puppet) {
	t.Helper()
	dirs := map[string]string{}
	for _, n := range []string{"db", "shop", "web"} {
		dirs[n] = backendFolder(t, n)
	}
	s = play(t, dirs["db"], dirs["shop"], dirs["web"])
	db, shop, web = s.puppet(dirs["db"]), s.puppet(dirs["shop"]), s.puppet(dirs["web"])
	shop.Become(func(n *supervisor.Snapshot) { n.After = []string{"db"} })
	web.Become(func(n *supervisor.Snapshot) { n.After = []string{"shop"} })
	for n, p := range map[string]*testkit.Puppet{"db": db, "shop": shop, "web": web} {
		p.Slow = slices.Contains(slow, n)
		p.BecomeHealthy()
	}
	s.status("3 backends: 3 healthy")
	return s, db, shop, web
}

func (s *stage) clickOn(section, item int) { s.actions <- Action{Section: section, Item: item} }

func (s *stage) noteLine(section int) string { return s.now().Sections[section].Items[ItemNote].Title }

func stopped(p *testkit.Puppet) bool {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	return p.Shown.State == supervisor.Stopped
}

func TestAStopEndsThoseThatWereStartedAfterItFirst(t *testing.T) {
	s, db, shop, web := ordered(t, "web")
	s.clickOn(1, ItemStop)
	testkit.Eventually(t, "web is told", func() bool { return web.Has("stop") })
	testkit.Eventually(t, "it is said", func() bool {
		return s.noteLine(1) == "stops once shop has stopped" && s.noteLine(2) == "stops once web has stopped"
	})
	require.False(t, shop.Has("stop") || db.Has("stop"), "web has not ended yet")
	web.Hurry()
	testkit.Eventually(t, "all have stopped", func() bool { return stopped(db) && stopped(shop) && stopped(web) })
	require.True(t, shop.Has("stop") && db.Has("stop"))
	s.status("3 backends: 3 stopped")
	require.Empty(t, s.noteLine(1))
	s.clickOn(1, ItemStart)
	s.status("3 backends: 1 healthy, 2 stopped")
}

func TestAStopOfTheLastEndsNobodyElse(t *testing.T) {
	s, db, shop, web := ordered(t)
	s.clickOn(3, ItemStop)
	testkit.Eventually(t, "web has stopped", func() bool { return stopped(web) })
	s.status("3 backends: 2 healthy, 1 stopped")
	require.False(t, shop.Has("stop") || db.Has("stop"))
}

func TestARestartLeavesThoseAfterItAlone(t *testing.T) {
	s, db, shop, _ := ordered(t)
	s.clickOn(1, ItemRestart)
	testkit.Eventually(t, "db is told", func() bool { return db.Has("restart") })
	require.False(t, shop.Has("stop") || shop.Has("restart"))
	s.status("3 backends: 3 healthy")
}

func TestASecondStopDoesNotWaitForTheOthers(t *testing.T) {
	s, db, shop, _ := ordered(t, "shop", "web")
	s.clickOn(1, ItemStop)
	testkit.Eventually(t, "it waits", func() bool { return strings.Contains(s.noteLine(1), "stops once") })
	s.clickOn(1, ItemStop)
	testkit.Eventually(t, "db has stopped", func() bool { return stopped(db) })
	require.False(t, stopped(shop))
}

func TestAStartTakesBackAStopThatWaits(t *testing.T) {
	s, db, _, web := ordered(t, "web")
	row := s.controls(t, "db")
	_, err := row.Stop(t.Context())
	require.NoError(t, err)
	testkit.Eventually(t, "it shows as not wanted", func() bool {
		r, err := row.Status(t.Context())
		return err == nil && !r.Want && r.State == "healthy" && r.Note == "stops once shop has stopped"
	})
	_, err = row.Start(t.Context())
	require.NoError(t, err)
	testkit.Eventually(t, "it is wanted again", func() bool {
		r, err := row.Status(t.Context())
		return err == nil && r.Want && r.Note == ""
	})
	web.Hurry()
	s.status("3 backends: 1 healthy, 2 stopped")
	require.False(t, db.Has("stop"))
}

// controls is a connection to the control socket of a backend of the app.
func (s *stage) controls(t *testing.T, name string) *control.Client {
	t.Helper()
	s.mu.Lock()
	dir := ""
	for d := range s.puppets {
		if strings.HasSuffix(d, "/"+name) {
			dir = d
		}
	}
	s.mu.Unlock()
	c, err := control.Dial(t.Context(), keeper.BackendFolder(s.state, dir))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestAQuitEndsThemInTurnAndWaitsForNobodyTooLong(t *testing.T) {
	s, db, shop, web := ordered(t, "web")
	begin := time.Now()
	s.clickTail(TailQuit)
	testkit.Eventually(t, "web is told", func() bool { return web.Has("quit") })
	require.True(t, !db.Has("quit") || time.Since(begin) >= quitTime/2, "the first half of the time is for the order")
	s.ended()
	require.True(t, db.Has("quit") && shop.Has("quit"), "nobody is left without its end")
}

func TestACommandOfOnEventThatFailsIsANotice(t *testing.T) {
	dir := backendFolder(t, "shop")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vivarium.toml"), []byte("[on_event]\ncommand = [\"./no-such-script\"]\n"), 0o644))
	s := play(t, dir)
	p := s.puppet(dir)
	p.BecomeHealthy()
	s.status("Healthy")
	p.Told <- supervisor.Event{What: supervisor.EventStarted, Snapshot: p.Shown}
	p.Told <- supervisor.Event{What: supervisor.EventCrashed, Snapshot: p.Shown, At: testkit.Noon}
	testkit.Eventually(t, "it is told", func() bool { return s.told("./no-such-script cannot be started") })
	require.True(t, s.told("shop: on_event failed"))
	s.clickTail(TailQuit)
	s.ended()
}

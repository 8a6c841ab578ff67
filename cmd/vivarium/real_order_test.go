package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/mcp"
	"github.com/vivarium-app/vivarium/supervisor"
)

// beside is a second backend in the folder beside r's, with the same state folder.
func (r *rig) beside(name, more string) *rig {
	o := &rig{t: r.t, home: r.home, dir: filepath.Join(filepath.Dir(r.dir), name), port: freePort(r.t)}
	write(r.t, filepath.Join(o.dir, "server.py"), server)
	write(r.t, filepath.Join(o.dir, "vivarium.toml"), fmt.Sprintf("name = %q\ncommand = [\"{python}\", \"server.py\", \"{port}\"]\nport = %d\n%s\n", name, o.port, more))
	return o
}

// state is how a backend is, by `status --json`.
func (r *rig) state() control.Row {
	r.t.Helper()
	text, _ := r.do("status", r.dir, "--json")
	var row control.Row
	require.NoError(r.t, json.Unmarshal([]byte(text), &row), text)
	return row
}

func TestARunWaitsForABackendThatAnotherRunKeeps(t *testing.T) {
	db := newRig(t)
	shop := db.beside("shop", "after = [\"brain\"]")
	f := shop.run()
	eventually(t, "it waits", func() bool { return shop.state().Awaits != nil && shop.state().Awaits.Why != "" })
	text, code := shop.do("status")
	require.Zero(t, code, text)
	require.Contains(t, text, "Waits for brain, which no Vivarium program keeps")
	text, code = shop.do("wait", "--timeout", "300ms")
	require.Equal(t, codeFailed, code)
	require.Contains(t, text, "it waits for brain")
	var s mcp.Status
	require.Empty(t, shop.agent().call("status", map[string]any{"backend": "shop"}, &s))
	require.Equal(t, "brain, which no Vivarium program keeps", s.WaitsFor)
	require.Equal(t, []string{"brain"}, s.After)
	require.True(t, shop.free())

	g := db.run()
	first, second := g.row(supervisor.EventHealthy, 1), f.row(supervisor.EventStarted, 1)
	require.False(t, second.At.Before(first.At), "it is started once the other one is healthy")
	f.row(supervisor.EventHealthy, 1)
	g.signal(syscall.SIGINT)
	g.ended(codeWell)
	require.Equal(t, "healthy", shop.state().State, "a run that another program keeps is not ended")

	f.signal(syscall.SIGINT)
	f.ended(codeWell)
}

func TestOneThatGaveUpIsToldToThoseWhoWaitForIt(t *testing.T) {
	db := newRig(t)
	db.configure("[restart]\ngive_up_after = 1")
	write(t, filepath.Join(db.dir, "server.py"), "import nothing_of_this_name\n")
	shop := db.beside("shop", "after = [\"brain\"]")
	g := db.run()
	g.row(supervisor.EventGaveUp, 1)
	f := shop.run()
	g.row(supervisor.EventGaveUp, 2) // a person started the shop: so the brain was tried again
	text, code := shop.do("wait", "--timeout", "10m")
	require.Equal(t, codeFailed, code)
	require.Contains(t, text, "it waits for brain, which gave up")
	require.Contains(t, text, "nothing_of_this_name")
	write(t, filepath.Join(db.dir, "server.py"), server)
	text, code = db.do("start", db.dir, "--wait", "--timeout", "30s")
	require.Zero(t, code, text)
	f.row(supervisor.EventHealthy, 1)
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
	g.signal(syscall.SIGINT)
	g.ended(codeWell)
}

func TestACircleIsAMistakeWithFileAndLine(t *testing.T) {
	db := newRig(t)
	shop := db.beside("shop", "\nafter = [\"brain\"]")
	db.configure("after = [\"shop\"]")
	for _, command := range []string{"run", "start", "wait"} {
		text, code := shop.do(command, shop.dir)
		require.NotZero(t, code, command)
		if command == "start" { // nobody keeps it
			continue
		}
		require.Contains(t, text, "shop/vivarium.toml:5: after: it would wait for itself: shop → brain → shop", command)
	}
	shop = db.beside("shop", "after = [\"brian\"]")
	text, code := shop.do("run", shop.dir)
	require.Equal(t, codeUsage, code)
	require.Contains(t, text, `there is no backend "brian"; there is brain`)
	text, _ = shop.do("doctor", shop.dir)
	require.Contains(t, text, `there is no backend "brian"`)
}

func TestTheAppStartsAndStopsThemInOrder(t *testing.T) {
	db := newRig(t)
	db.configure("autostart = false")
	shop := db.beside("shop", "after = [\"brain\"]")
	list, err := app.OpenBackends(db.home)
	require.NoError(t, err)
	require.NoError(t, list.Add(shop.dir))
	p := db.app()
	eventually(t, "shop waits for one that nobody started", func() bool {
		a := shop.state().Awaits
		return a != nil && a.Why == "which is stopped"
	})
	text, code := shop.do("start", shop.dir, "--wait", "--timeout", "30s")
	require.Zero(t, code, "a person's start starts the one before it: %s", text)
	first, second := db.state(), shop.state()
	require.Equal(t, "healthy", first.State)
	require.True(t, first.Since.Before(second.Started), "brain was healthy before shop was started")
	require.Equal(t, []string{"brain"}, second.After)

	text, code = db.do("stop", db.dir)
	require.Zero(t, code, text)
	require.True(t, db.free() && shop.free())
	first, second = db.state(), shop.state()
	require.Equal(t, "stopped", second.State)
	require.False(t, first.Since.Before(second.Since), "shop stopped first")

	text, code = shop.do("start", shop.dir, "--wait", "--timeout", "30s")
	require.Zero(t, code, text)
	p.clickTail(app.TailQuit)
	p.ended()
	require.Eventually(t, func() bool { return db.free() && shop.free() }, 20*time.Second, 20*time.Millisecond)
	require.NotContains(t, strings.Join(p.notices, "\n"), "gave up")
}

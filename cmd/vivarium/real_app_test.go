package main

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/supervisor"
)

// panel is a menu bar without a screen.
type panel struct {
	t       *testing.T
	actions chan app.Action
	done    chan error

	mu      sync.Mutex
	menu    app.Menu
	notices []string
}

func (p *panel) Show(m app.Menu) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.menu = m
}

func (p *panel) Actions() <-chan app.Action { return p.actions }

func (p *panel) line(item int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.menu.Sections[0].Items[item].Title
}

func (p *panel) says(part string) {
	p.t.Helper()
	eventually(p.t, "the menu says "+part, func() bool { return strings.Contains(p.line(app.ItemStatus), part) })
}

func (p *panel) told(part string) {
	p.t.Helper()
	eventually(p.t, "a notice says "+part, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return strings.Contains(strings.Join(p.notices, "\n"), part)
	})
}

func (p *panel) click(item int)     { p.actions <- app.Action{Item: item} }
func (p *panel) clickTail(item int) { p.actions <- app.Action{Item: item, Tail: true} }

func (p *panel) ended() {
	p.t.Helper()
	select {
	case err := <-p.done:
		require.NoError(p.t, err)
		p.done <- nil // for the clean-up
	case <-time.After(patience):
		require.FailNow(p.t, "the app has not ended")
	}
}

// app starts the real app on the rig, with everything but the desktop.
func (r *rig) app() *panel {
	r.t.Helper()
	list, err := app.OpenBackends(r.home)
	require.NoError(r.t, err)
	require.NoError(r.t, list.Add(r.dir))
	a, err := app.New(app.Options{
		State: r.home, Keeper: filepath.Join(programs, "vivarium-keeper"),
		Desktop: app.Desktop{Login: func() (bool, bool) { return false, false }},
	})
	require.NoError(r.t, err)
	p := &panel{t: r.t, actions: make(chan app.Action, 8), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		p.done <- a.Run(ctx, p, func(n notice.Notice) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.notices = append(p.notices, n.Title+" "+n.Body)
		})
	}()
	r.t.Cleanup(func() {
		cancel()
		select {
		case <-p.done:
		case <-time.After(patience):
			r.t.Error("the app has not ended")
		}
	})
	return p
}

func (r *rig) pid() int {
	r.t.Helper()
	pid, err := strconv.Atoi(r.get("/"))
	require.NoError(r.t, err)
	return pid
}

func TestTheAppStartsItsBackendsAndTellsACrash(t *testing.T) {
	r := newRig(t)
	p := r.app()
	p.says("Healthy")
	first := r.pid()
	r.get("/segv")
	p.told("segmentation fault")
	eventually(t, "it is back", func() bool { s := r.get("/"); return s != "" && s != strconv.Itoa(first) })
	p.says("Healthy")
	require.Contains(t, p.line(app.ItemLast), "Last crash")
	p.clickTail(app.TailQuit)
	p.ended()
	eventually(t, "the port is free", r.free)
}

func TestARunBesideTheAppShowsItsEventsAndEndsWithIt(t *testing.T) {
	r := newRig(t)
	p := r.app()
	p.says("Healthy")
	f := r.run()
	require.Equal(t, r.pid(), f.row(supervisor.EventAttached, 1).PID)
	out, code := r.do("restart")
	require.Zero(t, code, out)
	f.row(supervisor.EventHealthy, 1)
	p.clickTail(app.TailQuit)
	p.ended()
	f.ended(codeWell)
	eventually(t, "the port is free", r.free)
}

func TestTheAppShowsWhatARunKeepsAndTakesItOverAfterwards(t *testing.T) {
	r := newRig(t)
	f := r.run()
	pid := f.row(supervisor.EventHealthy, 1).PID
	p := r.app()
	p.says("kept by vivarium run (PID " + strconv.Itoa(f.cmd.Process.Pid) + ")")
	require.Equal(t, pid, r.pid())
	p.click(app.ItemRestart)
	require.NotEqual(t, pid, f.row(supervisor.EventHealthy, 2).PID)
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
	p.says("Stopped") // a person stopped it: the app does not know better
	p.click(app.ItemStart)
	p.says("Healthy")
	pid = r.pid()
	g := r.run()
	g.row(supervisor.EventAttached, 1)
	p.clickTail(app.TailLeave)
	p.ended()
	require.Equal(t, pid, g.row(supervisor.EventAttached, 2).PID, "the run goes on with what the app left")
	g.signal(syscall.SIGINT)
	g.ended(codeWell)
	require.True(t, r.free())
}

func TestARunThatIsKilledIsTakenOverByTheApp(t *testing.T) {
	r := newRig(t)
	f := r.run()
	pid := f.row(supervisor.EventHealthy, 1).PID
	p := r.app()
	p.says("kept by vivarium run")
	require.NoError(t, f.cmd.Process.Kill())
	eventually(t, "it is the app's", func() bool {
		line := p.line(app.ItemStatus)
		return strings.Contains(line, "Healthy") && !strings.Contains(line, "kept by")
	})
	require.Equal(t, pid, r.pid(), "the server did not notice")
}

func TestTheAppAndARunAtTheSameInstantAreOneServer(t *testing.T) {
	for range 3 {
		r := newRig(t)
		started := make(chan *follower)
		go func() { started <- r.run() }()
		p := r.app()
		f := <-started
		p.says("Healthy")
		pid := r.pid()
		eventually(t, "run knows of it", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, row := range f.rows {
				if row.PID == pid {
					return true
				}
			}
			return false
		})
		out, code := r.do("stop")
		require.Zero(t, code, out)
		f.ended(codeWell)
		require.True(t, r.free())
		p.says("Stopped")
	}
}

func TestAfterAQuitAutostartDecidesAlsoWhenAPersonHadStoppedItBefore(t *testing.T) {
	r := newRig(t)
	p := r.app()
	p.says("Healthy")
	p.click(app.ItemStop)
	p.says("Stopped")
	p.clickTail(app.TailQuit)
	p.ended()
	again := r.app()
	again.says("Healthy")
	again.clickTail(app.TailLeave)
	again.ended()
	pid := r.pid()
	third := r.app()
	third.says("Healthy")
	require.Equal(t, pid, r.pid())
}

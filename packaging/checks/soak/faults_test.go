//go:build soak

package soak

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// fault is something that happens to a backend that is well; what has to hold in the middle of it is looked at there.
type fault struct {
	name string
	do   func(b *backend)
}

var faults = []fault{
	{"the app is killed", func(b *backend) {
		before := b.run()
		b.killApp()
		b.moment(300)
		if now := b.run(); now.ID != before.ID || !alive(before.PID) {
			b.violation("%s: the server did not survive its app: %v, then %v", b.kind, before, now)
		}
		b.ensureApp()
		if b.well("the app's death"); b.run().ID != before.ID {
			b.violation("%s: the next app did not take the run over: %v, then %v", b.kind, before, b.run())
		}
	}},
	{"the server is killed", func(b *backend) { b.killServer(syscall.SIGKILL) }},
	{"the server crashes", func(b *backend) { b.killServer(syscall.SIGSEGV) }},
	{"the keeper is killed", func(b *backend) { b.killKeeper() }},
	{"app and keeper", func(b *backend) { b.killApp(); b.moment(20); b.killKeeper() }},
	{"keeper and app", func(b *backend) { b.killKeeper(); b.moment(20); b.killApp() }},
	{"server, then app", func(b *backend) { b.killServer(syscall.SIGKILL); b.moment(15); b.killApp() }},
	{"app, then server", func(b *backend) { b.killApp(); b.moment(15); b.killServer(syscall.SIGKILL) }},
	{"server, then keeper", func(b *backend) { b.killServer(syscall.SIGKILL); b.moment(15); b.killKeeper() }},
	{"keeper, then server", func(b *backend) { b.killKeeper(); b.moment(15); b.killServer(syscall.SIGKILL) }},
	{"all three", func(b *backend) { b.killServer(syscall.SIGKILL); b.killKeeper(); b.killApp() }},
	{"the keeper stands still", func(b *backend) { b.pause(b.keeperPID(), 3000) }},
	{"the app stands still", func(b *backend) { b.pause(b.app.Process.Pid, 2000) }},
	{"the server stands still", func(b *backend) { b.pause(b.run().PID, 2000) }},
	{"a storm of commands", func(b *backend) { b.storm() }},
	{"a storm without an app", func(b *backend) { b.killApp(); b.storm() }},
	{"stop and start", func(b *backend) { b.stopped("any time") }},
	{"stop without an app", func(b *backend) { b.killApp(); b.stopped("any time, without an app") }},
	{"stop, the keeper dies", func(b *backend) { b.duringStop(b.killKeeper) }},
	{"stop, the app dies", func(b *backend) { b.duringStop(b.killApp) }},
	{"an edit, then a death", func(b *backend) {
		b.configure("[environment]\nEDITED = \"" + time.Now().String() + "\"")
		b.killServer(syscall.SIGKILL)
		b.well("an edit")
		b.configure("")
	}},
	{"a broken edit, then a death", func(b *backend) {
		b.configure("colour = 3")
		b.killServer(syscall.SIGKILL)
		b.moment(500)
		b.well("a broken edit")
		b.configure("")
	}},
	{"the keeper's socket is removed", func(b *backend) { b.remove("sock") }},
	{"the keeper's lock is removed", func(b *backend) { b.remove("lock") }},
	{"the app's socket is removed", func(b *backend) { b.remove("ctl"); b.storm() }},
	{"socket removed, the app dies", func(b *backend) { b.remove("sock"); b.moment(20); b.killApp() }},
}

func (b *backend) killServer(sig syscall.Signal) { kill(b.run().PID, sig) }

// pause stops a process for up to so many milliseconds; nothing can be said of what it does meanwhile.
func (b *backend) pause(pid, ms int) {
	kill(pid, syscall.SIGSTOP)
	b.moment(ms)
	if b.rand.IntN(2) == 0 {
		b.do("status")
	}
	kill(pid, syscall.SIGCONT)
}

func (b *backend) remove(name string) { _ = os.Remove(filepath.Join(b.folder, name)) }

// duringStop lets something happen in the middle of a stop, whose answer counts all the same.
func (b *backend) duringStop(do func()) {
	done := make(chan struct{})
	go func() { defer close(done); b.stopped("a fault in the middle of it") }()
	b.moment(1500)
	do()
	<-done
}

package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gen2brain/beeep"

	"github.com/vivarium-app/vivarium/assets"
)

const (
	noticeQueue = 64              // more than a person reads; what is over is counted and dropped
	noticeFlush = 2 * time.Second // how long the end waits for a slow desktop
)

// Notifier tells notices natively, coalesced. Desktops may be slow or absent, so nobody waits for them: Tell only queues.
type Notifier struct {
	show    func(Notice) error
	log     *slog.Logger
	queue   chan Notice
	dropped atomic.Int64
}

// NewNotifier makes a Notifier that shows with show. If show is nil, it is the desktop's notification service; if log is nil,
// nothing is logged.
func NewNotifier(show func(Notice) error, log *slog.Logger) *Notifier {
	if show == nil {
		show = showNatively
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Notifier{show: show, log: log, queue: make(chan Notice, noticeQueue)}
}

// Tell never blocks.
func (n *Notifier) Tell(notice Notice) {
	select {
	case n.queue <- notice:
	default:
		n.dropped.Add(1)
	}
}

// Run tells until ctx ends; then it tells what was held back, if the desktop is quick about it.
func (n *Notifier) Run(ctx context.Context) {
	out := make(chan Notice, noticeQueue)
	var done sync.WaitGroup
	done.Go(func() { n.deliver(out) })
	var c Coalescer
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case notice := <-n.queue:
			n.pass(out, c.Add(time.Now(), notice))
		case <-timer.C:
			n.pass(out, c.Due(time.Now()))
		}
		timer.Stop()
		if at := c.Next(); !at.IsZero() {
			timer.Reset(max(time.Until(at), 0))
		}
	}
	for {
		select {
		case notice := <-n.queue:
			n.pass(out, c.Add(time.Now(), notice))
			continue
		default:
		}
		break
	}
	n.pass(out, c.Flush(time.Now()))
	close(out)
	waitAtMost(&done, noticeFlush)
}

func (n *Notifier) pass(out chan<- Notice, notices []Notice) {
	for _, notice := range notices {
		n.log.Info("notice", "title", notice.Title, "body", notice.Body)
		select {
		case out <- notice:
		default:
			n.dropped.Add(1)
		}
	}
}

// deliver is alone with the desktop. A desktop that does not take notices is complained of once, not with every notice.
func (n *Notifier) deliver(in <-chan Notice) {
	failing := false
	for notice := range in {
		err := n.show(notice)
		switch {
		case err != nil && !failing:
			n.log.Warn("showing a notice; later ones that fail are not logged", "error", err)
		case err == nil && failing:
			n.log.Info("notices are shown again")
		}
		failing = err != nil
		if d := n.dropped.Swap(0); d > 0 {
			n.log.Warn("notices were dropped: the desktop was too slow", "count", d)
		}
	}
}

func waitAtMost(g *sync.WaitGroup, d time.Duration) {
	done := make(chan struct{})
	go func() { g.Wait(); close(done) }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

var nameBeeep = sync.OnceFunc(func() { beeep.AppName = "Vivarium" })

// showNatively blocks for as long as the desktop does. It is for one goroutine.
func showNatively(notice Notice) error {
	if err := noDesktop(runtime.GOOS, os.Getenv, exists); err != nil {
		return err
	}
	nameBeeep()
	icon := assets.Icon(assets.Icons[min(int(notice.Icon), len(assets.Icons)-1)], "linux") // the coloured twin: a notice is no template
	return beeep.Notify(daemonText(runtime.GOOS, notice.Title), daemonText(runtime.GOOS, notice.Body), icon)
}

// noDesktop: without a session bus, and without a display to find one by, the D-Bus library would start a bus of its own with
// dbus-launch, which nobody listens to and nobody ends.
func noDesktop(goos string, getenv func(string) string, exists func(string) bool) error {
	if goos == "darwin" || getenv("DBUS_SESSION_BUS_ADDRESS") != "" || getenv("DISPLAY") != "" {
		return nil
	}
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), "/run/user/" + strconv.Itoa(os.Getuid())} {
		if dir != "" && exists(filepath.Join(dir, "bus")) {
			return nil
		}
	}
	return errors.New("there is no desktop session to show notices in")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// daemonText is text that no notification service takes for anything but text: most of them on Linux read HTML-like markup,
// and terminal-notifier on macOS reads property lists and options.
func daemonText(goos, s string) string {
	s = Plain(s)
	if goos != "darwin" {
		s = strings.NewReplacer("<", "‹", ">", "›").Replace(s)
		if strings.HasPrefix(s, "-") {
			return "–" + s[1:]
		}
		return s
	}
	if s != "" && strings.ContainsRune(`-[({<"`, rune(s[0])) {
		return "· " + s
	}
	return s
}

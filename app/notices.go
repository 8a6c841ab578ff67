package app

import (
	"context"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
)

// askForNotices asks for leave to show notices, once: when the first backend was added, and a person sees what they are for. The system
// remembers the answer, and asks nobody twice.
func (a *App) askForNotices() {
	if a.center == nil || a.asked {
		return
	}
	a.asked = true
	go func() {
		if err := a.center.Ask(a.ctx); err != nil && a.ctx.Err() == nil {
			a.log.Info("notices of our own are not allowed", "error", err)
		}
	}()
}

// sendTest sends a notice, and then says by what way it went: a notice that does not appear says nothing itself.
func (a *App) sendTest() {
	a.ask(func(ctx context.Context) error {
		if a.center != nil {
			_ = a.center.Ask(ctx) // refused: Show says so
		}
		said := make(chan string, 1)
		a.notifier.Tell(notice.Test(func(way notice.Way, err error) {
			a.log.Info("a test notice", "by", way.By, "why", way.Why, "error", err)
			said <- notice.TestText(way, err)
		}))
		select {
		case text := <-said:
			return a.desktop.Tell(ctx, wordTest, text)
		case <-ctx.Done():
			return nil
		}
	})
}

// tellTranslocated gives the advice before anything is set up that would be gone after the next restart of the computer.
func (a *App) tellTranslocated(executable func() (string, error)) {
	if exe, err := executable(); err == nil && desktop.IsTranslocated(exe) {
		a.notifier.Tell(notice.Say("Move Vivarium to Applications", assets.Unhealthy, desktop.ErrTranslocated.Error()))
	}
}

// hookFailed tells that the command of on_event came to nothing. It is told once, until the command works again.
func (a *App) hookFailed(m *member, text string) {
	a.notifier.Tell(notice.Say(words.NameOf(m.snapshot)+": on_event failed", assets.Unhealthy, text))
}

package app

import (
	"context"
	"path/filepath"
	"runtime"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// Beside is what a View may tell beside clicks. On a Mac an app that is opened again is not started again, and an icon can be out of sight.
type Beside interface {
	Reopened() <-chan struct{}
	Hidden() <-chan bool
}

// beside gives what view tells beside clicks: channels that are nil, and never ready, if it tells nothing.
func (a *App) beside() (reopened <-chan struct{}, hidden <-chan bool) {
	if b, ok := a.view.(Beside); ok {
		return b.Reopened(), b.Hidden()
	}
	return nil, nil
}

// calledAgain is a second instance's request. Who sees no dashboard after it is told at least where to look.
func (a *App) calledAgain() {
	a.reopenOr(func() {
		a.notifier.Tell(notice.Say("Vivarium is already running", assets.Healthy, whereIcon(runtime.GOOS)))
		a.reopenPage()
	})
}

// reopen shows what there is to see without a menu: the dashboard, and where that cannot be shown the page of the last crash, else that of
// the doctor. A person does this whose icon is hidden.
func (a *App) reopen() { a.reopenOr(a.reopenPage) }

// reopenOr shows the dashboard, or does otherwise in the loop.
func (a *App) reopenOr(otherwise func()) {
	if !a.quitting.IsZero() {
		return
	}
	go func() {
		if err := a.openDashboard(""); err != nil {
			a.log.Error("the dashboard is not shown", "error", err)
			a.post(otherwise)
		}
	}()
}

// reopenPage shows the page of the last crash, else that of the doctor, and without a backend the welcome, which leads to the first one.
func (a *App) reopenPage() {
	var last *member
	for _, m := range a.members {
		if m.snapshot.LastReport != "" && (last == nil || m.snapshot.LastAt.After(last.snapshot.LastAt)) {
			last = m
		}
	}
	switch {
	case last != nil:
		a.open(a.desktop.OpenPage, last.snapshot.LastReport)
	case len(a.members) > 0:
		a.showDoctor(a.members[0].dir)
	default:
		a.welcome()
	}
}

// iconHidden notes it where `vivarium status` and the doctor look, and tells it once.
func (a *App) iconHidden(hidden bool) {
	go func() {
		tell, err := desktop.NoteIcon(a.state, hidden)
		if err != nil {
			a.log.Error("noting that the icon is hidden", "error", err)
		}
		if tell {
			a.post(func() {
				a.notifier.Tell(notice.Say("Vivarium's icon is hidden", assets.Unhealthy, desktop.IconHidden))
			})
		}
	}()
}

const welcomeName = "welcomed"

// welcomeOnce is for the first start of all.
func (a *App) welcomeOnce() {
	file := filepath.Join(a.state, welcomeName)
	if !a.options.Welcome || len(a.members) > 0 || desktop.Exists(file) {
		return
	}
	if err := safefile.Replace(file, nil); err != nil {
		a.log.Error("noting the first start", "error", err)
		return // else it would come again and again
	}
	a.welcome()
}

// welcome says where the icon is and what to do, and leads there.
func (a *App) welcome() {
	a.ask(func(ctx context.Context) error {
		add, err := a.desktop.Ask(ctx, "Welcome to Vivarium",
			words.Sentences(whereIcon(runtime.GOOS))+"\n\nAdd a backend to begin: choose the folder of your Python server. “"+wordDemo+"” in the menu shows one that crashes.", wordAdd)
		if err != nil { // where no dialog can be shown a notice says the same
			a.log.Info("the welcome is no dialog", "error", err)
			a.post(func() {
				a.notifier.Tell(notice.Say("Welcome to Vivarium", assets.Healthy, whereIcon(runtime.GOOS), "“"+wordAdd+"” is in its menu"))
			})
			return nil
		}
		if !add {
			return nil
		}
		return a.chooseBackend(ctx)
	})
}

func whereIcon(goos string) string {
	return words.Chosen(goos == "darwin", "Its icon is in the menu bar, at the top right of the screen", "Its icon is in the panel of your desktop")
}

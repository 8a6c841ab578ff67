package app

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/doctor"
	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor"
)

// act does what a click means. The menu may have changed under the pointer: what is not there any more is ignored.
func (a *App) act(click Action) {
	if !a.quitting.IsZero() {
		return
	}
	if click.Tail {
		a.actTail(click.Item)
		return
	}
	i := click.Section - 1
	if click.Section == 0 && len(a.members) == 1 {
		i = 0
	}
	if i >= 0 && i < len(a.members) {
		a.actOn(a.members[i], click.Item)
	}
}

func (a *App) actOn(m *member, item int) {
	s := m.snapshot
	switch item {
	case ItemStart, ItemTryAgain:
		a.cancelEnd(m)
		m.wish(control.Supervision.Start)
	case ItemStop:
		if s.State == supervisor.Stopping {
			m.wish(control.Supervision.Hurry)
			return
		}
		if m.ending != nil { // asked for again: it is not to wait for the others
			a.endNow(m)
			return
		}
		a.end(m, control.Supervision.Stop)
	case ItemRestart:
		a.cancelEnd(m)
		m.wish(control.Supervision.Restart)
	case ItemTakeOver:
		m.wish(control.Supervision.TakeOver)
	case ItemStatus, ItemDetail:
		if s.ConfigProblem != "" && s.ConfigFile != "" {
			a.open(a.desktop.OpenText, s.ConfigFile)
		}
	case ItemLast:
		a.open(a.desktop.OpenPage, s.LastReport)
	case ItemDashboard:
		a.showDashboard(m.dir)
	case ItemOpenLog:
		a.open(a.desktop.OpenLog, s.Log)
	case ItemOpenBrowser:
		a.open(a.desktop.OpenURL, s.URL)
	case ItemCopyURL:
		a.open(a.desktop.Copy, s.URL)
	case ItemCopyEnvironment:
		a.copyEnvironment(m.dir)
	case ItemEditConfig:
		a.editConfig(m.dir)
	case ItemReveal:
		a.open(a.desktop.Reveal, m.dir)
	case ItemStacks:
		a.showStacks(m.dir)
	case ItemDoctor:
		a.showDoctor(m.dir)
	case ItemRemove:
		a.askRemove(m)
	}
}

// actNotice does what a click on a notice means. Its backend may have been removed meanwhile.
func (a *App) actNotice(click notice.Click) {
	item := noticeItem(click.Button)
	a.log.Info("a click on a notice", "dir", click.Backend, "item", item)
	m := a.memberIn(click.Backend)
	if m == nil || !a.quitting.IsZero() {
		return
	}
	if item == ItemLast && m.snapshot.LastReport == "" { // the log is the next best
		item = ItemOpenLog
	}
	a.actOn(m, item)
}

// noticeItem is the item of the menu that does the same as a button of a notice.
func noticeItem(b notice.Button) int {
	switch b {
	case notice.ButtonRestart:
		return ItemRestart
	case notice.ButtonLog:
		return ItemOpenLog
	}
	return ItemLast
}

func (a *App) actTail(item int) {
	switch item {
	case TailAdd:
		a.askAdd()
	case TailDemo:
		a.tryDemo()
	case TailLogin:
		a.toggleLogin()
	case TailTool:
		a.toggleTool()
	case TailQuiet:
		a.toggleQuiet()
	case TailAbout:
		a.tell("About Vivarium", aboutText())
	case TailManual:
		a.open(a.desktop.OpenURL, helpURL)
	case TailDiagnostics:
		a.copyDiagnostics()
	case TailTest:
		a.sendTest()
	case TailQuit:
		a.quit()
	case TailLeave:
		a.leave = true
	}
}

// open hands something to the desktop. A click that does nothing is worse than an error: so a failure is a notice.
func (a *App) open(how func(string) error, what string) {
	if what == "" {
		return
	}
	go func() { a.failed("", how(what)) }()
}

// failed tells that a click came to nothing.
func (a *App) failed(what string, err error) {
	if err == nil {
		return
	}
	text := err.Error()
	if what != "" {
		text = what + ": " + text
	}
	n := notice.Say("That did not work", assets.Unhealthy, text)
	n.Class = notice.ClassFinal // another click may fail otherwise
	a.post(func() { a.notifier.Tell(n) })
}

func (a *App) copyEnvironment(dir string) {
	go func() {
		text, err := setup.Environment(dir)
		if err == nil {
			err = a.desktop.Copy(text)
		}
		a.failed("Copying the environment", err)
	}()
}

func (a *App) editConfig(dir string) {
	go func() { a.failed("Editing the configuration", a.desktop.EditConfig(dir)) }()
}

func (a *App) copyDiagnostics() {
	all := make([]supervisor.Snapshot, len(a.members))
	for i, m := range a.members {
		all[i] = m.snapshot
	}
	go func() { a.failed("Copying diagnostics", a.desktop.Copy(doctor.Text(doctor.Examine(all, a.state)))) }()
}

// ask runs a dialog outside the loop, one at a time; a second click while one is open is a click on the open one.
func (a *App) ask(dialog func(ctx context.Context) error) {
	if a.asking {
		return
	}
	a.asking = true
	go func() {
		err := dialog(a.ctx)
		a.post(func() { a.asking = false })
		if a.ctx.Err() == nil {
			a.failed("", err)
		}
	}()
}

func (a *App) tell(title, text string) {
	a.ask(func(ctx context.Context) error { return a.desktop.Tell(ctx, title, text) })
}

func (a *App) askRemove(m *member) {
	name := words.NameOf(m.snapshot)
	text := fmt.Sprintf("Remove “%s” from Vivarium?\n\nIts server is stopped. Its folder, %s, stays as it is.", name, m.dir)
	if m.snapshot.HeldBy != 0 {
		text = fmt.Sprintf("Remove “%s” from Vivarium?\n\nIt is kept by vivarium run (PID %d) and goes on there.", name, m.snapshot.HeldBy)
	}
	a.ask(func(ctx context.Context) error {
		yes, err := a.desktop.Ask(ctx, "Remove Backend", text, "Remove")
		if yes {
			a.post(func() { a.beginRemove(m) })
		}
		return err
	})
}

// beginRemove stops the backend first: a server without anybody who watches it is what Vivarium is there to prevent.
func (a *App) beginRemove(m *member) {
	if !slices.Contains(a.members, m) || m.removing {
		return
	}
	if !m.runsHere() {
		a.remove(m)
		return
	}
	m.removing = true
	a.end(m, control.Supervision.Stop)
}

func (a *App) remove(m *member) {
	m.cancel()
	a.work.Go(func() { // another program may be changing the list
		if err := a.backends.Remove(m.dir); err != nil {
			a.notifier.Tell(notice.Say("The list of backends could not be saved", assets.Unhealthy, err.Error()))
		}
	})
	a.members = slices.DeleteFunc(a.members, func(o *member) bool { return o == m })
}

// addAndStart is for a person who is looking on: what they added is to run. It may wait for another program that changes the list, and is not
// for the loop.
func (a *App) addAndStart(dir string, visit bool) {
	if err := a.backends.Add(dir); err != nil {
		a.notifier.Tell(notice.Say("The backend could not be added", assets.Unhealthy, err.Error()))
		return
	}
	a.post(func() {
		m := a.memberIn(dir)
		if m == nil {
			m = a.join(dir)
		}
		m.visit = visit
		m.wish(control.Supervision.Start)
		a.askForNotices()
	})
}

// memberIn is the backend in that folder; nil: it is not in the menu.
func (a *App) memberIn(dir string) *member {
	if i := slices.IndexFunc(a.members, func(m *member) bool { return m.dir == dir }); i >= 0 {
		return a.members[i]
	}
	return nil
}

func (a *App) askAdd() {
	if len(a.members) >= words.MaxBackends {
		a.tell("Add Backend", fmt.Sprintf("The menu has room for %d backends: remove one first.", words.MaxBackends))
		return
	}
	a.ask(a.chooseBackend)
}

// chooseBackend is the dialog behind Add Backend.
func (a *App) chooseBackend(ctx context.Context) error {
	dir, err := a.desktop.Folder(ctx, "Choose the folder of your Python server")
	if err != nil || dir == "" {
		return err
	}
	found, err := setup.Inspect(dir, false)
	if err != nil {
		return err
	}
	if !found.Configured {
		yes, err := a.desktop.Ask(ctx, "Add Backend", found.Question(), "Add")
		if err != nil || !yes {
			return err
		}
		if _, err := found.Write(setup.WriteOptions{Force: true, Environment: true}); err != nil {
			return err
		}
	}
	a.addAndStart(found.Dir, false)
	return nil
}

func (a *App) tryDemo() {
	dir := filepath.Join(a.state, "demo")
	go func() {
		err := assets.WriteDemo(dir)
		if err == nil {
			dir, err = filepath.EvalSymlinks(dir)
		}
		if err != nil {
			a.failed("Setting up the demo", err)
			return
		}
		a.addAndStart(dir, true)
	}()
}

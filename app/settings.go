package app

import (
	"context"
	"runtime"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/login"
	"github.com/vivarium-app/vivarium/app/words"
)

// readSettings asks the system about what the menu shows beside the backends, which may take a while.
func (a *App) readSettings() {
	var now MenuOptions
	now.Login, now.LoginShown = a.desktop.Login()
	now.Tool, now.ToolShown = a.desktop.Tool()
	now.Quiet, now.QuietShown = a.desktop.Quiet()
	a.post(func() { a.settings = now })
}

func (a *App) toggleLogin() {
	on := !a.settings.Login
	go func() {
		a.failed(wordLogin, a.desktop.SetLogin(on))
		a.readSettings()
	}()
}

func (a *App) toggleQuiet() {
	on := !a.settings.Quiet
	go func() {
		a.failed(wordQuiet, a.desktop.SetQuiet(on))
		a.readSettings()
	}()
}

func (a *App) toggleTool() {
	on := !a.settings.Tool
	a.ask(func(ctx context.Context) error {
		said, err := a.desktop.SetTool(on)
		a.readSettings()
		if err != nil || said == "" {
			return err
		}
		return a.desktop.Tell(ctx, words.Chosen(on, "Install Command Line Tool", wordRemoveTool), said)
	})
}

// orRealSettings fills in those of this system.
func (d *Desktop) orRealSettings(state string) {
	if d.Login == nil {
		d.Login, d.SetLogin = loginNow, setLogin
	}
	if d.Tool == nil {
		d.Tool, d.SetTool = toolNow, setTool
	}
	if d.Quiet == nil {
		dialogs := desktop.NewCrashDialogs(state)
		d.Quiet = func() (on, possible bool) {
			if runtime.GOOS != "darwin" {
				return false, false
			}
			on, err := dialogs.Quiet()
			return on, err == nil
		}
		d.SetQuiet = dialogs.SetQuiet
	}
}

// LoginItem is the login item of the menu-bar program beside this one.
func LoginItem() (login.Item, error) {
	exe, err := desktop.Program(desktop.MenubarProgram)
	if err != nil {
		return login.Item{}, err
	}
	return login.New(exe, "")
}

// loginNow mends a login item whose program has moved, and says whether there is one. One that cannot be read can still be written.
func loginNow() (on, possible bool) {
	l, err := LoginItem()
	if err != nil {
		return false, false
	}
	_, _ = l.Mend() // what stands in the way shows in the status
	st, err := l.Status()
	return err == nil && st.Enabled, true
}

func setLogin(on bool) error {
	l, err := LoginItem()
	if err != nil {
		return err
	}
	if on {
		return l.On()
	}
	return l.Off()
}

func toolNow() (on, possible bool) {
	l, err := desktop.NewToolLink()
	if err != nil {
		return false, false
	}
	return l.Status() != "", true
}

func setTool(on bool) (said string, err error) {
	l, err := desktop.NewToolLink()
	if err != nil {
		return "", err
	}
	if !on {
		return "", l.Remove()
	}
	path, onPath, err := l.Install()
	if err != nil {
		return "", err
	}
	return desktop.ToolText(path, onPath), nil
}

package app

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/login"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// startSettings brings back what the system has lost of them, and reads them.
func (a *App) startSettings() {
	if err := a.desktop.MendLogin(); err != nil {
		a.log.Error("launch at login", "error", err)
	}
	a.readSettings()
}

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
	d.orRealLogin(state)
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

// endTime is how long macOS may take at the very end: a logout does not wait.
const endTime = 2 * time.Second

// orRealLogin fills in launch at login.
func (d *Desktop) orRealLogin(state string) {
	if d.MendLogin == nil {
		d.MendLogin = func() error { return nil }
	}
	if d.EndLogin == nil {
		d.EndLogin = func() {}
	}
	if d.Login != nil {
		return
	}
	setting, err := LoginSetting(state, d.Items)
	if err != nil {
		d.Login = func() (on, possible bool) { return false, false }
		d.SetLogin = func(bool) error { return err }
		return
	}
	items := d.Items
	d.Login = func() (on, possible bool) {
		st, err := setting.Status() // one that cannot be read can still be written
		return err == nil && st.On, true
	}
	d.SetLogin = func(on bool) error {
		err := setting.Set(on)
		if s, ok := items.(interface{ Settings() }); ok && errors.Is(err, login.ErrSwitchedOff) {
			s.Settings() // where a person can switch it on
		}
		return err
	}
	d.MendLogin = setting.Mend
	d.EndLogin = func() {
		done := make(chan struct{})
		go func() {
			_ = setting.End() // the next start tries again
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(endTime):
		}
	}
}

// LoginSetting is Launch at Login of the menu-bar program beside this one. If items is nil, that program is asked, if it is in an app.
func LoginSetting(state string, items login.Items) (*login.Setting, error) {
	exe, err := desktop.Program(desktop.MenubarProgram)
	if err != nil {
		return nil, err
	}
	item, err := login.New(exe, "")
	if err != nil {
		return nil, err
	}
	if items == nil {
		items = login.InApp(runtime.GOOS, exe)
	}
	return &login.Setting{Item: item, Items: items, State: state, Build: keeper.Version}, nil
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

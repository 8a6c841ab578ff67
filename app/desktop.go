package app

import (
	"context"
	"errors"
	"io"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/login"
)

// Desktop is the desktop around the menu. Every function may block, and is never called from the loop; those that are nil are the
// real ones.
type Desktop struct {
	OpenLog    func(path string) error // in a program that follows it as it grows, where there is one
	OpenText   func(path string) error // in an editor
	OpenURL    func(url string) error
	OpenPage   func(path string) error // a page of ours, in the browser
	Reveal     func(path string) error // in Finder or the file manager
	Copy       func(text string) error // to the clipboard
	EditConfig func(dir string) error  // the backend's vivarium.toml, made first if there is none

	// Awake keeps the system from slowing this program's timers while it watches somebody. It is called from one goroutine.
	Awake func(on bool)
	// KeepAwake keeps the computer from idle sleep for a backend; nil: as the supervisor does by itself.
	KeepAwake func(why string) (io.Closer, error)

	Login    func() (on, possible bool) // the app starts at login; it can be made to
	SetLogin func(on bool) error
	// MendLogin is called at the start: what starts the app at login may have been lost. EndLogin is the last thing of all: to switch it off
	// may end this process.
	MendLogin func() error
	EndLogin  func()
	// Items is macOS's service for login items. If nil, there is none.
	Items login.Items

	Tool    func() (on, possible bool) // the command line is linked to where shells look; it can be
	SetTool func(on bool) (said string, err error)

	Quiet    func() (on, possible bool) // macOS tells of crashes with notifications; it can be made to
	SetQuiet func(on bool) error

	// Dialogs. If nil, there are none: those of the menu-bar program are in app/tray, because what shows them is large.
	Folder func(ctx context.Context, title string) (string, error) // "" if the person thought better of it
	Ask    func(ctx context.Context, title, text, yes string) (bool, error)
	Tell   func(ctx context.Context, title, text string) error
}

// orReal fills in this desktop.
func (d Desktop) orReal(state string) Desktop {
	o := desktop.Opener{}
	orElseFunc(&d.OpenLog, o.Log)
	orElseFunc(&d.OpenText, o.Text)
	orElseFunc(&d.OpenURL, o.URL)
	orElseFunc(&d.OpenPage, o.Page)
	orElseFunc(&d.Reveal, o.Reveal)
	orElseFunc(&d.Copy, o.Copy)
	orElseFunc(&d.EditConfig, o.EditConfig)
	if d.Awake == nil {
		d.Awake = func(bool) {} // only macOS does
	}
	d.orRealSettings(state)
	if d.Folder == nil {
		d.Folder = func(context.Context, string) (string, error) { return "", errNoDialogs }
	}
	if d.Ask == nil {
		d.Ask = func(context.Context, string, string, string) (bool, error) { return false, errNoDialogs }
	}
	if d.Tell == nil {
		d.Tell = func(context.Context, string, string) error { return errNoDialogs }
	}
	return d
}

func orElseFunc(f *func(string) error, real func(string) error) {
	if *f == nil {
		*f = real
	}
}

var errNoDialogs = errors.New("there are no dialogs here")

//go:build cgo

package tray

import (
	"context"
	"io"

	"github.com/vivarium-app/vivarium/app/login"
	"github.com/vivarium-app/vivarium/app/notice"
)

// What only a Mac has. Linux's notification service and its autostart entries are reached without cgo, by the app itself, and its dialogs are
// zenity's.

// Center is nil: Linux's notification service is reached over D-Bus, by the app itself.
func Center() notice.Center { return nil }

// NoticesAllowed is nil: who may show notices on Linux is nobody's to say.
func NoticesAllowed() func(context.Context) error { return nil }

// Awake is nil: nothing on Linux stretches a program's timers.
var Awake func(on bool)

// KeepAwake is nil: logind is asked over D-Bus, without a tray.
var KeepAwake func(why string) (io.Closer, error)

func prepare() {}

func (t *Tray) dress() {}

func native() *asking { return nil }

// LoginService is macOS's service for login items. There is none here.
type LoginService struct{}

// State is what macOS says of the agent in the bundle.
func (LoginService) State() (login.State, error) { return login.Unavailable, nil }

// Register registers the agent.
func (LoginService) Register() (login.State, error) { return login.Unavailable, nil }

// Unregister takes it back.
func (LoginService) Unregister() (login.State, error) { return login.Unavailable, nil }

// Legacy is what macOS says of a launch agent in a file.
func (LoginService) Legacy(string) (login.State, error) { return login.Unavailable, nil }

// Settings opens System Settings where a person can switch it on.
func (LoginService) Settings() {}

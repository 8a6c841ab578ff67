//go:build cgo

package tray

import (
	"context"
	"io"

	"github.com/vivarium-app/vivarium/app"
)

// Center is nil: Linux's notification service is reached over D-Bus, by the app itself.
func Center() app.Center { return nil }

// Awake is nil: nothing on Linux stretches a program's timers.
var Awake func(on bool)

// KeepAwake is nil: logind is asked over D-Bus, without a tray.
var KeepAwake func(why string) (io.Closer, error)

// NoticesAllowed is nil: who may show notices on Linux is nobody's to say.
func NoticesAllowed() func(context.Context) error { return nil }

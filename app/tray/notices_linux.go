//go:build cgo

package tray

import "github.com/vivarium-app/vivarium/app"

// Center is nil: Linux's notification service is reached over D-Bus, by the app itself.
func Center() app.Center { return nil }

// Awake is nil: nothing on Linux stretches a program's timers.
var Awake func(on bool)

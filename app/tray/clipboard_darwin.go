//go:build cgo

package tray

// Copy is nil: macOS has pbcopy, which the app uses by itself.
var Copy func(text string) error

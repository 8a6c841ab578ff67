//go:build cgo

package tray

func native() *asking { return nil }

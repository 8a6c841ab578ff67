//go:build cgo

package tray

func introduce() {} // the bundle has the name

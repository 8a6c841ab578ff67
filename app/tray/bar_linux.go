//go:build cgo

package tray

func prepare() {}

func (t *Tray) dress() {}

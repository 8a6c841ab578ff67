//go:build cgo

package tray

// #cgo CFLAGS: -fobjc-arc
// #cgo LDFLAGS: -framework AppKit -framework Foundation
// #include "bar_darwin.h"
import "C"

import "sync/atomic"

var macBar atomic.Pointer[Tray] // whom the menu bar tells

func prepare() { C.barPrepare() }

func (t *Tray) dress() {
	macBar.Store(t)
	C.barDress()
}

//export barReopened
func barReopened() {
	if t := macBar.Load(); t != nil {
		t.reopen()
	}
}

//export barSeen
func barSeen(visible C.int) {
	if t := macBar.Load(); t != nil {
		t.see(visible != 0)
	}
}

//go:build cgo

package tray

// #cgo LDFLAGS: -framework AppKit -framework Foundation
// #include <stdlib.h>
// #include "dialogs_darwin.h"
import "C"

import (
	"sync"
	"unsafe"
)

// native is AppKit's dialogs for the app in its bundle; nil outside of it.
var native = sync.OnceValue(func() *asking {
	if !inBundle() {
		return nil
	}
	return macDialogs
})

var macDialogs = newAsking(appKit{})

// appKit calls Objective-C. What a C string points to is copied there before the call returns.
type appKit struct{}

func (appKit) folder(call uint64, title, start string) {
	withStrings([]string{title, start}, func(s []*C.char) { C.dialogFolder(C.uint64_t(call), s[0], s[1]) })
}

func (appKit) alert(call uint64, title, text, yes, cancel string) {
	withStrings([]string{title, text, yes, cancel}, func(s []*C.char) { C.dialogAlert(C.uint64_t(call), s[0], s[1], s[2], s[3]) })
}

func (appKit) close(call uint64) { C.dialogClose(C.uint64_t(call)) }

func withStrings(texts []string, do func([]*C.char)) {
	var all []*C.char
	for _, t := range texts {
		all = append(all, C.CString(t))
	}
	do(all)
	for _, t := range all {
		C.free(unsafe.Pointer(t))
	}
}

//export dialogAnswered
func dialogAnswered(call C.uint64_t, button C.int, path, problem *C.char) {
	macDialogs.answered(uint64(call), dialogAnswer{yes: button != 0, path: C.GoString(path), problem: C.GoString(problem)})
}

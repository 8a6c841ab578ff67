//go:build cgo

package tray

// #cgo CFLAGS: -fobjc-arc
// #cgo LDFLAGS: -framework Foundation -framework UserNotifications
// #include <stdlib.h>
// #include "notices_darwin.h"
import "C"

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"unsafe"

	"github.com/vivarium-app/vivarium/app/notice"
)

func introduce() {} // the bundle has the name

var macNotices *center // of this process

// Center is macOS's notification center, or nil for a program that does not run from its bundle. It has to be called on the main
// goroutine before Run: Apple wants a delegate before the app has finished launching.
func Center() notice.Center {
	if !inBundle() {
		return nil
	}
	r, l := C.CString(notice.WordRestart), C.CString(notice.WordOpenLog)
	defer C.free(unsafe.Pointer(r))
	defer C.free(unsafe.Pointer(l))
	macNotices = newCenter(nativeNotices{}, func() bool {
		exe, err := os.Executable()
		return err == nil && signedByNobody(exe, runtime.GOARCH)
	}) // before it begins: a click that started the app may come at once
	if C.noticesBegin(r, l) == 0 {
		return nil
	}
	return macNotices
}

// NoticesAllowed asks macOS whether notices are allowed, for a program that is not the app. nil: there is no notification center.
func NoticesAllowed() func(context.Context) error {
	if Center() == nil {
		return nil
	}
	return macNotices.Allowed
}

// nativeNotices calls Objective-C. What a C string points to is copied there before the call returns.
type nativeNotices struct{}

func (nativeNotices) ask(call uint64) { C.noticesAsk(C.uint64_t(call)) }

func (nativeNotices) state(call uint64) { C.noticesState(C.uint64_t(call)) }

func (nativeNotices) show(call uint64, id, title, body, backend string, buttons bool) {
	texts := []*C.char{C.CString(id), C.CString(title), C.CString(body), C.CString(backend)}
	defer func() {
		for _, t := range texts {
			C.free(unsafe.Pointer(t))
		}
	}()
	with := C.int(0)
	if buttons {
		with = 1
	}
	C.noticesShow(C.uint64_t(call), texts[0], texts[1], texts[2], texts[3], with)
}

//export noticesAnswered
func noticesAnswered(call C.uint64_t, problem *C.char) {
	if macNotices != nil {
		macNotices.answered(uint64(call), C.GoString(problem))
	}
}

//export noticesClicked
func noticesClicked(backend, action *C.char) {
	if macNotices != nil {
		macNotices.clicked(C.GoString(backend), C.GoString(action))
	}
}

// Awake keeps App Nap from stretching our timers while a backend is wanted. It is for one goroutine.
var Awake = func(on bool) {
	if on {
		C.activityBegin()
		return
	}
	C.activityEnd()
}

// KeepAwake keeps the Mac from idle sleep until it is closed. macOS takes it back from a program that dies.
var KeepAwake = func(why string) (io.Closer, error) {
	text := C.CString(why)
	defer C.free(unsafe.Pointer(text))
	one := C.sleeplessBegin(text)
	if one == nil {
		return nil, errors.New("macOS gave no activity")
	}
	return sleepless{one}, nil
}

type sleepless struct{ activity unsafe.Pointer }

func (s sleepless) Close() error {
	C.sleeplessEnd(s.activity)
	return nil
}

//go:build cgo

package tray

// #include <stdlib.h>
// #include "login_darwin.h"
import "C"

import (
	"errors"
	"unsafe"

	"github.com/vivarium-app/vivarium/app/login"
	"github.com/vivarium-app/vivarium/app/words"
)

// LoginPlist is the login agent in the bundle, as SMAppService wants to be told of it.
const LoginPlist = login.ServiceLabel + ".plist"

// LoginService is macOS's service for login items: what it says of ours. Outside of the bundle there is none. Each call may take a while.
type LoginService struct{}

// State is what macOS says of the agent in the bundle.
func (LoginService) State() (login.State, error) {
	return asked(LoginPlist, func(name *C.char, problem **C.char) login.State {
		return login.State(C.loginState(name, problem))
	})
}

// Register registers the agent, and returns what macOS says of it then. It starts a second app at once, with --login.
func (LoginService) Register() (login.State, error) {
	return asked(LoginPlist, func(name *C.char, problem **C.char) login.State {
		return login.State(C.loginRegister(name, problem))
	})
}

// Unregister takes it back. If this process is the agent's job, macOS ends it.
func (LoginService) Unregister() (login.State, error) {
	return asked(LoginPlist, func(name *C.char, problem **C.char) login.State {
		return login.State(C.loginUnregister(name, problem))
	})
}

// Legacy is what macOS says of a launch agent in a file.
func (LoginService) Legacy(path string) (login.State, error) {
	return asked(path, func(path *C.char, problem **C.char) login.State {
		return login.State(C.loginLegacyState(path, problem))
	})
}

// Settings opens System Settings where a person can switch it on.
func (LoginService) Settings() { C.loginOpenSettings() }

func asked(what string, call func(what *C.char, problem **C.char) login.State) (login.State, error) {
	if !inBundle() {
		return login.Unavailable, nil
	}
	w := C.CString(what)
	defer C.free(unsafe.Pointer(w))
	var problem *C.char
	state := call(w, &problem)
	if problem == nil {
		return state, nil
	}
	defer C.free(unsafe.Pointer(problem))
	return state, errors.New(words.Plain(C.GoString(problem)))
}

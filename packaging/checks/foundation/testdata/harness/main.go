// Harness drives the app's Objective-C, which is compiled as it is, against GNUstep's Foundation and stand-ins for Apple's frameworks. Each
// line that it prints is a question and what came of it; the test knows the answers.
package main

/*
#include <stdlib.h>
#include "notices_darwin.h"
#include "login_darwin.h"
#include "stubs.h"
*/
import "C"

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unsafe"
)

var answers = struct {
	sync.Mutex
	to     map[uint64]chan string
	clicks []string
	stray  int
}{to: map[uint64]chan string{}}

//export noticesAnswered
func noticesAnswered(call C.uint64_t, problem *C.char) {
	text := C.GoString(problem)
	answers.Lock()
	defer answers.Unlock()
	to := answers.to[uint64(call)]
	if to == nil {
		answers.stray++
		return
	}
	delete(answers.to, uint64(call))
	to <- text
}

//export noticesClicked
func noticesClicked(backend, action *C.char) {
	answers.Lock()
	defer answers.Unlock()
	answers.clicks = append(answers.clicks, C.GoString(backend)+"|"+C.GoString(action))
}

var nextCall uint64

// call makes a numbered call and waits for its answer.
func call(do func(C.uint64_t)) string {
	to := make(chan string, 1)
	answers.Lock()
	nextCall++
	number := nextCall
	answers.to[number] = to
	answers.Unlock()
	do(C.uint64_t(number))
	select {
	case text := <-to:
		if text == "" {
			return "well"
		}
		return strings.ReplaceAll(text, "\n", " ")
	case <-time.After(10 * time.Second):
		return "no answer"
	}
}

func ask() string { return call(func(n C.uint64_t) { C.noticesAsk(n) }) }

func state() string { return call(func(n C.uint64_t) { C.noticesState(n) }) }

func show(id, title, body, backend string, buttons bool) string {
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
	return call(func(n C.uint64_t) { C.noticesShow(n, texts[0], texts[1], texts[2], texts[3], with) })
}

func begin() int {
	r, l := C.CString("Restart"), C.CString("Open Log")
	defer C.free(unsafe.Pointer(r))
	defer C.free(unsafe.Pointer(l))
	return int(C.noticesBegin(r, l))
}

func say(question string, answer any) { fmt.Printf("%s: %v\n", question, answer) }

func notices() {
	for _, m := range []struct {
		name string
		mode C.int
	}{{"raises", C.centerRaisesGet}, {"is missing", C.centerMissing}, {"is there", C.centerWell}} {
		C.centerIs(m.mode)
		say("begin, the center "+m.name, begin())
	}
	for _, m := range []struct {
		name string
		mode C.int
	}{
		{"well", C.centerWell}, {"denies", C.centerDenies}, {"undecided", C.centerUndecided}, {"errors", C.centerErrors},
		{"error without a text", C.centerNoText}, {"raises", C.centerRaisesCall}, {"raises late", C.centerRaisesLate},
		{"is missing", C.centerMissing}, {"raises at once", C.centerRaisesGet}, {"later", C.centerLater},
	} {
		C.centerIs(m.mode)
		if m.mode != C.centerMissing { // a message to nil never answers
			say("ask, "+m.name, ask())
			say("state, "+m.name, state())
			say("show, "+m.name, show("1", "chat: ended", "Why", "/b/chat", true))
		}
	}
	C.centerIs(C.centerWell)
	say("shown", C.GoString(C.centerLast()))
	say("show, no buttons", show("2", "ünïcode ✓", "", "", false))
	say("shown", C.GoString(C.centerLast()))
	say("show, not UTF-8", show("3", "cut\xff", "b", "/b", false))
	say("show, no identifier", show("", "t", "b", "/b", false))
}

func clicks() {
	C.centerIs(C.centerWell)
	for _, c := range [][2]string{{"/b/chat", "restart"}, {"/b/chat", "log"}, {"", "x"}, {"raise", "log"}} {
		click(C.CString(c[0]), C.CString(c[1]))
	}
	click(nil, C.CString("log"))
	click(C.CString("/b"), nil)
	answers.Lock()
	defer answers.Unlock()
	say("clicks", strings.Join(answers.clicks, " "))
}

func click(thread, action *C.char) {
	C.centerClick(thread, action)
	C.free(unsafe.Pointer(thread))
	C.free(unsafe.Pointer(action))
}

// concurrently shows many notices at once, answered on threads of the center's own.
func concurrently() {
	C.centerIs(C.centerLater)
	before := int(C.centerShown())
	const workers, each = 12, 100
	var wrong sync.Map
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				if got := show(fmt.Sprintf("%d-%d", w, i), "t", "b", "/b", i%2 == 0); got != "well" {
					wrong.Store(got, true)
				}
				if got := ask(); got != "well" {
					wrong.Store(got, true)
				}
			}
		})
	}
	all.Wait()
	wrong.Range(func(text, _ any) bool { say("wrong", text); return true })
	say("concurrent", int(C.centerShown())-before)
	answers.Lock()
	defer answers.Unlock()
	say("left", fmt.Sprint(len(answers.to), answers.stray))
}

func activity() {
	for range 3 {
		C.activityBegin()
		C.activityBegin()
		C.activityEnd()
		C.activityEnd()
	}
	say("activity", "well")
}

func told(state C.int, problem *C.char) string {
	if problem == nil {
		return fmt.Sprint(state)
	}
	defer C.free(unsafe.Pointer(problem))
	return fmt.Sprint(state, " ", strings.ReplaceAll(C.GoString(problem), "\n", " "))
}

func login() {
	name := C.CString("an.id.login.plist")
	defer C.free(unsafe.Pointer(name))
	path := C.CString("/Users/ada/Library/LaunchAgents/an.id.plist")
	defer C.free(unsafe.Pointer(path))
	for _, m := range []struct {
		name string
		mode C.int
	}{
		{"well", C.serviceWell}, {"refuses", C.serviceRefuses}, {"refuses silently", C.serviceRefusesSilently}, {"wants a yes", C.serviceApproval},
		{"raises", C.serviceRaises}, {"strange", C.serviceStrange}, {"old", C.serviceOld},
	} {
		C.serviceIs(m.mode, 3)
		var problem *C.char
		state := C.loginState(name, &problem)
		say("login state, "+m.name, told(state, problem))
		state = C.loginRegister(name, &problem)
		say("register, "+m.name, told(state, problem))
		state = C.loginUnregister(name, &problem)
		say("unregister, "+m.name, told(state, problem))
		C.serviceIs(m.mode, 2)
		state = C.loginLegacyState(path, &problem)
		say("legacy, "+m.name, told(state, problem))
		C.loginOpenSettings()
	}
	say("settings opened", C.serviceSettingsOpened())
	C.serviceIs(C.serviceWell, 1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				var problem *C.char
				if C.loginState(name, &problem) != 1 || problem != nil {
					say("wrong", "a concurrent question")
				}
			}
		})
	}
	all.Wait()
	say("concurrent questions", "asked")
	changesAtOnce(name, path)
}

// changesAtOnce registers, unregisters and asks on many threads, while the service refuses and raises: each call has its own answer, and each
// problem its own text.
func changesAtOnce(name, path *C.char) {
	for _, m := range []struct {
		mode    C.int
		problem string
	}{{C.serviceRefuses, "SMAppServiceErrorDomain"}, {C.serviceRaises, "an.id"}} {
		C.serviceIs(m.mode, 3)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					var problem *C.char
					state := C.loginRegister(name, &problem)
					said := told(state, problem)
					state = C.loginUnregister(name, &problem)
					said += "\n" + told(state, problem)
					if strings.Count(said, m.problem) != 2 {
						say("wrong", "a concurrent change: "+said)
					}
					state = C.loginLegacyState(path, &problem)
					if said := told(state, problem); m.mode == C.serviceRaises && !strings.Contains(said, m.problem) {
						say("wrong", "a concurrent question: "+said)
					}
				}
			})
		}
		all.Wait()
	}
	say("concurrent changes", "made")
}

func main() {
	notices()
	clicks()
	concurrently()
	activity()
	login()
	os.Exit(0) // without the runtime's threads having a say
}

// Dialogs drives the app's dialogs, which are compiled as they are, against GNUstep's Foundation and a stand-in for AppKit. Each line that it
// prints is a question and what came of it; the test knows the answers.
package main

/*
#include <stdlib.h>
#include "dialogs_darwin.h"
#include "stubs.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

func init() { runtime.LockOSThread() } // the main thread is AppKit's

type answer struct {
	call          uint64
	button        int
	path, problem string
}

var answers = make(chan answer, 16)

//export dialogAnswered
func dialogAnswered(call C.uint64_t, button C.int, path, problem *C.char) {
	answers <- answer{uint64(call), int(button), C.GoString(path), C.GoString(problem)}
}

func main() {
	go func() {
		ask()
		C.enough()
	}()
	C.serve()
}

func text(s string) *C.char { return C.CString(s) } // never freed: it is a short life

var call uint64

// told is what came of one call.
func told(question string, mode, response int, path string, do func(call C.uint64_t)) {
	p := C.CString(path)
	C.dialogsAre(C.int(mode), C.long(response), p)
	C.free(unsafe.Pointer(p))
	call++
	do(C.uint64_t(call))
	select {
	case a := <-answers:
		if a.call != call {
			fmt.Printf("%s: the answer of another call\n", question)
			return
		}
		fmt.Printf("%s: %d|%s|%s\n", question, a.button, a.path, a.problem)
	case <-time.After(20 * time.Second):
		fmt.Printf("%s: no answer\n", question)
	}
}

func ask() {
	folder := func(c C.uint64_t) { C.dialogFolder(c, text("Choose ünïcode ✓"), text("/b")) }
	alert := func(c C.uint64_t) {
		C.dialogAlert(c, text("Remove?"), text("It stays on disk."), text("Remove"), text("Cancel"))
	}
	message := func(c C.uint64_t) { C.dialogAlert(c, text("About"), text("1.0"), text("OK"), text("")) }
	told("folder, chosen", C.personAnswers, 1, "/b/chat", folder)
	fmt.Println("folder, said: " + C.GoString(C.dialogText()))
	told("folder, canceled", C.personAnswers, 0, "/b/chat", folder)
	told("alert, yes", C.personAnswers, 1000, "", alert)
	fmt.Println("alert, said: " + C.GoString(C.dialogText()))
	told("alert, cancel", C.personAnswers, 1001, "", alert)
	told("message, read", C.personAnswers, 1000, "", message)
	fmt.Println("message, said: " + C.GoString(C.dialogText()))
	told("folder, raises", C.panelRaises, 0, "", folder)
	told("alert, raises", C.panelRaises, 0, "", alert)
	for name, do := range map[string]func(C.uint64_t){"folder": folder, "alert": alert} {
		told(name+", closed", C.personThinks, 0, "/b/chat", func(c C.uint64_t) {
			before := C.dialogsShown()
			do(c)
			for C.dialogsShown() == before {
				time.Sleep(time.Millisecond)
			}
			C.dialogClose(c)
		})
	}
	told("alert, another one closed", C.personThinks, 1000, "", func(c C.uint64_t) {
		before := C.dialogsShown()
		alert(c)
		for C.dialogsShown() == before {
			time.Sleep(time.Millisecond)
		}
		C.dialogClose(c - 1)
		time.Sleep(200 * time.Millisecond)
		C.dialogsAre(C.personAnswers, 1000, text(""))
	})
}
